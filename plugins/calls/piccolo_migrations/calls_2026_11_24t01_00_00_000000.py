"""An index for each filter of the list, so that whichever is given, a page is read in order from one."""

from typing import Any

from voicera import sql_migration

ID = "calls_2026_11_24t01_00_00_000000"
VERSION = "1.38.0"
DESCRIPTION = "indexes by agent, sentiment and duration"

STATEMENTS = (
    "CREATE INDEX call_logs_agent ON call_logs (owner_id, agent_id, id)",
    "CREATE INDEX call_logs_sentiment ON call_logs (owner_id, sentiment, id)",
    "CREATE INDEX call_logs_duration ON call_logs (owner_id, duration_seconds, id)",
)


async def forwards() -> Any:
    """Make the indexes."""
    return sql_migration(ID, *STATEMENTS, description=DESCRIPTION)
