"""The SQL of the outbox: deliveries are written, claimed, and finished."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from voicera import Connection

INSERT = """
INSERT INTO webhook_deliveries (owner_id, webhook_id, id, type, body, state, due_at, created_at)
SELECT $1, webhook.id, event.id, event.type, event.body, 'waiting', $2, $2
FROM unnest($3::uuid[], $4::text[], $5::text[]) AS event (id, type, body)
JOIN webhooks AS webhook ON webhook.owner_id = $1 AND webhook.active AND event.type = ANY(webhook.events)"""


async def write(
    connection: Connection,
    owner_id: UUID,
    now: datetime,
    ids: Sequence[UUID],
    types: Sequence[str],
    bodies: Sequence[str],
) -> None:
    """Write one delivery an event and webhook that wants it."""
    await connection.execute(INSERT, owner_id, now, ids, types, bodies)


INSERT_ONE = """
INSERT INTO webhook_deliveries (owner_id, webhook_id, id, type, body, state, due_at, created_at)
VALUES ($1, $2, $3, $4, $5, 'waiting', $6, $6)"""


async def write_one(
    connection: Connection, owner_id: UUID, webhook_id: UUID, now: datetime, event_id: UUID, kind: str, body: str
) -> None:
    """Write a delivery to one webhook, whatever it subscribes to."""
    await connection.execute(INSERT_ONE, owner_id, webhook_id, event_id, kind, body, now)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this worker may send until `lease` ends, and what it needs for that."""

    owner_id: UUID
    webhook_id: UUID
    id: UUID
    body: str
    tries: int
    lease: datetime
    url: str
    secret: str
    old_secret: str | None
    old_secret_until: datetime | None
    failing_since: datetime | None


# `waiting` jumps along its index from webhook to webhook, to the earliest delivery of each: its cost is the number of
# webhooks that have something to be sent, not the number of deliveries. Each gets a few places, one that fails gets a
# single one, and chance says whose turn it is: so nobody's backlog or slow address keeps the others waiting.
CLAIM = """
WITH RECURSIVE waiting AS (
    (SELECT owner_id, webhook_id, due_at FROM webhook_deliveries WHERE state = 'waiting'
     ORDER BY owner_id, webhook_id, due_at LIMIT 1)
    UNION ALL
    SELECT next.owner_id, next.webhook_id, next.due_at FROM waiting CROSS JOIN LATERAL (
        SELECT owner_id, webhook_id, due_at FROM webhook_deliveries
        WHERE state = 'waiting' AND (owner_id, webhook_id) > (waiting.owner_id, waiting.webhook_id)
        ORDER BY owner_id, webhook_id, due_at LIMIT 1) AS next),
ready AS MATERIALIZED (
    SELECT webhooks.* FROM waiting
    JOIN webhooks ON webhooks.owner_id = waiting.owner_id AND webhooks.id = waiting.webhook_id
    WHERE waiting.due_at <= $1 AND webhooks.active AND webhooks.id <> ALL($3::uuid[])
    ORDER BY random() LIMIT $4),
taken AS MATERIALIZED (
    SELECT due.owner_id, due.webhook_id, due.id FROM ready CROSS JOIN LATERAL (
        SELECT owner_id, webhook_id, id FROM webhook_deliveries
        WHERE owner_id = ready.owner_id AND webhook_id = ready.id AND state = 'waiting' AND due_at <= $1
        ORDER BY due_at LIMIT CASE WHEN ready.failing_since IS NULL THEN $5 ELSE 1 END
        FOR UPDATE SKIP LOCKED) AS due
    LIMIT $4)
UPDATE webhook_deliveries AS delivery SET due_at = $2, tries = tries + 1
FROM taken JOIN ready ON ready.owner_id = taken.owner_id AND ready.id = taken.webhook_id
WHERE delivery.owner_id = taken.owner_id AND delivery.webhook_id = taken.webhook_id AND delivery.id = taken.id
RETURNING delivery.owner_id, delivery.webhook_id, delivery.id, delivery.body, delivery.tries, delivery.due_at AS lease,
    ready.url, ready.secret, ready.old_secret, ready.old_secret_until, ready.failing_since"""


async def claim(
    connection: Connection, now: datetime, lease: datetime, *, busy: Sequence[UUID], most: int, most_each: int
) -> list[Claimed]:
    """Take deliveries that are due, as no other worker then does until `lease`; none of the webhooks in `busy`."""
    rows = await connection.fetch(CLAIM, now, lease, busy, most, most_each)
    return [Claimed(**dict(row)) for row in rows]


# The lease is the proof that the delivery is still this worker's. A webhook is switched off if it has been failing
# since the moment that was seen with the claim: a success in between saves it.
FINISH = """
WITH finished AS (
    UPDATE webhook_deliveries SET state = $5, due_at = $6,
        attempts = CASE WHEN jsonb_array_length(attempts) < 50 THEN attempts ELSE attempts - 0 END || $7::jsonb
    WHERE owner_id = $1 AND webhook_id = $2 AND id = $3 AND due_at = $4 AND state = 'waiting')
UPDATE webhooks SET
    failing_since = CASE WHEN $5 = 'delivered' THEN NULL ELSE coalesce(failing_since, $8) END,
    active = active AND NOT ($9::text IS NOT NULL AND failing_since IS NOT DISTINCT FROM $10),
    reason = CASE WHEN failing_since IS NOT DISTINCT FROM $10 THEN coalesce($9, reason) ELSE reason END
WHERE owner_id = $1 AND id = $2 AND ($5 <> 'delivered' OR failing_since IS NOT NULL)"""


async def finish(
    connection: Connection,
    claimed: Claimed,
    now: datetime,
    *,
    state: str,
    due_at: datetime,
    attempt: str,
    switch_off: str | None,
) -> None:
    """Note how an attempt ended; `attempt` is a JSON object. `switch_off` is why the webhook is to be switched off."""
    whose = (claimed.owner_id, claimed.webhook_id, claimed.id, claimed.lease)
    await connection.execute(FINISH, *whose, state, due_at, attempt, now, switch_off, claimed.failing_since)


FORGET = """
DELETE FROM webhook_deliveries WHERE (owner_id, webhook_id, id) IN (
    SELECT owner_id, webhook_id, id FROM webhook_deliveries WHERE created_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
RETURNING true"""


async def forget(connection: Connection, before: datetime, most: int) -> int:
    """Delete old deliveries of all owners; how many."""
    return len(await connection.fetch(FORGET, before, most))


FORGET_OF_WEBHOOK = """
DELETE FROM webhook_deliveries WHERE owner_id = $1 AND webhook_id = $2 AND id IN (
    SELECT id FROM webhook_deliveries WHERE owner_id = $1 AND webhook_id = $2 LIMIT $3)
RETURNING true"""


async def forget_of_webhook(connection: Connection, owner_id: UUID, webhook_id: UUID, most: int) -> int:
    """Delete deliveries of a webhook; how many."""
    return len(await connection.fetch(FORGET_OF_WEBHOOK, owner_id, webhook_id, most))
