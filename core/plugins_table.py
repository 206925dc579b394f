"""What `voicera plugins` shows: the plugins, with the figures of the service that runs, if one does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from rich.markup import escape

from core.commands import with_running_stack
from core.figure_store import Overview, read
from core.figures import Figure
from core.plugins import PluginInfo, Plugins
from core.settings import ConfigurationError, Settings

COLOURS = {"active": "green", "failed": "red", "disabled": "yellow"}
COLUMNS = ("Plugin", "Version", "State", "Calls", "Time", "Failures", "Hooks")
HOOK_COLUMNS = ("Plugin", "Hook", "Calls", "Time", "Failures")


@dataclass(frozen=True, slots=True)
class Shown:
    """The plugins as they are here and in the running service."""

    infos: list[PluginInfo]
    overview: Overview

    @classmethod
    def of(cls, settings: Settings, plugins: Plugins) -> Shown:
        """Ask the running service for its figures."""
        overview = asyncio.run(_look(settings, plugins))
        return cls([overview.seen(info) for info in plugins.infos()], overview)

    def rows(self) -> Iterator[list[str]]:
        """A row for each plugin, as COLUMNS says; hooks are only counted, so that it fits into a narrow terminal."""
        for info in self.infos:
            total, found = Figure(), self.overview.of(info.name)
            for _, figure in found:
                total.add(figure)
            state = f"[{COLOURS[info.status]}]{info.status}[/]"
            hooks = str(len(info.hooks)) if info.status == "active" else ""
            yield [_name(info), escape(info.version), state, *_numbers(total, known=bool(found)), hooks]

    def hook_rows(self) -> Iterator[list[str]]:
        """A row for each hook of each plugin that works, as HOOK_COLUMNS says."""
        for info in self.infos:
            figures = dict(self.overview.of(info.name))
            for at, hook in enumerate(info.hooks):
                figure = figures.get(hook, Figure())
                yield [_name(info) if at == 0 else "", hook, *_numbers(figure, known=bool(figures))]

    def complaints(self) -> Iterator[str]:
        """What is wrong, a line each: the error of a plugin that failed, hooks that are skipped, their last errors."""
        for info in self.infos:
            if info.error:
                yield f"{_name(info)} failed: {escape(' '.join(info.error.split()))}"
                continue
            for hook in self.overview.tripped_of(info.name):
                yield f"{_name(info)}, {hook}: [red]tripped[/]: it is skipped for now"
            for hook, figure in self.overview.of(info.name):
                if figure.last_error:
                    yield f"{_name(info)}, {hook}: {escape(figure.last_error)}"


def _name(info: PluginInfo) -> str:
    return f"[cyan]{escape(info.name)}[/]"


def _numbers(figure: Figure, *, known: bool) -> list[str]:
    """Calls, time and failures; nothing where no service runs that could say."""
    if not known:
        return ["", "", ""]
    return [str(figure.calls), f"{figure.seconds:.3f} s", str(figure.failures + figure.timeouts)]


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
