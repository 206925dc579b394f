"""The phone numbers that plugins took out of campaigns, and why."""

from __future__ import annotations

from typing import Any

from voicera import sql_migration

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


async def forwards() -> Any:
    """Run the statements."""
    return sql_migration(ID, *STATEMENTS, description=DESCRIPTION)
