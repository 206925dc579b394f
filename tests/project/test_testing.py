"""The tools for plugin authors: a project of theirs that uses the fixtures, and the fixtures' parts one by one."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import asyncpg
import pytest

from core.database import connect_options
from core.settings import Settings, as_environment
from voicera.memory_storage import MemoryStorage
from voicera.testing import Applications, Client, Clock, Log, Running, clock_of, shared_stack

CONFTEST = """
import pytest

@pytest.fixture
def voicera_environ():
    return {"VOICERA_CAMPAIGN_SCHEDULE_SECONDS": "3600"}
"""
TESTS = """
import asyncio
import types
from voicera import hookimpl
import pytest
FIXTURE

heard = []
noisy = types.ModuleType("noisy")


@hookimpl
async def calls_recorded(resources, batch):
    await asyncio.sleep(0.05)
    heard.append(len(batch.calls))

noisy.calls_recorded = calls_recorded


@pytest.fixture(scope="module")
def voicera_plugins():
    return [noisy]


@fixture
async def short(user, make_calls):
    yield await make_calls(user, 2, duration_seconds=4)
    assert (await user.get("/call-logs")).status == 200  # after the test too


async def test_a_fixture_of_ones_own_lives_on_the_same_loop(short, user, neighbour):
    assert [call["duration_seconds"] for call in short] == [4, 4]
    assert heard == [2]
    assert (await user.get("/call-logs")).data["total"] == 2
    assert (await neighbour.get("/call-logs")).data["total"] == 0


class TestInAClass:
    async def test_settings_are_overridden(self, voicera_app):
        assert voicera_app.resources.settings.source("campaign_schedule_seconds") == "environment"

    @pytest.mark.parametrize("path", ["/call-logs", "/agents"])
    async def test_anonymous(self, anonymous, path):
        assert (await anonymous.get(path)).code == "AUTH_003"


def test_without_a_loop_of_its_own(voicera_app):
    assert voicera_app.url.startswith("http://127.0.0.1:")


MARK
async def test_that_uses_none_keeps_its_own_loop():
    await asyncio.sleep(0)
"""


def project(folder: Path, mode: str) -> None:
    """A plugin author's project, whose warnings are errors."""
    marked = {"auto": ("fixture = pytest.fixture", ""), "strict": ("from pytest_asyncio import fixture", STRICT)}
    fixture, mark = marked[mode]
    (folder / "pyproject.toml").write_text(
        f'[tool.pytest.ini_options]\nasyncio_mode = "{mode}"\nfilterwarnings = ["error"]\n'
        'addopts = "-p no:locust -p no:valkey --strict-markers --strict-config"\n'
        'asyncio_default_fixture_loop_scope = "function"\n'
    )
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_theirs.py").write_text(TESTS.replace("FIXTURE", fixture).replace("MARK", mark))


STRICT = "@pytest.mark.asyncio"


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_a_project_of_its_own_needs_no_configuration(servers: Settings, tmp_path: Path, mode: str) -> None:
    """It is tested on the servers that the environment names, with warnings as errors."""
    project(tmp_path, mode)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("VOICERA_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"],
        cwd=tmp_path,
        env=environ | as_environment(servers),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout


def test_loading_it_imports_nothing_of_ours() -> None:
    """Every pytest run of an environment with voicera loads the plugin."""
    script = "import pytest_voicera, sys; print({'sanic', 'voicera', 'core', 'piccolo'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_processes_share_one_stack_and_the_last_to_leave_lets_it_stop(servers: Settings, tmp_path: Path) -> None:
    left, inside = threading.Event(), threading.Event()
    order: list[str] = []

    def second() -> None:
        with shared_stack(tmp_path / "run") as settings:  # names no URL: it takes what the first has
            assert settings.database_url == servers.database_url
            inside.set()
            assert left.wait(30)
            order.append("the second leaves")

    thread = threading.Thread(target=second)
    with shared_stack(tmp_path / "run", as_environment(servers)):
        thread.start()
        assert inside.wait(30)
        # It leaves when the first one already waits at the door.
        threading.Timer(0.2, left.set).start()
    order.append("the first has left")
    thread.join()
    assert order == ["the second leaves", "the first has left"]
    assert not (tmp_path / "run" / "servers.json").exists()


async def test_a_database_of_its_own_is_gone_with_the_application(servers: Settings) -> None:
    async with Applications(servers) as applications:
        app = await applications.get({"VOICERA_LOG_LEVEL": "error"})
        assert await applications.get({"VOICERA_LOG_LEVEL": "error"}) is app
        async with app.resources.db.connection() as connection:
            name = await connection.fetchval("SELECT current_database()")
    connection = await asyncpg.connect(**connect_options(servers))
    try:
        assert await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", name) == 0
    finally:
        await connection.close()


