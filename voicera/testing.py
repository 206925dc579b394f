"""Tools for testing plugins and the service itself against real servers: a stack, an application, a client.

The application runs in the test's own process on a real socket, so that failures show their traces and
coverage counts; `Worker processes` for tests about processes are started by the supervisor instead.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import aiohttp
import orjson
from sanic import Sanic

from core.app import GuardedProtocol, assemble, build_app, discover
from core.database import connect_options
from core.embedded.stack import EmbeddedStack
from core.logging import LogWriter
from core.migrations import migrate
from core.resources import Resources
from core.settings import Settings, as_environment, load_settings

PASSWORD = "Correct-Horse-7"  # noqa: S105  # of the users that tests make
GENEROUS = "1000000/second"
_names = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read whole."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return orjson.loads(self.content)

    @property
    def data(self) -> Any:
        """What stands under `data` of the envelope."""
        return self.json["data"]

    @property
    def error(self) -> Any:
        """What stands under `error` of the envelope."""
        return self.json["error"]

    @property
    def code(self) -> str | None:
        """The error code, None for a good answer."""
        error = self.json["error"]
        return error["code"] if error else None


OnAnswer = Callable[[str, str, Answer], None]


@dataclass
class Client:
    """An HTTP client of a running application; `token` (or an API key) is sent with every request.

    `on_answer` sees every answer, with the method and the path that were asked.
    """

    url: str
    session: aiohttp.ClientSession
    token: str | None = None
    user: dict[str, Any] = field(default_factory=dict)
    on_answer: OnAnswer | None = None

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        token: str | None = None,
    ) -> Answer:
        """Send a request and read the whole answer; `token=""` sends none."""
        sent = dict(headers or {})
        bearer = self.token if token is None else token
        if bearer:
            sent.setdefault("Authorization", f"Bearer {bearer}")
        if json is not None:
            body = orjson.dumps(json)
            sent.setdefault("Content-Type", "application/json")
        async with self.session.request(
            method,
            self.url + path,
            data=None if body is None else io.BytesIO(body),
            headers=sent,
            params=params,
            allow_redirects=False,
        ) as response:
            answer = Answer(response.status, response.headers, await response.read())
        if self.on_answer is not None:
            self.on_answer(method, path, answer)
        return answer

    async def get(self, path: str, **options: Any) -> Answer:
        """Send a GET."""
        return await self.request("GET", path, **options)

    async def post(self, path: str, json: Any = None, **options: Any) -> Answer:
        """Send a POST."""
        return await self.request("POST", path, json=json, **options)

    async def put(self, path: str, json: Any = None, **options: Any) -> Answer:
        """Send a PUT."""
        return await self.request("PUT", path, json=json, **options)

    async def patch(self, path: str, json: Any = None, **options: Any) -> Answer:
        """Send a PATCH."""
        return await self.request("PATCH", path, json=json, **options)

    async def delete(self, path: str, **options: Any) -> Answer:
        """Send a DELETE."""
        return await self.request("DELETE", path, **options)

    async def new_user(self, email: str | None = None) -> Client:
        """Register a user, log in, and return a client of theirs."""
        address = email or f"user{next(_names)}-{secrets.token_hex(4)}@example.com"
        names = {"first_name": "Ada", "last_name": "Byron"}
        made = await self.post("/auth/register", {"email": address, "password": PASSWORD, **names}, token="")
        assert made.status == 201, made.content
        login = await self.post("/auth/login", {"email": address, "password": PASSWORD}, token="")
        assert login.status == 200, login.content
        return Client(self.url, self.session, login.data["token"], {**made.data, **login.data}, self.on_answer)


@dataclass
class Running:
    """An application that serves on a real socket in this process."""

    app: Sanic[Any, Any]
    url: str
    resources: Resources
    client: Client


@contextmanager
def running_stack(data_dir: Path, **flags: Any) -> Iterator[Settings]:
    """Start the bundled servers in `data_dir`; yield settings that name them. `flags` are further kernel settings."""
    stack = EmbeddedStack(load_settings(flags={"data_dir": data_dir, **flags}, environ={}, check_unknown=False))
    try:
        _until_ready(stack)
        yield stack.settings()
    finally:
        for _ in stack.stop(lambda: False):
            time.sleep(0.02)
        stack.close()


def _until_ready(stack: EmbeddedStack, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not stack.ready():
        if time.monotonic() > deadline:
            raise TimeoutError("the bundled servers are not ready")
        stack.step()
        time.sleep(0.02)


def settings_for_tests(stack: Settings, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of an application under test: the stack's, limits that do not get in the way, then yours."""
    return {
        **as_environment(stack),
        **{f"VOICERA_RATE_LIMIT_{name}": GENEROUS for name in ("GENERAL", "AUTH")},
        **(environ or {}),
    }


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
    `migrated` says that the database is up to date already; `log` takes the line of each request.
    """
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


async def fresh_database(stack: Settings) -> Settings:
    """Make an empty database on the stack's server and return settings that name it."""
    import asyncpg  # noqa: PLC0415  # only for tests that need it

    from core.settings import with_values  # noqa: PLC0415

    name = f"test_{secrets.token_hex(6)}"
    connection = await asyncpg.connect(**connect_options(stack))
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
    assert stack.database_url is not None
    base = stack.database_url.get_secret_value().rpartition("/")[0]
    return with_values(stack, {"database_url": f"{base}/{name}"}, "environment")


async def eventually(condition: Any, *, seconds: float = 10.0) -> Any:
    """Call `condition` (plain or a coroutine function) until it is true, at most so long; return what it gave."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value or time.monotonic() > deadline:
            assert value, f"{condition} did not come true in {seconds} s"
            return value
        await asyncio.sleep(0.02)


__all__ = [
    "Answer",
    "Client",
    "Running",
    "eventually",
    "fresh_database",
    "running_app",
    "running_stack",
    "settings_for_tests",
    "statements_of",
]
