"""Migrations: once each, one migrator at a time, killed at any moment, and the tables are what Piccolo believes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import asyncpg
import pytest
from piccolo.apps.migrations.tables import Migration
from piccolo.conf.apps import AppConfig

from core.app import discover
from core.database import connect_options
from core.migrations import LOCK, app_modules, leave_out_unmigrated, migrate, steps
from core.plugins import PluginError, Plugins
from core.settings import Settings, as_environment
from voicera import hookimpl
from voicera.testing import eventually, fresh_database, settings_for_tests

ROOT = Path(__file__).parents[2]
SCHEMA = """
SELECT 'column', table_name, column_name, data_type, is_nullable, coalesce(column_default, ''),
    coalesce(character_maximum_length, datetime_precision, 0)::text
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'index', tablename, indexname, indexdef, '', '', '' FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '', ''
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), '', '', ''
FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'comment', relname, coalesce(obj_description(oid, 'pg_class'), ''), '', '', '', ''
FROM pg_class WHERE relnamespace = 'public'::regnamespace
ORDER BY 1, 2, 3, 4
"""
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
TABLES = """
SELECT relname, obj_description(oid, 'pg_class') FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
"""
KILLED = """
import asyncio, os, random, signal, sys, threading, time
import asyncpg
from core.app import discover
from core.migrations import migrate

settings, plugins = discover()
connect = asyncpg.connect

def migrator(most):
    "Fork a migrator that kills itself with SIGKILL right after its statement number `most`."
    pid = os.fork()
    if pid:
        return pid
    seen = 0
    def note(record):
        nonlocal seen
        seen += 1
        if seen == most:
            os.kill(os.getpid(), signal.SIGKILL)
    async def connecting(**options):
        connection = await connect(**options)
        connection.add_query_logger(note)
        return connection
    asyncpg.connect = connecting
    try:
        asyncio.run(migrate(settings, plugins))
    finally:
        os._exit(0)

def killed(pid):
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])

if sys.argv[1] == "statement":
    most = 1
    while killed(migrator(most)):
        most += 1
    print(most - 1)
else:
    random.seed(int(sys.argv[2]))
    ends, longest = 0, 0.25
    while ends < 3:
        pid = migrator(0)
        threading.Timer(random.random() * longest, os.kill, (pid, signal.SIGKILL)).run()
        ends += not killed(pid)
        longest *= 1.02  # until a slow machine gets through
    print(ends)
