"""The pytest plugin: fixtures for testing VoiceERA plugins, in every test run of an environment with voicera.

A module of its own and not one of `voicera.testing`, because importing anything of `voicera` imports Sanic; here that
happens when a fixture is used. Nothing changes for tests that use none of the fixtures.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from core.settings import Settings
    from voicera.memory_storage import MemoryStorage
    from voicera.testing import Applications, Client, Clock, Log, Running

_async_fixture: Any = None
with suppress(ImportError):  # pytest runs without it too, and then only who asks for one of the fixtures must know
    from pytest_asyncio import fixture as _async_fixture

POOL = "voicera_apps"  # every fixture that lives on the application's event loop rests on this one
STORAGE = "voicera_storage"
# coredis leaves streams open when it cannot connect, as on a busy machine; under `error` that would fail any test.
UNCLOSED = "ignore:Unclosed <MemoryObject:ResourceWarning"
SESSION: Literal["session"] = "session"


def _on_the_loop(scope: Any = "function") -> Callable[[Any], Any]:
    """Declare an asynchronous fixture that runs on the loop of the session, whatever pytest-asyncio's mode is."""

    def declare(function: Any) -> Any:
        if _async_fixture is not None:
            return _async_fixture(scope=scope, loop_scope=SESSION)(function)

        def missing() -> None:
            pytest.fail("the fixtures of voicera need pytest-asyncio: pip install 'voicera[testing]'")

        return pytest.fixture(scope=scope, name=function.__name__)(missing)

    return declare


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the one option: where the applications under test keep recordings."""
    parser.addini(STORAGE, "storage of the VoiceERA applications under test: memory, or s3", default="memory")


@pytest.fixture(scope=SESSION)
def voicera_servers(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Settings]:
    """Settings that name the servers, PostgreSQL and Valkey: the bundled ones, started once for all workers.

    `VOICERA_DATABASE_URL`, `VOICERA_REDIS_URL` and `VOICERA_S3_ENDPOINT_URL` of the environment name others.
    """
    from voicera.testing import shared_stack  # noqa: PLC0415  # see the docstring of this module; as below

    pytestconfig.addinivalue_line("filterwarnings", UNCLOSED)  # of objects that go when a later test runs
    base = tmp_path_factory.getbasetemp()
    run = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with shared_stack(run / "voicera", os.environ, s3=_wants_s3(pytestconfig)) as settings:
        yield settings


@pytest.fixture(scope=SESSION)
def voicera_environ() -> Mapping[str, str]:
    """The `VOICERA_` settings of the application: none. Override it to set some."""
    return {}


@pytest.fixture(scope=SESSION)
def voicera_plugins() -> Iterable[ModuleType]:
    """The plugin modules beside those that are installed: none. Override it to add some."""
    return ()


@_on_the_loop(SESSION)
async def voicera_apps(voicera_servers: Settings, pytestconfig: pytest.Config) -> AsyncIterator[Applications]:
    """The applications of this run: `await voicera_apps.get(environ, plugins)` starts one, or finds it running."""
    from voicera import memory_storage  # noqa: PLC0415
    from voicera.testing import Applications  # noqa: PLC0415

    always = () if _wants_s3(pytestconfig) else (memory_storage,)
    async with Applications(voicera_servers, always) as applications:
        yield applications


@_on_the_loop()
async def voicera_app(
    voicera_apps: Applications, voicera_environ: Mapping[str, str], voicera_plugins: Iterable[ModuleType]
) -> Running:
    """The application, on a database of its own: `url`, `resources`, `client`, and `await settled()`."""
    return await voicera_apps.get(voicera_environ, voicera_plugins)


@_on_the_loop()
async def anonymous(voicera_app: Running) -> Client:
    """A client without a token."""
    return voicera_app.client


@_on_the_loop()
async def user(voicera_app: Running) -> Client:
    """A client of a new user."""
    return await voicera_app.client.new_user()


@_on_the_loop()
async def neighbour(voicera_app: Running) -> Client:
    """A client of another new user, whose data `user` must never touch."""
    return await voicera_app.client.new_user()


@pytest.fixture
def a_call() -> Callable[..., dict[str, Any]]:
    """Make a call log as `POST /call-logs` takes it: `a_call(duration_seconds=4)`."""
    from voicera.testing import a_call  # noqa: PLC0415

    return a_call


@_on_the_loop()
async def make_calls(voicera_app: Running) -> Callable[..., Awaitable[list[dict[str, Any]]]]:
    """Give a function that records calls and returns their whole logs, the newest last.

    `await make_calls(user, 3, duration_seconds=4)` waits until what listens to the calls has done its work.
    """
    from voicera.testing import make_calls  # noqa: PLC0415

    async def make(client: Client, calls: Any = 1, **fields: Any) -> list[dict[str, Any]]:
        made = await make_calls(client, calls, **fields)
        await voicera_app.settled()
        return made

    return make


@_on_the_loop()
async def clock(voicera_app: Running) -> AsyncIterator[Clock]:
    """The application's clock, which stands until you move it: `clock.move(hours=1)`."""
    from voicera.testing import clock_of  # noqa: PLC0415

    with clock_of(voicera_app.resources) as moved:
        yield moved


