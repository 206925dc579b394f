"""Create the table of the totals."""

from typing import Any

from voicera import sql_migration

ID = "call_totals_2026_11_24t00_00_00_000000"


async def forwards() -> Any:
    return sql_migration(
        ID,
        "CREATE TABLE call_totals (owner_id uuid PRIMARY KEY, calls bigint NOT NULL)",
        "COMMENT ON TABLE call_totals IS 'voicera:call_totals'",
    )
