"""What Piccolo cannot say of campaigns: keys, constraints, indexes, milliseconds, and the phone numbers."""

from __future__ import annotations

from typing import Any

from voicera import sql_migration

ID = "campaigns_2024_01_29t10_30_01_000000"
VERSION = "1.38.0"
DESCRIPTION = "key, constraints and indexes of campaigns; their phone numbers"

MOMENTS = (
    *("start_time", "end_time", "scheduled_at", "launched_at", "paused_at", "resumed_at"),
    *("completed_at", "cancelled_at", "created_at", "updated_at"),
)
STATEMENTS = (
    "ALTER TABLE campaigns DROP CONSTRAINT IF EXISTS campaigns_pkey",
    "ALTER TABLE campaigns ADD CONSTRAINT campaigns_pkey PRIMARY KEY (owner_id, id)",
    'ALTER TABLE campaigns ALTER COLUMN name_key TYPE text COLLATE "C", '
    + ", ".join(f"ALTER COLUMN {name} TYPE timestamptz(3)" for name in MOMENTS),
    """ALTER TABLE campaigns
        ADD CONSTRAINT campaigns_status_known
            CHECK (status IN ('draft', 'scheduled', 'active', 'paused', 'completed', 'cancelled')),
        ADD CONSTRAINT campaigns_end_after_start CHECK (end_time > start_time),
        ADD CONSTRAINT campaigns_counted CHECK (phone_number_count BETWEEN 0 AND 100000),
        ADD CONSTRAINT campaigns_concurrency CHECK (max_concurrent_calls BETWEEN 1 AND 10000)""",
    "CREATE INDEX campaigns_by_agent ON campaigns (owner_id, agent_id, id)",
    "CREATE INDEX campaigns_by_status ON campaigns (owner_id, status, id)",
    # What the clock looks for, over all owners.
    "CREATE INDEX campaigns_to_start ON campaigns (start_time, owner_id, id) WHERE status = 'scheduled'",
    """CREATE INDEX campaigns_to_end ON campaigns (end_time, owner_id, id)
        WHERE status IN ('scheduled', 'active', 'paused')""",
    "COMMENT ON TABLE campaigns IS 'voicera:campaigns'",
    # A thousand numbers a row: a hundredth of the time and a fifth of the room of a row each.
    """CREATE TABLE campaign_phone_numbers (
        owner_id uuid NOT NULL,
        campaign_id uuid NOT NULL,
        chunk integer NOT NULL,
        phone_numbers text[] NOT NULL,
        PRIMARY KEY (owner_id, campaign_id, chunk),
        FOREIGN KEY (owner_id, campaign_id) REFERENCES campaigns (owner_id, id) ON DELETE CASCADE
    )""",
    "COMMENT ON TABLE campaign_phone_numbers IS 'voicera:campaigns'",
    "COMMENT ON COLUMN campaign_phone_numbers.chunk IS 'position / 1000, from 0; every chunk but the last is full'",
)


async def forwards() -> Any:
    """Run the statements."""
    return sql_migration(ID, *STATEMENTS, description=DESCRIPTION)
