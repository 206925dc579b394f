"""The call logs, partitioned by month on their ids, and the keys that make external ids unique across them."""

from typing import Any

from voicera import sql_migration

ID = "calls_2026_11_23t22_00_00_000000"
VERSION = "1.38.0"
DESCRIPTION = "call_logs and call_keys"

# No foreign keys: rows of one owner stay together wherever they lie, and ingestion checks agents and campaigns itself.
CALL_LOGS = """
CREATE TABLE call_logs (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    external_id text,
    campaign_id uuid,
    agent_id uuid,
    phone_number text NOT NULL,
    direction text,
    status text NOT NULL,
    duration_seconds integer,
    sentiment text,
    emotions text[] NOT NULL,
    key_phrases text[] NOT NULL,
    transcript text,
    summary text,
    cost_micros bigint,
    metadata jsonb,
    created_at timestamptz(3) NOT NULL,
    updated_at timestamptz(3) NOT NULL,
    PRIMARY KEY (owner_id, id)
) PARTITION BY RANGE (id);
CREATE INDEX call_logs_campaign ON call_logs (owner_id, campaign_id, id);
CREATE INDEX call_logs_phone ON call_logs (owner_id, phone_number, id);
CREATE INDEX call_logs_status ON call_logs (owner_id, status, id);
COMMENT ON TABLE call_logs IS 'voicera:calls';
COMMENT ON COLUMN call_logs.id IS 'UUIDv7: its time part is created_at';
COMMENT ON COLUMN call_logs.cost_micros IS 'cost in millionths: sums are exact';
"""

CALL_KEYS = """
CREATE TABLE call_keys (
    owner_id uuid NOT NULL,
    external_id text NOT NULL,
    call_id uuid NOT NULL,
    digest bytea,
    PRIMARY KEY (owner_id, external_id)
);
COMMENT ON TABLE call_keys IS 'voicera:calls';
COMMENT ON COLUMN call_keys.digest IS 'of what was first sent, kept once the call is changed';
"""


async def forwards() -> Any:
    """Make both tables."""
    statements = filter(str.strip, (*CALL_LOGS.split(";"), *CALL_KEYS.split(";")))
    return sql_migration(ID, *statements, description=DESCRIPTION)
