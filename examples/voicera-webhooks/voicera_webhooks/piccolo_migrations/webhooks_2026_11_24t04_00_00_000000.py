"""The webhooks, and their deliveries: the outbox and its log are one table."""

from typing import Any

from voicera import sql_migration

ID = "webhooks_2026_11_24t04_00_00_000000"


async def forwards() -> Any:
    """Run the statements, in one transaction."""
    return sql_migration(
        ID,
        """CREATE TABLE webhooks (
            owner_id uuid NOT NULL,
            id uuid NOT NULL,
            url text NOT NULL,
            events text[] NOT NULL,
            description text,
            active boolean NOT NULL,
            reason text,
            failing_since timestamptz,
            secret text NOT NULL,
            old_secret text,
            old_secret_until timestamptz,
            created_at timestamptz(3) NOT NULL,
            updated_at timestamptz(3) NOT NULL,
            PRIMARY KEY (owner_id, id)
        )""",
        """CREATE TABLE webhook_deliveries (
            owner_id uuid NOT NULL,
            webhook_id uuid NOT NULL,
            id uuid NOT NULL,
            type text NOT NULL,
            body text NOT NULL,
            state text NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead')),
            due_at timestamptz NOT NULL,
            tries integer NOT NULL DEFAULT 0,
            attempts jsonb NOT NULL DEFAULT '[]',
            created_at timestamptz(3) NOT NULL,
            PRIMARY KEY (owner_id, webhook_id, id)
        )""",
        "CREATE INDEX webhook_deliveries_due ON webhook_deliveries (owner_id, webhook_id, due_at)"
        " WHERE state = 'waiting'",
        "CREATE INDEX webhook_deliveries_age ON webhook_deliveries USING brin (created_at)",
        "COMMENT ON COLUMN webhook_deliveries.id IS 'the event: equal in all webhooks that get it'",
        "COMMENT ON COLUMN webhook_deliveries.due_at IS 'the next try; while one is under way, the end of its lease'",
        "COMMENT ON TABLE webhooks IS 'voicera:webhooks'",
        "COMMENT ON TABLE webhook_deliveries IS 'voicera:webhooks'",
    )
