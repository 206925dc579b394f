"""The phone numbers that plugins took out of campaigns, and why."""

from __future__ import annotations

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from plugins.campaigns.tables import Campaign

ID = "campaigns_2026_11_24t12_00_00_000000"
VERSION = "1.38.0"
DESCRIPTION = "the suppressed phone numbers of campaigns"

STATEMENTS = (
    """CREATE TABLE campaign_suppressed_numbers (
        owner_id uuid NOT NULL,
        campaign_id uuid NOT NULL,
        phone_number text COLLATE "C" NOT NULL,
        reason text NOT NULL,
        suppressed_at timestamptz(3) NOT NULL,
        PRIMARY KEY (owner_id, campaign_id, phone_number),
        FOREIGN KEY (owner_id, campaign_id) REFERENCES campaigns (owner_id, id) ON DELETE CASCADE
    )""",
    "COMMENT ON TABLE campaign_suppressed_numbers IS 'voicera:campaigns'",
)


async def forwards() -> MigrationManager:
    """Run the statements."""
    manager = MigrationManager(migration_id=ID, app_name="campaigns", description=DESCRIPTION)

    async def run() -> None:
        for statement in STATEMENTS:
            await Campaign.raw(statement).run()

    manager.add_raw(run)
    return manager
