"""What Piccolo cannot say of the table of agents: a key that begins with the owner, constraints, milliseconds."""

from __future__ import annotations

from typing import Any

from voicera import sql_migration

ID = "agents_2024_01_29t10_30_01_000000"
VERSION = "1.38.0"
DESCRIPTION = "key, constraints and indexes of agents"

STATEMENTS = (
    "ALTER TABLE agents DROP CONSTRAINT IF EXISTS agents_pkey",
    "ALTER TABLE agents ADD CONSTRAINT agents_pkey PRIMARY KEY (owner_id, id)",
    # Compared by code point, so that order and index are the same on every server.
    """ALTER TABLE agents
        ALTER COLUMN name_key TYPE text COLLATE "C", ALTER COLUMN description_key TYPE text COLLATE "C",
        ALTER COLUMN created_at TYPE timestamptz(3), ALTER COLUMN updated_at TYPE timestamptz(3)""",
    "ALTER TABLE agents ADD CONSTRAINT agents_name_of_owner UNIQUE (owner_id, name_key)",
    "ALTER TABLE agents ADD CONSTRAINT agents_status_known CHECK (status IN ('active', 'inactive', 'archived'))",
    "CREATE INDEX agents_by_update ON agents (owner_id, updated_at, id)",
    "COMMENT ON TABLE agents IS 'voicera:agents'",
)


async def forwards() -> Any:
    """Run the statements."""
    return sql_migration(ID, *STATEMENTS, description=DESCRIPTION)
