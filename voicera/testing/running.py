"""An application that runs in the test's own process, on a real socket: failures show their traces, coverage counts."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any, Self, cast

import aiohttp
from sanic import Sanic

from core.app import GuardedProtocol, assemble, build_app, discover
from core.logging import LogWriter
from core.migrations import migrate
from core.plugins import GROUP, OURS
from core.resources import Resources
from core.settings import Settings
from voicera.testing.http import Client
from voicera.testing.patience import PATIENCE, patient
from voicera.testing.servers import dropped, fresh_database, settings_for_tests

_names = itertools.count(1)


@dataclass
class Running:
    """An application that serves on a real socket in this process."""

    app: Sanic[Any, Any]
    url: str
    resources: Resources
    client: Client

    async def settled(self, *, seconds: float = PATIENCE) -> None:
        """Wait until the background work that requests have started has ended, after-events among it.

        What it starts in its turn is waited for too. Raises AssertionError that names what still runs after so long.
        """
        running = self.resources.background._work  # noqa: SLF001  # the registry of what is spawned
        try:
            async with asyncio.timeout(seconds):
                while running:
                    await asyncio.wait(running)
                    await asyncio.sleep(0)  # their callbacks take them out of the registry
        except TimeoutError:
            names = ", ".join(sorted(task.get_name() for task in running))
            raise AssertionError(f"still running after {seconds} s: {names}") from None


def is_found(module: ModuleType) -> bool:
    """True for a plugin that every application finds by itself."""
    bundled = module.__name__.rpartition(".")[0] == OURS
    return bundled or any(entry.value == module.__name__ for entry in entry_points(group=GROUP))


class Applications:
    """The applications of a test run, each started when it is first asked for, on a database of its own.

    Tests that ask for the same environment and plugins share one, so that a run starts few of them. `always` are
    plugin modules that each of them has.
    """

    def __init__(self, servers: Settings, always: Iterable[ModuleType] = ()) -> None:
        self._servers, self._always = servers, tuple(always)
        self._stack = AsyncExitStack()
        self._started: dict[Any, Running] = {}

    async def __aenter__(self) -> Self:
        self._stack.enter_context(patient())
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def get(self, environ: Mapping[str, str] | None = None, plugins: Iterable[ModuleType] = ()) -> Running:
        """Give the application with these `VOICERA_` settings and these modules beside the plugins that are found.

        A module that is found anyway may be named as well.
        """
        modules = tuple(each for each in dict.fromkeys((*self._always, *plugins)) if not is_found(each))
        key = (frozenset((environ or {}).items()), tuple(map(id, modules)))
        if key not in self._started:
            self._started[key] = await self._start(environ or {}, modules)
        found = self._started[key]
        found.resources.db.engine.pool = found.resources.db.pool  # Piccolo has one engine a process
        return found

    async def _start(self, environ: Mapping[str, str], modules: tuple[ModuleType, ...]) -> Running:
        settings = await fresh_database(self._servers)
        await self._stack.enter_async_context(dropped(settings))
        found = running_app(settings_for_tests(settings, environ), plugins=modules)
        return await self._stack.enter_async_context(found)


@asynccontextmanager
async def running_app(
    environ: Mapping[str, str],
    *,
    plugins: Iterable[ModuleType] = (),
    migrated: bool = False,
    log: LogWriter | None = None,
) -> AsyncIterator[Running]:
    """Serve an application in this process until the context is left.

    `environ` is what `settings_for_tests` gives; `plugins` are modules to register beside those found;
    `migrated` says that the database is up to date already; `log` takes the line of each request. Meanwhile this
    process is `patient`.
    """
    with patient():
        async with _serving(environ, plugins, migrated=migrated, log=log) as running:
            # A plugin that holds the loop up and a machine that does so look the same.
            running.resources.hooks.rules.blocked = PATIENCE
            yield running


@asynccontextmanager
async def _serving(
    environ: Mapping[str, str], plugins: Iterable[ModuleType], *, migrated: bool, log: LogWriter | None
) -> AsyncIterator[Running]:
    settings, found = discover(environ=environ, extra=plugins)
    if not migrated:
        await migrate(settings, found)
    app = build_app(assemble(settings, found), name=f"test-{next(_names)}", log=log, alone=False)
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        server = await app.create_server(
            sock=listening, return_asyncio_server=True, access_log=False, protocol=GuardedProtocol
        )
        assert server is not None
        await server.startup()
        try:
            await server.before_start()
            await server.start_serving()
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
                yield Running(app, url, app.ctx.resources, Client(url, session))
        finally:
            await _stop(server)
            Sanic.unregister_app(app)


async def _stop(server: Any) -> None:
    await server.before_stop()
    server.close()
    for connection in list(server.connections):
        connection.close()
    await server.after_stop()


@asynccontextmanager
async def statements_of(running: Running) -> AsyncIterator[list[str]]:
    """Record the SQL that the application's database connections run; yields the growing list."""
    seen: list[str] = []
    pool = running.resources.db.pool
    held = [await pool.acquire() for _ in range(pool.get_max_size())]  # so that none is opened meanwhile
    for one in held:
        await pool.release(one)

    def note(record: Any) -> None:
        seen.append(record.query)

    connections = [holder._con for holder in cast("Any", pool)._holders if holder._con]  # noqa: SLF001
    for connection in connections:
        connection.add_query_logger(note)
    try:
        yield seen
    finally:
        for connection in connections:
            connection.remove_query_logger(note)
