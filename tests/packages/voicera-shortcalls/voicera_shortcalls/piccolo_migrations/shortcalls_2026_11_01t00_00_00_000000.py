from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "shortcalls_2026_11_01t00_00_00_000000"


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="shortcalls", description="short_calls")

    async def run():
        await engine_finder().run_ddl("CREATE TABLE short_calls (owner_id uuid, id uuid, PRIMARY KEY (owner_id, id))")

    manager.add_raw(run)
    return manager