@_on_the_loop()
async def memory_storage(voicera_app: Running) -> AsyncIterator[MemoryStorage]:
    """Where the application keeps recordings: `memory_storage.objects`; `memory_storage.away = True` is an outage."""
    from voicera.memory_storage import MemoryStorage  # noqa: PLC0415

    storage = voicera_app.resources.storage
    if not isinstance(storage, MemoryStorage):
        pytest.skip("recordings are kept in S3 here")
    yield storage
    storage.away = False


@_on_the_loop()
async def voicera_log(voicera_app: Running) -> AsyncIterator[Log]:
    """What is logged from here on: `voicera_log.find("request", status=404)`."""
    from voicera.testing import log_of  # noqa: PLC0415

    with log_of(voicera_app) as log:
        yield log


@pytest.hookimpl(wrapper=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> Generator[None, None, None]:
    """Say on which loop a test runs before pytest-asyncio asks, which it does here for projects with loop factories."""
    if POOL in metafunc.fixturenames and inspect.iscoroutinefunction(metafunc.function):
        _mark(metafunc.definition)
    yield


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_pycollect_makeitem() -> Generator[None, Any, Any]:
    """Put asynchronous tests that use our fixtures on the loop of the session, where the application lives.

    It is innermost, so that pytest-asyncio sees the mark, in its strict mode as well.
    """
    made = yield
    for item in made if isinstance(made, list) else [made]:
        if isinstance(item, pytest.Function) and _uses_ours(item):
            item.add_marker(pytest.mark.filterwarnings(UNCLOSED))
            if inspect.iscoroutinefunction(item.obj):
                _mark(item)
    return made


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, Any, Any]:
    """Run the asynchronous fixtures of such a test on that loop too, unless they name another one."""
    function = fixturedef.func
    asynchronous = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    if asynchronous and _uses_ours(request.node) and getattr(function, "_loop_scope", None) is None:
        target: Any = getattr(function, "__func__", function)
        target._loop_scope = SESSION  # noqa: SLF001  # what pytest_asyncio.fixture(loop_scope=…) notes
    return (yield)


def _wants_s3(config: pytest.Config) -> bool:
    wanted = config.getini(STORAGE)
    if wanted not in ("memory", "s3"):
        raise pytest.UsageError(f"{STORAGE} is memory or s3, not {wanted!r}")
    return wanted == "s3" or "VOICERA_S3_ENDPOINT_URL" in os.environ


def _uses_ours(node: Any) -> bool:
    return POOL in getattr(node, "fixturenames", ())


def _mark(node: pytest.Item) -> None:
    marker = node.get_closest_marker("asyncio")
    said: dict[str, Any] = {} if marker is None else dict(marker.kwargs)
    if _async_fixture is not None and "loop_scope" not in said:
        node.add_marker(pytest.mark.asyncio(**said, loop_scope=SESSION), append=False)
