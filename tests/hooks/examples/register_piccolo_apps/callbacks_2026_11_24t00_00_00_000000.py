"""Create the table of those who want to be called back."""

from typing import Any

from voicera import sql_migration

ID = "callbacks_2026_11_24t00_00_00_000000"


async def forwards() -> Any:
    return sql_migration(
        ID,
        """CREATE TABLE callbacks (
            owner_id uuid NOT NULL,
            phone_number text NOT NULL,
            asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            PRIMARY KEY (owner_id, phone_number)
        )""",
        "COMMENT ON TABLE callbacks IS 'voicera:callbacks'",
    )
