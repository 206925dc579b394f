"""The table of the do-not-call list."""

from __future__ import annotations

from typing import Any

from voicera import sql_migration

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


async def forwards() -> Any:
    """Run the statements."""
    return sql_migration(ID, *STATEMENTS, description=DESCRIPTION)
