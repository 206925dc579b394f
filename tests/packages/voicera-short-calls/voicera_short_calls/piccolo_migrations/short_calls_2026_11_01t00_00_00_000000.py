"""Create table short_calls_notes."""

from typing import Any

from voicera import sql_migration

ID = "short_calls_2026_11_01t00_00_00_000000"


async def forwards() -> Any:
    """Run the statements, in one transaction."""
    return sql_migration(
        ID,
        """CREATE TABLE short_calls_notes (
            id uuid NOT NULL,
            owner_id uuid NOT NULL,
            noted_at timestamptz NOT NULL DEFAULT current_timestamp,
            PRIMARY KEY (owner_id, id)
        )""",
        """COMMENT ON TABLE short_calls_notes IS 'voicera:short_calls'""",
    )
