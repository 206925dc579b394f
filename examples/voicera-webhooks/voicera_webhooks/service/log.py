"""The delivery log: what became of each event, a test event, and sending again."""

from typing import Any
from uuid import UUID

from voicera import Page, Resources, milliseconds_of, uuid7

from voicera_webhooks.errors import DeliveryNotFound, WebhookOff
from voicera_webhooks.queries import log as queries
from voicera_webhooks.queries import outbox
from voicera_webhooks.schemas import DeliveryQuery
from voicera_webhooks.service import subscriptions
from voicera_webhooks.service.courier import LEASE
from voicera_webhooks.service.outbox import body_of

TEST = "webhook.test"
MOST_RESENT = 10_000
Row = dict[str, Any]


async def page(resources: Resources, owner_id: UUID, webhook_id: UUID, wanted: DeliveryQuery) -> Page[Any]:
    """One page of a webhook's deliveries. Raises WebhookNotFound."""
    await subscriptions.get(resources, owner_id, webhook_id)
    async with resources.db.connection() as connection:
        total = await queries.count(connection, owner_id, webhook_id, wanted.state)
        items = await queries.page(connection, owner_id, webhook_id, wanted.state, limit=wanted.limit, skip=wanted.skip)
    return Page(total=total, skip=wanted.skip, limit=wanted.limit, items=items)


async def get(resources: Resources, owner_id: UUID, webhook_id: UUID, delivery_id: UUID) -> Row:
    """One delivery with its attempts. Raises DeliveryNotFound."""
    async with resources.db.connection() as connection:
        found = await queries.get(connection, owner_id, webhook_id, delivery_id)
    if found is None:
        raise DeliveryNotFound
    return found


async def send_test(resources: Resources, owner_id: UUID, webhook_id: UUID) -> Row:
    """Write a test event; its delivery. Raises WebhookNotFound and WebhookOff."""
    await _check_on(resources, owner_id, webhook_id)
    now = resources.now()
    event_id = uuid7(milliseconds_of(now))
    body = body_of(event_id, TEST, now, {"webhook_id": webhook_id})
    async with resources.db.connection() as connection:
        await outbox.write_one(connection, owner_id, webhook_id, now, event_id, TEST, body)
    return await get(resources, owner_id, webhook_id, event_id)


async def resend(resources: Resources, owner_id: UUID, webhook_id: UUID, delivery_id: UUID) -> Row:
    """Make a delivery due at once; itself. Raises WebhookNotFound, WebhookOff and DeliveryNotFound."""
    await _check_on(resources, owner_id, webhook_id)
    now = resources.now()
    async with resources.db.connection() as connection:
        if not await queries.resend(connection, owner_id, webhook_id, delivery_id, now, now + LEASE):
            raise DeliveryNotFound
    return await get(resources, owner_id, webhook_id, delivery_id)


async def resend_dead(resources: Resources, owner_id: UUID, webhook_id: UUID) -> Row:
    """Make dead deliveries due at once; how many. Raises WebhookNotFound and WebhookOff."""
    await _check_on(resources, owner_id, webhook_id)
    async with resources.db.connection() as connection:
        return {"resent": await queries.resend_dead(connection, owner_id, webhook_id, resources.now(), MOST_RESENT)}


async def _check_on(resources: Resources, owner_id: UUID, webhook_id: UUID) -> None:
    webhook = await subscriptions.get(resources, owner_id, webhook_id)
    if not webhook["active"]:
        raise WebhookOff("set active to true first")
