"""Migrations that say in SQL what they do: what most plugins need of Piccolo's migration files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from piccolo.apps.migrations.auto.migration_manager import MigrationManager

IDENTIFIER = re.compile(r"(?P<app>[a-z][a-z0-9_]*)_\d{4}_\d\d_\d\dt\d\d_\d\d_\d\d_\d{6}")


def sql_migration(identifier: str, *statements: str, description: str = "") -> MigrationManager:
    """Make what a migration file's `forwards()` returns: these statements, one after the other, in one transaction.

    `identifier` is the file's `ID`: the name of the Piccolo app, then when it was written
    (`shortcalls_2026_11_24t10_30_00_000000`). Raises ValueError where it is none.
    """
    from piccolo.apps.migrations.auto.migration_manager import MigrationManager  # noqa: PLC0415  # a worker runs none
    from piccolo.engine import engine_finder  # noqa: PLC0415

    found = IDENTIFIER.fullmatch(identifier)
    if found is None:
        raise ValueError(f"{identifier!r} is not app_YYYY_MM_DDtHH_MM_SS_ffffff")
    manager = MigrationManager(migration_id=identifier, app_name=found["app"], description=description)

    async def run() -> None:
        engine = engine_finder()
        assert engine is not None
        for statement in statements:
            await engine.run_ddl(statement)

    manager.add_raw(run)
    return manager
