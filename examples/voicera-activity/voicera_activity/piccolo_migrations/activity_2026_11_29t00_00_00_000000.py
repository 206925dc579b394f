"""The table of the feed."""

from __future__ import annotations

from typing import Any

from voicera import sql_migration

ID = "activity_2026_11_29t00_00_00_000000"


async def forwards() -> Any:
    """Run the statements, in one transaction."""
    return sql_migration(
        ID,
        """CREATE TABLE activity_entries (
            owner_id uuid NOT NULL,
            id uuid NOT NULL,
            kind text NOT NULL,
            subject_id uuid NOT NULL,
            name text,
            calls bigint,
            at timestamptz NOT NULL,
            PRIMARY KEY (owner_id, id)
        )""",
        "CREATE INDEX activity_entries_kind ON activity_entries (owner_id, kind, id)",
        "CREATE INDEX activity_entries_subject ON activity_entries (owner_id, subject_id, id)",
        # One entry an hour and kind of calls: it is found again by this, and added to.
        "CREATE UNIQUE INDEX activity_entries_hour ON activity_entries (owner_id, at, kind) WHERE calls IS NOT NULL",
        "CREATE INDEX activity_entries_age ON activity_entries USING brin (at)",
        "COMMENT ON COLUMN activity_entries.id IS 'a UUIDv7 of the time in at: its order is the order of events'",
        "COMMENT ON TABLE activity_entries IS 'voicera:activity'",
    )
