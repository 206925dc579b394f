"""The connections to providers."""

from typing import Any

from voicera import sql_migration

ID = "providers_2026_11_24t05_00_00_000000"


async def forwards() -> Any:
    """Run the statements, in one transaction."""
    return sql_migration(
        ID,
        """CREATE TABLE provider_connections (
            owner_id uuid NOT NULL,
            id uuid NOT NULL,
            provider text NOT NULL CHECK (provider IN ('retell', 'vapi')),
            name text NOT NULL,
            secret text NOT NULL,
            created_at timestamptz(3) NOT NULL,
            last_used_at timestamptz(3),
            PRIMARY KEY (owner_id, id)
        )""",
        # A provider that sends a message knows the id alone; whose it is, this index says.
        "CREATE UNIQUE INDEX provider_connections_id ON provider_connections (id)",
        "COMMENT ON COLUMN provider_connections.secret IS 'of retell an API key, of vapi the SHA-256 of a secret'",
        "COMMENT ON TABLE provider_connections IS 'voicera:providers'",
    )
