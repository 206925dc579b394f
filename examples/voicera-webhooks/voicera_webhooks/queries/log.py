"""The SQL of the delivery log."""

from datetime import datetime
from typing import Any
from uuid import UUID

from voicera import Connection, Fragment

Row = dict[str, Any]
ITEM = "id, type, state, tries, CASE WHEN state = 'waiting' THEN due_at END AS next_try_at, created_at"
MATCHING = "owner_id = $1 AND webhook_id = $2 AND ($3::text IS NULL OR state = $3)"

COUNT = f"SELECT count(*) FROM webhook_deliveries WHERE {MATCHING}"  # noqa: S608  # constants


async def count(connection: Connection, owner_id: UUID, webhook_id: UUID, state: str | None) -> int:
    """How many deliveries of a webhook are in this state (any, for None)."""
    found: int = await connection.fetchval(COUNT, owner_id, webhook_id, state)
    return found


LIST = f"""
SELECT {ITEM} FROM webhook_deliveries WHERE {MATCHING} ORDER BY id DESC LIMIT $4 OFFSET $5"""  # noqa: S608  # constants


async def page(
    connection: Connection, owner_id: UUID, webhook_id: UUID, state: str | None, *, limit: int, skip: int
) -> list[Row]:
    """One page of them, newest first."""
    return [dict(row) for row in await connection.fetch(LIST, owner_id, webhook_id, state, limit, skip)]


GET = f"""
SELECT {ITEM}, attempts, body FROM webhook_deliveries
WHERE owner_id = $1 AND webhook_id = $2 AND id = $3"""  # noqa: S608  # constants


async def get(connection: Connection, owner_id: UUID, webhook_id: UUID, delivery_id: UUID) -> Row | None:
    """One delivery with its attempts and its payload, None where the owner has no such."""
    row = await connection.fetchrow(GET, owner_id, webhook_id, delivery_id)
    if row is None:
        return None
    found = dict(row)
    found["payload"], found["attempts"] = Fragment(found.pop("body")), Fragment(found["attempts"])
    return found


# One that is due within the lease may be under way: it keeps its place, since it is sent at once anyway.
RESEND = """
UPDATE webhook_deliveries
SET state = 'waiting', tries = 0, due_at = CASE WHEN state = 'waiting' AND due_at <= $5 THEN due_at ELSE $4 END
WHERE owner_id = $1 AND webhook_id = $2 AND id = $3 RETURNING true"""


async def resend(
    connection: Connection, owner_id: UUID, webhook_id: UUID, delivery_id: UUID, now: datetime, lease: datetime
) -> bool:
    """Make a delivery due at once, with all its tries; False where the owner has no such."""
    whose = (owner_id, webhook_id, delivery_id)
    return await connection.fetchval(RESEND, *whose, now, lease) is not None


RESEND_DEAD = """
UPDATE webhook_deliveries SET state = 'waiting', tries = 0, due_at = $3
WHERE owner_id = $1 AND webhook_id = $2 AND state = 'dead' AND id IN (
    SELECT id FROM webhook_deliveries WHERE owner_id = $1 AND webhook_id = $2 AND state = 'dead' LIMIT $4)
RETURNING true"""


async def resend_dead(connection: Connection, owner_id: UUID, webhook_id: UUID, now: datetime, most: int) -> int:
    """Make dead deliveries of a webhook due at once; how many."""
    return len(await connection.fetch(RESEND_DEAD, owner_id, webhook_id, now, most))
