"""Migrations: Piccolo's files, run by us, in one place, under a lock, each with its bookkeeping in one transaction.

Piccolo's own command writes its bookkeeping row after and outside the migration's transaction, lets two
migrators run at once, and imports files by their bare names, so that two plugins' equal names are mixed up.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import asyncpg
from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.apps.migrations.tables import Migration

from core.database import LOST, Engine, connect_options, set_current
from core.plugins import PluginClash, PluginError, Plugins
from core.settings import Settings, load_settings

if TYPE_CHECKING:  # takes a third of a second to import
    from piccolo.conf.apps import AppConfig

log = logging.getLogger("voicera.migrations")
LOCK = 0x566F696365455241  # "VoiceERA"
LOCK_SQL = "SELECT pg_advisory_lock($1)"
LOCK_SECONDS = 300
LONG_SECONDS = 5.0
KERNEL_APP = "core.piccolo_app"
RAN = "SELECT app_name, name FROM migration"
UNLIMITED = "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0"


@dataclass(frozen=True, slots=True)
class Step:
    """One migration file: whose, its id, and its loaded module."""

    app: str
    identifier: str
    module: ModuleType


def app_modules(plugins: Plugins | None = None) -> list[str]:
    """The import paths of all `piccolo_app` modules that the plugins bring."""
    if plugins is None:
        early = load_settings(check_unknown=False)
        plugins = Plugins.discover(disabled=early.plugins_disabled, strict=early.strict_plugins)
    return [KERNEL_APP, *(path for _, paths in plugins.collect("register_piccolo_apps") for path in paths)]


async def migrate(settings: Settings, plugins: Plugins) -> list[str]:
    """Run what has not been run; return the names of what ran, `app/id`.

    Waits for another migrator to end. Safe to kill at any moment and run again. Raises PluginError when two
    apps share a name, or a plugin's migration fails that must not.
    """
    from piccolo_conf import DB  # the one engine; imported late, since it finds the plugins too

    options = {
        **connect_options(settings),
        "command_timeout": None,
        "statement_cache_size": 0,  # plans of before an ALTER TABLE fail in the same transaction
    }
    connection: Any = await asyncpg.connect(**options)
    try:
        await connection.execute(UNLIMITED)
        async with asyncio.timeout(LOCK_SECONDS):
            await connection.execute(LOCK_SQL, LOCK)
        return await _run_all(connection, DB, plugins)
    finally:
        await connection.close()


async def leave_out_unmigrated(settings: Settings, plugins: Plugins) -> None:
    """Leave out the installed plugins whose migrations have not all run: their tables are not as they expect.

    A worker asks before it serves; ours are not asked about, since without their migrations nothing starts. Where the
    database cannot be asked, nothing is left out.
    """
    installed = {info.name for info in plugins.infos() if info.origin == "installed"}
    found = [(name, paths) for name, paths in plugins.collect("register_piccolo_apps") if name in installed]
    if not found:
        return
    try:
        done = await _bookkeeping(settings)
    except (*LOST, asyncpg.PostgresError) as error:  # it is away, recovers, or has never been migrated
        log.warning("migrations cannot be checked", extra={"error": type(error).__name__})
        return
    for name, paths in found:
        try:
            expected = [step for path in paths for step in steps(importlib.import_module(path).APP_CONFIG)]
        except Exception as error:
            plugins.fail(name, error)
            continue
        missing = [step.identifier for step in expected if (step.app, step.identifier) not in done]
        if missing:
            plugins.fail(name, PluginError(f"its migration {missing[0]} has not run: see `voicera migrate`"))


async def _bookkeeping(settings: Settings) -> set[tuple[str, str]]:
    connection: Any = await asyncpg.connect(**connect_options(settings))
    try:
        return {(row["app_name"], row["name"]) for row in await connection.fetch(RAN)}
    finally:
        await connection.close()


async def _run_all(connection: Any, engine: Engine, plugins: Plugins) -> list[str]:
    await _within(connection, engine, _create_bookkeeping)
    ran: list[str] = []
    seen: dict[str, str] = {}
    ran += await _run_app(connection, engine, KERNEL_APP, "core", seen)
    for plugin, path in in_order(
        [(plugin, path) for plugin, paths in plugins.collect("register_piccolo_apps") for path in paths], plugins
    ):
        try:
            ran += await _run_app(connection, engine, path, plugin, seen)
        except Exception as error:
            plugins.fail(plugin, error)
    return ran


def in_order(apps: list[tuple[str, str]], plugins: Plugins) -> list[tuple[str, str]]:
    """Put each app after those that it names in its `migration_dependencies`, as far as they are there."""
    known = {path: plugin for plugin, path in apps}
    ordered: dict[str, str] = {}

    def place(path: str, around: tuple[str, ...]) -> None:
        if path in around:
            raise PluginError(f"migration_dependencies go round: {' -> '.join((*around, path))}")
        if path not in ordered and path in known:
            for needed in importlib.import_module(path).APP_CONFIG.migration_dependencies:
                place(needed, (*around, path))
            ordered[path] = known[path]

    for plugin, path in apps:
        try:
            place(path, ())
        except Exception as error:
            plugins.fail(plugin, error)
    return [(plugin, path) for path, plugin in ordered.items()]


async def _run_app(connection: Any, engine: Engine, path: str, plugin: str, seen: dict[str, str]) -> list[str]:
    config: AppConfig = importlib.import_module(path).APP_CONFIG
    if other := seen.get(config.app_name):
        raise PluginClash(f"the Piccolo app {config.app_name} is claimed by both {other} and {plugin}")
    seen[config.app_name] = plugin
    for table in config.table_classes:
        name = f"table {table._meta.tablename}"  # noqa: SLF001  # Piccolo's way to a table's name
        if other := seen.get(name):
            raise PluginClash(f"the {name} is claimed by both {other} and {plugin}")
        seen[name] = plugin
    await _refuse_taken_tables(connection, config, plugin)
    done = set(await _within(connection, engine, lambda: Migration.get_migrations_which_ran(config.app_name)))
    ran = []
    for step in steps(config):
        if step.identifier not in done:
            with _watched(step, plugin):
                await _within(connection, engine, lambda step=step: _run_step(step))
            ran.append(f"{step.app}/{step.identifier}")
    return ran


def steps(config: AppConfig) -> list[Step]:
    """The migration files of an app, in order of their ids."""
    folder = Path(config.resolved_migrations_folder_path)
    found = [_load(config.app_name, path) for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]
    named = sorted((step for step in found if step.identifier), key=lambda step: step.identifier)
    if twice := {step.identifier for step in named if [other.identifier for other in named].count(step.identifier) > 1}:
        raise PluginError(f"two migrations of {config.app_name} have the id {min(twice)}")
    return named


def _load(app: str, path: Path) -> Step:
    """Import a file under a name of its own: two plugins may call their files the same."""
    name = f"voicera_migrations.{app}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Step(app, getattr(module, "ID", ""), module)


@contextlib.contextmanager
def _watched(step: Step, plugin: str) -> Iterator[None]:
    """Say which migration it is that takes long."""
    extra = {"plugin": plugin, "migration": f"{step.app}/{step.identifier}"}
    say = partial(log.warning, "a migration takes long", extra=extra)
    timer = asyncio.get_running_loop().call_later(LONG_SECONDS, say)
    try:
        yield
    finally:
        timer.cancel()


async def _run_step(step: Step) -> None:
    manager = await step.module.forwards()
    if isinstance(manager, MigrationManager) and not manager.fake:
        with contextlib.redirect_stdout(io.StringIO()):  # Piccolo prints its progress
            await manager.run()
    await Migration.insert(Migration(name=step.identifier, app_name=step.app)).run()


async def _within(connection: Any, engine: Engine, work: Any) -> Any:
    """Run Piccolo's queries in a transaction on our connection."""
    async with connection.transaction():
        with _current(connection, engine):
            return await work()


@contextlib.contextmanager
def _current(connection: Any, engine: Engine) -> Iterator[None]:
    token = set_current(engine, connection)
    try:
        yield
    finally:
        engine.current_transaction.reset(token)


async def _create_bookkeeping() -> None:
    await Migration.create_table(if_not_exists=True).run()


async def _refuse_taken_tables(connection: Any, config: AppConfig, plugin: str) -> None:
    """Two plugins with one table: say so before the second one alters it. The comment on a table names its app."""
    for table in config.table_classes:
        name = table._meta.tablename  # noqa: SLF001  # Piccolo's way to a table's name
        owner = await connection.fetchval("SELECT obj_description(to_regclass($1), 'pg_class')", name)
        if owner and owner != f"voicera:{config.app_name}":
            raise PluginClash(f"the table {name} is claimed by both {owner.removeprefix('voicera:')} and {plugin}")
