"""An index for each filter of the list, so that whichever is given, a page is read in order from one."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "calls_2026_11_24t01_00_00_000000"
VERSION = "1.38.0"
DESCRIPTION = "indexes by agent, sentiment and duration"

STATEMENTS = (
    "CREATE INDEX call_logs_agent ON call_logs (owner_id, agent_id, id)",
    "CREATE INDEX call_logs_sentiment ON call_logs (owner_id, sentiment, id)",
    "CREATE INDEX call_logs_duration ON call_logs (owner_id, duration_seconds, id)",
)


async def forwards() -> MigrationManager:
    """Make the indexes."""
    manager = MigrationManager(migration_id=ID, app_name="calls", description=DESCRIPTION)

    async def run() -> None:
        engine = engine_finder()
        assert engine is not None
        for statement in STATEMENTS:
            await engine.run_ddl(statement)

    manager.add_raw(run)
    return manager