PATIENT = """
from core import database
from voicera.testing import patient

before = database.ACQUIRE_SECONDS, database.SESSION
with patient():
    print(database.ACQUIRE_SECONDS > 10 * before[0], int(database.SESSION["lock_timeout"]) > 10_000)
print((database.ACQUIRE_SECONDS, database.SESSION) == before)
"""


class TestPatience:
    def test_deadlines_are_long_until_it_is_left(self) -> None:
        done = subprocess.run([sys.executable, "-c", PATIENT], capture_output=True, text=True, check=True)
        assert done.stdout.split() == ["True", "True", "True"]

    async def test_what_a_test_has_set_holds_in_the_applications_that_it_starts(
        self, servers: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("core.database.ACQUIRE_SECONDS", 0.1)
        async with Applications(servers) as applications:
            app = await applications.get({"VOICERA_DATABASE_POOL": "2"})
            database = app.resources.db
            async with database.pool.acquire(), database.pool.acquire():
                with pytest.raises(TimeoutError):
                    await database.reading(lambda connection: connection.fetchval("SELECT 1"))


class TestClock:
    async def test_the_application_reads_it_until_it_is_given_back(self, voicera_app: Running) -> None:
        real = voicera_app.resources.now
        user = await voicera_app.client.new_user()
        with clock_of(voicera_app.resources) as clock:
            first = await user.post("/agents", {"name": "First"})
            assert first.data["created_at"] == clock.text
            clock.move(hours=1)
            second = await user.post("/agents", {"name": "Second"})
            assert second.data["created_at"] == clock.text
        assert voicera_app.resources.now is real

    async def test_it_is_given_back_after_an_error_too(self, voicera_app: Running) -> None:
        real = voicera_app.resources.now
        with pytest.raises(RuntimeError), clock_of(voicera_app.resources):
            raise RuntimeError
        assert voicera_app.resources.now is real

    def test_it_stands_is_moved_and_set(self) -> None:
        clock = Clock(datetime(2026, 1, 31, 12, 0, 0, 123_999, tzinfo=UTC))
        assert (clock(), clock.text) == (clock.now, "2026-01-31T12:00:00.123Z")
        assert clock.move(timedelta(days=1), minutes=-30) == datetime(2026, 2, 1, 11, 30, 0, 123_000, tzinfo=UTC)
        there = datetime(2026, 3, 1, 2, tzinfo=timezone(timedelta(hours=2)))
        assert clock.set(there) == datetime(2026, 3, 1, tzinfo=UTC)
        with pytest.raises(ValueError, match="time zone"):
            clock.set(datetime(2026, 3, 1))  # noqa: DTZ001  # that it has none is the point


async def test_what_is_logged_is_found_by_message_and_fields(
    voicera_app: Running, voicera_log: Log, memory_storage: MemoryStorage
) -> None:
    assert (await voicera_app.client.get("/call-logs")).status == 401
    assert [line["code"] for line in voicera_log.find("request", status=401)] == ["AUTH_003"]
    memory_storage.away = True
    assert (await voicera_app.client.get("/readiness")).data["storage"] == "unavailable"
    assert [line["level"] for line in voicera_log.find("not ready", dependency="storage")] == ["warning"]
    assert voicera_log.find("request", status=200) == []


async def test_settled_waits_for_all_that_was_started_and_names_what_does_not_end(voicera_app: Running) -> None:
    background = voicera_app.resources.background
    done: list[str] = []

    async def outer() -> None:
        await asyncio.sleep(0.02)
        background.spawn("inner", inner())

    async def inner() -> None:
        await asyncio.sleep(0.02)
        done.append("inner")

    background.spawn("outer", outer())
    await voicera_app.settled()
    assert done == ["inner"]
    stuck = background.spawn("stuck", asyncio.Event().wait())
    with pytest.raises(AssertionError, match=r"still running after 0\.05 s: stuck"):
        await voicera_app.settled(seconds=0.05)
    stuck.cancel()
    await voicera_app.settled()


async def test_calls_that_differ_are_made_in_the_order_given(voicera_app: Running) -> None:
    from voicera.testing import make_calls as make

    user: Client = await voicera_app.client.new_user()
    made = await make(user, [{"duration_seconds": 4}, {"status": "failed"}], summary="The same.")
    assert [(call["duration_seconds"], call["status"], call["summary"]) for call in made] == [
        (4, "completed", "The same."),
        (120, "failed", "The same."),
    ]