"""


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(**connect_options(settings))
    try:
        yield connection
    finally:
        await connection.close()


async def schema_of(settings: Settings) -> list[tuple[str, ...]]:
    async with connected(settings) as connection:
        return [tuple(row) for row in await connection.fetch(SCHEMA)]


async def ran(settings: Settings) -> list[str]:
    async with connected(settings) as connection:
        return [f"{row[0]}/{row[1]}" for row in await connection.fetch("SELECT app_name, name FROM migration")]


def configurations() -> list[AppConfig]:
    import importlib

    return [importlib.import_module(path).APP_CONFIG for path in app_modules()]


def all_steps() -> list[str]:
    return sorted(f"{step.app}/{step.identifier}" for config in configurations() for step in steps(config))


def run_script(settings: Settings, script: str, *arguments: str) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("VOICERA_")}
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=environ | as_environment(settings),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


@pytest.fixture
async def empty(servers: Settings) -> Settings:
    """Settings that name an empty database."""
    return await fresh_database(servers)


@pytest.fixture(scope="module")
async def migrated(servers: Settings) -> Settings:
    """Settings that name a database of its own, migrated in one go."""
    settings = await fresh_database(servers)
    found = discover(environ=settings_for_tests(settings))
    assert sorted(await migrate(*found)) == all_steps()
    return settings


async def test_a_second_run_does_nothing(migrated: Settings) -> None:
    before = await schema_of(migrated)
    assert await migrate(*discover(environ=settings_for_tests(migrated))) == []
    assert await schema_of(migrated) == before


async def test_of_two_migrators_at_once_one_waits_and_everything_ran_once(empty: Settings) -> None:
    """A third party holds the lock until both wait for it, so that they really are there at once."""
    environ = {**os.environ, **as_environment(empty)}
    async with connected(empty) as holder:
        await holder.execute("SELECT pg_advisory_lock($1)", LOCK)
        both = [
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "voicera.testing", "migrate"),
                env=environ,
                cwd=ROOT,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            for _ in range(2)
        ]
        await eventually(lambda: _two_wait(holder))
        assert await holder.fetchval("SELECT to_regclass('users')") is None
        await holder.execute("SELECT pg_advisory_unlock($1)", LOCK)
        said = [await process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert [out for out, _ in said] == [b"", b""]
    worked, waited = sorted((err.decode() for _, err in said), key=len, reverse=True)
    assert sorted(worked.replace("migrated ", "").split()) == all_steps()
    assert waited == "the database is up to date\n"
    assert sorted(await ran(empty)) == all_steps()


async def _two_wait(connection: Any) -> bool:
    return bool(await connection.fetchval(WAITING) == 2)


async def test_a_migrator_killed_after_any_statement_is_completed_by_the_next(
    empty: Settings, migrated: Settings
) -> None:
    """Killed after one statement, then after two, and so on, until a run gets through; all on one database."""
    kills = int(await asyncio.to_thread(run_script, empty, KILLED, "statement"))
    assert kills > len(all_steps())
    assert sorted(await ran(empty)) == all_steps()
    assert await schema_of(empty) == await schema_of(migrated)


@pytest.mark.parametrize("seed", ["1", "2"])
async def test_a_migrator_killed_at_random_moments_is_completed_by_the_next(
    empty: Settings, migrated: Settings, seed: str
) -> None:
    assert await asyncio.to_thread(run_script, empty, KILLED, "moment", seed) == "3"
    assert sorted(await ran(empty)) == all_steps()
    assert await schema_of(empty) == await schema_of(migrated)


MIGRATION = """
from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = {identifier!r}
VERSION = "1.38.0"
DESCRIPTION = "a test"

async def forwards():
    manager = MigrationManager(migration_id=ID, app_name={app!r}, description=DESCRIPTION)

    async def run():
        engine = engine_finder()
        for statement in {statements!r}:
            await engine.run_ddl(statement)

    manager.add_raw(run)
    return manager
"""
APP = """
from pathlib import Path
from piccolo.conf.apps import AppConfig
from piccolo.columns import Integer
from piccolo.table import Table

class Things(Table, tablename={table!r}):
    amount = Integer()

