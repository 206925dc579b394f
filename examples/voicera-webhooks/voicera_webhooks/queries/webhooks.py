"""The SQL of subscriptions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from voicera import Connection

Row = dict[str, Any]
VIEW = "id, url, events, description, active, reason, failing_since, created_at, updated_at"

LOCK_OWNER = "SELECT pg_advisory_xact_lock(hashtextextended('webhooks of ' || $1::text, 0))"


async def lock_owner(connection: Connection, owner_id: UUID) -> None:
    """Let nobody else add a webhook of this owner until the transaction ends."""
    await connection.execute(LOCK_OWNER, str(owner_id))


COUNT = "SELECT count(*) FROM webhooks WHERE owner_id = $1"


async def count(connection: Connection, owner_id: UUID) -> int:
    """How many webhooks an owner has."""
    found: int = await connection.fetchval(COUNT, owner_id)
    return found


INSERT = f"""
INSERT INTO webhooks (owner_id, id, url, events, description, active, secret, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) RETURNING {VIEW}, secret"""  # noqa: S608  # constants


async def insert(
    connection: Connection,
    owner_id: UUID,
    webhook_id: UUID,
    now: datetime,
    *,
    url: str,
    events: Sequence[str],
    description: str | None,
    active: bool,
    secret: str,
) -> Row:
    """Add a webhook; the row with its secret."""
    row = await connection.fetchrow(INSERT, owner_id, webhook_id, url, events, description, active, secret, now)
    assert row is not None  # noqa: S101  # INSERT without a condition returns its row
    return dict(row)


LIST = f"""
SELECT {VIEW} FROM webhooks WHERE owner_id = $1 ORDER BY id DESC LIMIT $2 OFFSET $3"""  # noqa: S608  # constants


async def page(connection: Connection, owner_id: UUID, limit: int, skip: int) -> list[Row]:
    """One page of an owner's webhooks, newest first."""
    return [dict(row) for row in await connection.fetch(LIST, owner_id, limit, skip)]


GET = f"SELECT {VIEW} FROM webhooks WHERE owner_id = $1 AND id = $2"  # noqa: S608  # constants


async def get(connection: Connection, owner_id: UUID, webhook_id: UUID) -> Row | None:
    """One webhook, None where the owner has no such."""
    row = await connection.fetchrow(GET, owner_id, webhook_id)
    return None if row is None else dict(row)


# The keys that the JSON object has are changed, the others keep the row's values.
UPDATE = f"""
UPDATE webhooks AS webhook
SET (url, events, description, active) =
        (SELECT url, events, description, active FROM json_populate_record(webhook, $4)),
    reason = CASE WHEN $5 THEN NULL ELSE reason END,
    failing_since = CASE WHEN $5 THEN NULL ELSE failing_since END,
    updated_at = $3
WHERE owner_id = $1 AND id = $2 RETURNING {VIEW}"""  # noqa: S608  # constants


async def update(
    connection: Connection, owner_id: UUID, webhook_id: UUID, now: datetime, fields: str, *, revived: bool
) -> Row | None:
    """Change a webhook; `fields` is a JSON object of columns. `revived` forgets that it was failing."""
    row = await connection.fetchrow(UPDATE, owner_id, webhook_id, now, fields, revived)
    return None if row is None else dict(row)


ROTATE = f"""
UPDATE webhooks SET old_secret = secret, old_secret_until = $5, secret = $4, updated_at = $3
WHERE owner_id = $1 AND id = $2 RETURNING {VIEW}, secret"""  # noqa: S608  # constants


async def rotate(
    connection: Connection, owner_id: UUID, webhook_id: UUID, now: datetime, secret: str, until: datetime
) -> Row | None:
    """Give a webhook a new secret; the old one signs too until `until`."""
    row = await connection.fetchrow(ROTATE, owner_id, webhook_id, now, secret, until)
    return None if row is None else dict(row)


DELETE = "DELETE FROM webhooks WHERE owner_id = $1 AND id = $2 RETURNING true"


async def delete(connection: Connection, owner_id: UUID, webhook_id: UUID) -> bool:
    """Delete a webhook; False where the owner has no such."""
    return await connection.fetchval(DELETE, owner_id, webhook_id) is not None


WANTED = "SELECT EXISTS (SELECT FROM webhooks WHERE owner_id = $1 AND active AND events && $2::text[])"


async def wanted(connection: Connection, owner_id: UUID, types: Sequence[str]) -> bool:
    """True if a webhook of the owner wants events of one of these types."""
    found: bool = await connection.fetchval(WANTED, owner_id, types)
    return found
