"""Rules about what a plugin stores: its migrations, its tables, and whose the rows are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from core.migrations import migrate, steps
from voicera.testing.conformance import catalogue
from voicera.testing.conformance.catalogue import StoredTable
from voicera.testing.conformance.rules import rule
from voicera.testing.conformance.subject import Subject

OWNER = "owner_id"


@rule
def its_migrations_are_named(subject: Subject) -> Iterator[str]:
    """Every migration's `ID` begins with the app's name, is the name of its file, and stands there once.

    Why: migration files of all plugins are found by name, and run in the order of their ids.

    Way out: call the file `<app>_2026_01_31t10_30_00_000000.py`, and write `ID = "<app>_2026_…"` into it.
    """
    for config in subject.piccolo_apps:
        folder = Path(config.resolved_migrations_folder_path)
        if config.table_classes and not list(folder.glob(f"{config.app_name}_*.py")):
            yield f"{folder.name} of {config.app_name} has no migrations that begin with {config.app_name}_"
        for step in steps(config):
            stem = Path(step.module.__file__ or "").stem
            if not step.identifier.startswith(f"{config.app_name}_"):
                yield f"{stem}: the id {step.identifier} does not begin with {config.app_name}_"
            if step.identifier != stem:
                yield f"{stem}: the id is {step.identifier}"


@rule
async def its_migrations_make_its_tables(subject: Subject) -> AsyncIterator[str]:
    """Run on an empty database, its migrations make every table that its Piccolo apps declare, column by column.

    Why: a column that was added to `tables` alone works for nobody but its author.

    Way out: write a migration for what is missing. Each table also carries the comment `voicera:<app>`, by which the
    kernel knows whose it is: `COMMENT ON TABLE notes IS 'voicera:notes'`.
    """
    database = subject.running.resources.db
    async with database.connection() as connection:
        tables = {table.name: table for table in await catalogue.tables(connection)}
        for config in subject.piccolo_apps:
            for declared in config.table_classes:
                name = declared._meta.tablename  # noqa: SLF001  # Piccolo's way to a table's name
                if name not in tables:
                    yield f"{config.app_name}: the table {name} is not there"
                    continue
                async for wrong in _differences(connection, declared, name):
                    yield f"{name}: {wrong}"
            for wrong in _uncommented(config, tables):
                yield wrong


@rule
async def migrating_again_changes_nothing(subject: Subject) -> AsyncIterator[str]:
    """Migrations that have run do not run again, and the tables stay as they are.

    Why: `voicera serve` migrates at every start.

    Way out: give each migration an `ID` that never changes, and let `forwards()` return a `MigrationManager`.
    """
    app = subject.running.app.ctx.assembly
    database = subject.running.resources.db
    async with database.connection() as connection:
        before = await catalogue.tables(connection)
    for ran in await migrate(app.settings, app.plugins):
        yield f"{ran} ran again"
    async with database.connection() as connection:
        if before != await catalogue.tables(connection):
            yield "the tables are not as they were"


@rule
async def its_rows_belong_to_an_owner(subject: Subject) -> AsyncIterator[str]:
    """Every table has an `owner_id`, which leads its primary key; without a primary key, one of its indexes.

    Why: it is the wall between tenants, and what lets a distributed PostgreSQL spread the rows by owner.

    Way out: `PRIMARY KEY (owner_id, id)`; a table that is no tenant's, or is read before the owner is known, goes into
    `check_plugin(…, shared_tables={"table": "the reason"})`.
    """
    comments = {f"voicera:{config.app_name}" for config in subject.piccolo_apps}
    async with subject.running.resources.db.connection() as connection:
        ours = [table for table in await catalogue.tables(connection) if table.comment in comments]
    for table in ours:
        leading = [table.key] if table.key else table.indexes
        if OWNER not in leading and not subject.shared_tables.get(table.name):
            yield f"{table.name}: {table.key or 'no column'} leads its key"
    for name in sorted(subject.shared_tables.keys() - {table.name for table in ours}):
        yield f"{name} is listed, and is no table of the plugin"


async def _differences(connection: Any, declared: Any, name: str) -> AsyncIterator[str]:
    stored = await catalogue.columns(connection, name)
    wanted = {column._meta.db_column_name: column for column in declared._meta.columns}  # noqa: SLF001
    for column in sorted(wanted.keys() ^ stored.keys()):
        yield f"the column {column} is in {'the table alone' if column in stored else 'the Piccolo table alone'}"
    for column in wanted.keys() & stored.keys():
        kind = await catalogue.type_named(connection, wanted[column].column_type)
        if kind is not None and kind != stored[column]:
            yield f"the column {column} is {stored[column]}, declared as {kind}"


def _uncommented(config: Any, tables: dict[str, StoredTable]) -> Iterator[str]:
    """Tables that nobody claims, and that a migration of this app names."""
    text = "".join(
        Path(step.module.__file__).read_text(encoding="utf-8") for step in steps(config) if step.module.__file__
    )
    declared = {table._meta.tablename for table in config.table_classes}  # noqa: SLF001
    for table in tables.values():
        if table.comment is None and (table.name in declared or table.name in text):
            yield f"{table.name} has no comment 'voicera:{config.app_name}'"
