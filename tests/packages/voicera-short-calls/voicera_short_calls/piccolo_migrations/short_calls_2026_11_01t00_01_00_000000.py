"""Alter table short_calls_notes add column seconds integer not null default 0."""

from typing import Any

from voicera import sql_migration

ID = "short_calls_2026_11_01t00_01_00_000000"


async def forwards() -> Any:
    """Run the statements, in one transaction."""
    return sql_migration(
        ID,
        """ALTER TABLE short_calls_notes ADD COLUMN seconds integer NOT NULL DEFAULT 0""",
    )
