"""The table of the do-not-call list."""

from __future__ import annotations

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "donotcall_2026_11_24t00_00_00_000000"
VERSION = "1.38.0"
DESCRIPTION = "create donotcall_numbers"

STATEMENTS = (
    """CREATE TABLE donotcall_numbers (
        owner_id uuid NOT NULL,
        phone_number text COLLATE "C" NOT NULL,
        reason text NOT NULL,
        source text NOT NULL CHECK (source IN ('api', 'call')),
        created_at timestamptz(3) NOT NULL,
        expires_at timestamptz(3),
        PRIMARY KEY (owner_id, phone_number)
    )""",
    "COMMENT ON TABLE donotcall_numbers IS 'voicera:donotcall'",
)


async def forwards() -> MigrationManager:
    """Run the statements."""
    manager = MigrationManager(migration_id=ID, app_name="donotcall", description=DESCRIPTION)

    async def run() -> None:
        engine = engine_finder()
        for statement in STATEMENTS:
            await engine.run_ddl(statement)

    manager.add_raw(run)
    return manager
