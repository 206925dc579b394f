"""What `voicera plugins` shows: the plugins, with the figures of the service that runs, if one does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from rich.markup import escape

from core.commands import with_running_stack
from core.figure_store import Overview, read
from core.figures import Figure
from core.plugins import PluginInfo, Plugins
from core.settings import ConfigurationError, Settings

COLOURS = {"active": "green", "failed": "red", "disabled": "yellow"}


def rows(settings: Settings, plugins: Plugins) -> Iterator[list[str]]:
    """A row for each plugin: name, version, origin, state, calls, time, failures, hooks."""
    overview = asyncio.run(_look(settings, plugins))
    for info in plugins.infos():
        total, found = Figure(), overview.of(info.name)
        for _, figure in found:
            total.add(figure)
        failures = total.failures + total.timeouts
        numbers = [str(total.calls), f"{total.seconds:.3f} s", str(failures)] if found else ["", "", ""]
        yield [
            f"[cyan]{escape(info.name)}[/]",
            info.version,
            info.origin,
            _state(info, overview),
            *numbers,
            ", ".join(info.hooks),
        ]


def _state(info: PluginInfo, overview: Overview) -> str:
    state = f"[{COLOURS[info.status]}]{info.status}[/]"
    if info.error:
        return f"{state}: {escape(info.error)}"
    tripped = overview.tripped_of(info.name)
    lines = [f"{state}, [red]tripped[/]: {', '.join(tripped)}" if tripped else state]
    lines += [f"{hook}: {escape(figure.last_error)}" for hook, figure in overview.of(info.name) if figure.last_error]
    return "\n".join(lines)


async def _look(settings: Settings, plugins: Plugins) -> Overview:
    """The figures of the running service, and whose migrations have not run there; nothing where none runs."""
    from core.cache import open_cache  # noqa: PLC0415  # slow to import, and of no use without a service
    from core.migrations import leave_out_unmigrated  # noqa: PLC0415

    with contextlib.suppress(ConfigurationError):  # what is configured may do
        settings = with_running_stack(settings)
    if settings.database_url is not None:
        await leave_out_unmigrated(settings, plugins)
    if settings.redis_url is None:
        return Overview()
    async with open_cache(settings) as cache:
        try:
            return await read(cache)
        except Exception:  # it does not answer: there are no figures then
            return Overview()
