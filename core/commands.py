"""How commands reach what they work on: the running stack, its database, and open `Resources`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any, TypeVar

from rich.console import Console
from rich.markup import escape

from core.logging import fields_of, redact
from core.plugins import say
from core.settings import EMBEDDABLE, ConfigurationError, Settings, with_values

Result = TypeVar("Result")
err = Console(stderr=True, highlight=False)
NAMED = ("time", "level", "logger", "message", "plugin", "error")  # fields that stand elsewhere in a complaint, or not


def complain(error: object) -> None:
    """Say what is wrong, on standard error, in one line."""
    err.print(f"[bold red]voicera:[/] {escape(str(error))}", soft_wrap=True)  # one line, for whoever reads logs


class Complaints(logging.Handler):
    """Says what a command logs, such as a plugin that is left out: in a line, and once however often it comes up.

    A trace is of no use to whoever wants the routes listed; the log of the service has it.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Say the message, the plugin's name, what else `extra` gave, and the error."""
        try:
            line = _in_a_line(record)
        except Exception:  # a line that cannot be made is no reason to fail whoever logs it
            line = str(record.msg)
        if line not in self._said:
            self._said.add(line)
            complain(line)


def _in_a_line(record: logging.LogRecord) -> str:
    told = fields_of(record)
    error = redact(say(record.exc_info[1])) if record.exc_info and record.exc_info[1] else told.get("error")
    rest = " ".join(f"{name}={value}" for name, value in told.items() if name not in NAMED)
    parts = (told["message"], told.get("plugin"), rest, error)
    return " ".join(": ".join(str(part) for part in parts if part).split())


@contextmanager
def complaining() -> Iterator[None]:
    """Say on standard error what is logged meanwhile: Python's own way shows neither names nor anything but traces."""
    root, handler = logging.getLogger(), Complaints()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


def with_running_stack(settings: Settings) -> Settings:
    """Fill the URLs that are not set from the stack that runs in the data directory.

    Raises ConfigurationError if one is missing and no stack runs there.
    """
    from core.embedded.datadir import running_stack  # noqa: PLC0415

    if all(getattr(settings, name) is not None for name in EMBEDDABLE.values()):
        return settings
    found = running_stack(settings.data_dir)
    if found is None:
        raise ConfigurationError(
            f"no stack is running in {settings.data_dir}: start `voicera serve` there, or give VOICERA_DATABASE_URL"
        )
    # What somebody gave by hand stays; of host and port the stack knows better.
    known = {
        name: value
        for name, value in found.items()
        if name in Settings.model_fields and (name in ("host", "port") or settings.source(name) == "default")
    }
    return with_values(settings, known, "embedded")


def reaching_database(flags: dict[str, Any] | None = None) -> tuple[Settings, Any]:
    """Discover the plugins, with settings that name a database: the one configured, or the running stack's."""
    from core.app import discover  # noqa: PLC0415

    settings, plugins = discover(flags)
    if settings.database_url is None:
        settings = with_running_stack(settings)
    return settings, plugins


def brought(hook: str, kind: type[Result], **arguments: Any) -> list[tuple[str, Result]]:
    """What the plugins bring by a start-up hook, as `Hooks.brought` says; for the commands of plugins."""
    from core.app import discover  # noqa: PLC0415

    return discover()[1].hooks.brought(hook, kind, **arguments)


def run_with_resources(work: Callable[[Any], Awaitable[Result]], flags: dict[str, Any] | None = None) -> Result:
    """Run a command's coroutine with open `Resources`, as a worker has them; for the commands of plugins."""
    from core.app import assemble  # noqa: PLC0415
    from core.resources import open_resources  # noqa: PLC0415
    from piccolo_conf import DB  # noqa: PLC0415

    async def run() -> Result:
        settings, plugins = reaching_database(flags)
        assembly = assemble(with_running_stack(settings), plugins)
        async with AsyncExitStack() as stack:
            context = open_resources(assembly.settings, plugins.hooks, DB, assembly.limits, assembly.scopes)
            return await work(await stack.enter_async_context(context))

    return asyncio.run(run())


class DatabaseAway(Exception):
    """The database does not answer; the message says so in one line."""


@contextmanager
def refusals_of_database() -> Iterator[None]:
    """Turn what says that the database cannot be used into one line: ConfigurationError or DatabaseAway."""
    import asyncpg  # noqa: PLC0415  # slow to import, and most commands do without

    wrong = asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError
    try:
        yield
    except wrong as error:
        raise ConfigurationError(f"VOICERA_DATABASE_URL: {error}") from None
    except asyncpg.ClientConfigurationError:  # its text carries parts of the URL
        raise ConfigurationError("VOICERA_DATABASE_URL: write postgresql://user:password@host:port/database") from None
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise DatabaseAway(f"the database does not answer ({type(error).__name__})") from None
