"""The answers that were given under an `Idempotency-Key`."""

from typing import Any

from core.sql_migration import sql_migration

ID = "core_2026_11_24t00_00_00_000000"
VERSION = "1.38.0"
DESCRIPTION = "idempotency_keys"

STATEMENTS = (
    """CREATE TABLE idempotency_keys (
        owner_id uuid NOT NULL,
        key text NOT NULL,
        fingerprint bytea NOT NULL,
        status smallint NOT NULL,
        headers text NOT NULL,
        body bytea NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (owner_id, key)
    )""",
    "CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at)",
    "COMMENT ON TABLE idempotency_keys IS 'voicera:core'",
)


async def forwards() -> Any:
    """Make the table."""
    return sql_migration(ID, *STATEMENTS, description=DESCRIPTION)