APP_CONFIG = AppConfig(
    app_name={app!r}, migrations_folder_path=str(Path(__file__).parent / "files_{app}"), table_classes=[Things]
)
"""
Make = Callable[..., ModuleType]


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Make a plugin with a Piccolo app: its name, its table, and file name -> (id, statements)."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(name: str, files: dict[str, tuple[str, list[str]]], *, table: str = "", app: str = "") -> ModuleType:
        folder = tmp_path / f"files_{app or name}"
        folder.mkdir(exist_ok=True)
        for file, (identifier, statements) in files.items():
            text = MIGRATION.format(identifier=identifier, app=app or name, statements=statements)
            (folder / f"{file}.py").write_text(text)
        path = f"{tmp_path.name.replace('-', '_')}_{name}_app"
        (tmp_path / f"{path}.py").write_text(APP.format(app=app or name, table=table or f"{name}_things"))
        module = ModuleType(name)
        module.register_piccolo_apps = hookimpl(lambda: [path])  # type: ignore[attr-defined]
        return module

    return make


def create(table: str, app: str) -> list[str]:
    return [f"CREATE TABLE {table} (id int, amount int)", f"COMMENT ON TABLE {table} IS 'voicera:{app}'"]


async def migrate_with(settings: Settings, *modules: ModuleType, **environ: str) -> tuple[list[str], Plugins]:
    found = discover(environ=settings_for_tests(settings, environ), extra=modules)
    return await migrate(*found), found[1]


async def has(settings: Settings, table: str) -> bool:
    async with connected(settings) as connection:
        return bool(await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", table))


async def test_files_of_the_same_name_and_id_in_two_plugins_are_not_mixed_up(empty: Settings, plugin: Make) -> None:
    one = plugin("one", {"same": ("same", create("one_things", "one"))})
    two = plugin("two", {"same": ("same", create("two_things", "two"))})
    done, _ = await migrate_with(empty, one, two)
    assert {"one/same", "two/same"} <= set(done)
    assert await has(empty, "one_things")
    assert await has(empty, "two_things")
    assert (await migrate_with(empty, one, two))[0] == []


async def test_an_installed_plugin_whose_migration_fails_is_left_out_and_the_others_are_migrated(
    empty: Settings, plugin: Make, caplog: pytest.LogCaptureFixture
) -> None:
    broken = plugin(
        "broken",
        {
            "broken_1": ("broken_1", create("broken_things", "broken")),
            "broken_2": ("broken_2", ["CREATE TABLE broken_half (id int)", "SELECT 1 / 0"]),
            "broken_3": ("broken_3", ["CREATE TABLE broken_later (id int)"]),
        },
    )
    late = plugin("late", {"late_1": ("late_1", create("late_things", "late"))})
    done, plugins = await migrate_with(empty, broken, late)
    assert sorted([*all_steps(), "late/late_1"]) == sorted(done)
    states = {info.name: (info.status, info.error) for info in plugins.infos()}
    assert states["broken"] == ("failed", "DivisionByZeroError: division by zero")
    assert {state for name, (state, _) in states.items() if name != "broken"} == {"active"}
    assert [record.__dict__["plugin"] for record in caplog.records if record.message == "plugin left out"] == ["broken"]
    assert await has(empty, "late_things")
    assert await has(empty, "broken_things"), "what ran before the one that fails stays"
    assert not await has(empty, "broken_half"), "the one that fails leaves nothing"
    assert not await has(empty, "broken_later")
    mended = plugin("broken", {"broken_2": ("broken_2", ["CREATE TABLE broken_half (id int)"])})
    assert (await migrate_with(empty, mended, late))[0] == ["broken/broken_2", "broken/broken_3"]


async def test_a_worker_leaves_out_an_installed_plugin_whose_migrations_have_not_run(
    empty: Settings, plugin: Make
) -> None:
    early = plugin("early", {"early_1": ("early_1", create("early_things", "early"))})
    late = plugin("late", {"late_1": ("late_1", create("late_things", "late"))})
    await migrate_with(empty, early)
    settings, plugins = discover(environ=settings_for_tests(empty), extra=[early, late])
    await leave_out_unmigrated(settings, plugins)
    states = {info.name: (info.status, info.error) for info in plugins.infos()}
    assert states["late"] == ("failed", "its migration late_1 has not run: see `voicera migrate`")
    assert {state for name, (state, _) in states.items() if name != "late"} == {"active"}


async def test_where_the_database_cannot_be_asked_nothing_is_left_out(empty: Settings, plugin: Make) -> None:
    """Here it has never been migrated."""
    late = plugin("late", {"late_1": ("late_1", create("late_things", "late"))})
    settings, plugins = discover(environ=settings_for_tests(empty), extra=[late])
    await leave_out_unmigrated(settings, plugins)
    assert {info.status for info in plugins.infos()} == {"active"}


async def test_strict_plugins_makes_such_a_failure_fatal(empty: Settings, plugin: Make) -> None:
    broken = plugin("broken", {"broken_1": ("broken_1", ["SELECT 1 / 0"])})
    with pytest.raises(PluginError, match="plugin broken: DivisionByZeroError"):
        await migrate_with(empty, broken, VOICERA_STRICT_PLUGINS="1")


async def test_a_migration_and_its_bookkeeping_are_one_transaction(empty: Settings, plugin: Make) -> None:
    """The bookkeeping row cannot be written, since the id is longer than Piccolo's column."""
    wordy = plugin("wordy", {"wordy": ("wordy_" + "x" * 300, create("wordy_things", "wordy"))})
    _, plugins = await migrate_with(empty, wordy)
    assert {info.name: info.status for info in plugins.infos()}["wordy"] == "failed"
    assert not await has(empty, "wordy_things")


