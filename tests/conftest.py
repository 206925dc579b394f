"""What all tests share: one stack of real servers a session, and one application on it."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import uvloop

from core.app import discover
from core.migrations import migrate
from core.processes import raise_file_limit
from core.settings import Settings
from voicera.testing import Client, Running, patient, running_app, running_stack, settings_for_tests


def _load(name: str) -> ModuleType:
    """Make a helper beside this file importable by its name; the folder itself is no package and not on the path."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# The files that take longest, the longest first. Processes take files in this order, so that at the end each has
# something short to do, and none works alone on a long one.
LONGEST = [
    "plugins/analytics/test_dashboard.py",
    "project/test_examples.py",
    "core/test_supervisor.py",
    "core/test_migrations.py",
    "plugins/calls/test_import_export.py",
    "project/test_loadtests.py",
    "core/test_protocol.py",
    "project/test_scaffold.py",
    "project/test_guide.py",
    "plugins/calls/test_fuzz.py",
    "hooks/test_calls.py",
    "plugins/calls/test_recordings_faults.py",
    "plugins/calls/test_crash.py",
    "core/test_embedded.py",
    "plugins/calls/test_faults.py",
    "core/test_cli.py",
    "core/test_worker.py",
    "plugins/analytics/test_figures.py",
    "core/test_database.py",
    "plugins/demo/test_demo.py",
    "core/test_strict_http.py",
    "project/test_installed_plugin.py",
    "plugins/auth/test_commands.py",
]

collect_ignore = ["packages"]  # packages of third parties: they are installed, and tested there
openapi_check = _load("openapi_check")
_load("write_docs")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; within a file, and among the others, the order stays."""
    place = {Path(__file__).parent / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests run on the loop that the service runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session", autouse=True)
def many_files() -> None:
    """Tests with thousands of connections need as many files; ordinary users often start with 1,024."""
    raise_file_limit()


@pytest.fixture(scope="session", autouse=True)
def patience() -> Iterator[None]:
    """All tests, whatever ran before them, have the same deadlines: none that a stalling machine could miss."""
    with patient():
        yield


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings that name a real PostgreSQL, Valkey and S3 server, started once."""
    with running_stack(tmp_path_factory.mktemp("stack")) as settings:
        yield settings


@pytest.fixture(scope="session")
def voicera_servers(servers: Settings) -> Settings:
    """The fixtures for plugin authors live on the same servers."""
    return servers


@pytest.fixture(scope="session")
async def stack(servers: Settings) -> Settings:
    """The same, with the database migrated."""
    await migrate(*discover(environ=settings_for_tests(servers)))
    return servers


@pytest.fixture(scope="session")
async def running(stack: Settings) -> AsyncIterator[Running]:
    """The application with all bundled plugins, on a real socket, limits out of the way."""
    async with running_app(settings_for_tests(stack), migrated=True) as app:
        # Every answer that any test gets from it must be as /openapi.json says.
        app.client.on_answer = openapi_check.Checker(app.app.ctx.openapi.document)
        yield app


@pytest.fixture
def anonymous(running: Running) -> Client:
    """A client without a token."""
    return running.client


@pytest.fixture
async def user(running: Running) -> Client:
    """A client of a new user."""
    return await running.client.new_user()


@pytest.fixture
async def neighbour(running: Running) -> Client:
    """A client of another new user, whose data `user` must never touch."""
    return await running.client.new_user()