async def test_a_migration_may_read_what_it_has_just_altered(empty: Settings, plugin: Make) -> None:
    altering = plugin(
        "altering",
        {
            "altering_1": (
                "altering_1",
                [
                    *create("altering_things", "altering"),
                    "SELECT * FROM altering_things",
                    "ALTER TABLE altering_things ADD COLUMN more int, ALTER COLUMN amount TYPE text",
                    "SELECT * FROM altering_things",
                ],
            )
        },
    )
    done, plugins = await migrate_with(empty, altering)
    assert {info.name: info.error for info in plugins.infos()}["altering"] is None
    assert "altering/altering_1" in done


async def test_two_plugins_with_one_table_are_both_named_and_the_second_alters_nothing(
    empty: Settings, plugin: Make
) -> None:
    thief = plugin("thief", {"thief_1": ("thief_1", ["ALTER TABLE users ADD COLUMN mine int"])}, table="users")
    with pytest.raises(PluginError, match="the table users is claimed by both auth and thief"):
        await migrate_with(empty, thief, VOICERA_STRICT_PLUGINS="1")
    assert not [row for row in await schema_of(empty) if row[1:3] == ("users", "mine")]


async def test_two_plugins_with_one_app_name_are_both_named(empty: Settings, plugin: Make) -> None:
    twin = plugin("twin", {}, app="auth", table="twin_things")
    with pytest.raises(PluginError, match="the Piccolo app auth is claimed by both auth and twin"):
        await migrate_with(empty, twin, VOICERA_STRICT_PLUGINS="1")


async def test_two_migrations_with_one_id_are_refused(empty: Settings, plugin: Make) -> None:
    files = {"twice_1": ("twice_1", ["SELECT 1"]), "twice_2": ("twice_1", ["SELECT 2"])}
    with pytest.raises(PluginError, match="two migrations of twice have the id twice_1"):
        await migrate_with(empty, plugin("twice", files), VOICERA_STRICT_PLUGINS="1")


def test_every_migration_has_an_id_of_its_own_that_begins_with_its_app_and_is_its_files_name() -> None:
    seen: set[str] = set()
    for config in configurations():
        files = sorted(
            path.stem for path in Path(config.resolved_migrations_folder_path).glob("*.py") if path.stem != "__init__"
        )
        identifiers = [step.identifier for step in steps(config)]
        assert files == identifiers
        assert all(identifier.startswith(f"{config.app_name}_2") for identifier in identifiers)
        assert not seen & set(identifiers)
        seen |= set(identifiers)
        assert all(len(identifier) <= 200 for identifier in identifiers)


def all_tables() -> list[Any]:
    return [table for config in configurations() for table in config.table_classes]


@pytest.mark.parametrize("table", all_tables(), ids=lambda table: str(table._meta.tablename))
async def test_a_table_has_the_columns_that_piccolo_believes_in(migrated: Settings, table: Any) -> None:
    name = table._meta.tablename
    there = {row[2]: row[4] == "YES" for row in await schema_of(migrated) if row[:2] == ("column", name)}
    believed = {column._meta.db_column_name: bool(column._meta.params["null"]) for column in table._meta.columns}
    assert believed == there


async def test_every_table_says_whose_it_is(migrated: Settings) -> None:
    async with connected(migrated) as connection:
        comments = {row[0]: row[1] for row in await connection.fetch(TABLES)}
    assert comments.pop(Migration._meta.tablename) is None, "Piccolo's own"
    owners = {f"voicera:{config.app_name}" for config in configurations()}
    assert {name: comment for name, comment in comments.items() if comment not in owners} == {}
    for config in configurations():
        for table in config.table_classes:
            assert comments[table._meta.tablename] == f"voicera:{config.app_name}"


def test_piccolos_own_command_finds_every_app() -> None:
    import piccolo_conf

    assert piccolo_conf.APP_REGISTRY.app_configs.keys() >= {config.app_name for config in configurations()}
