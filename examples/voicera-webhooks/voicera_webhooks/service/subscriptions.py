"""Subscriptions: who gets which events where."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from voicera import UNSET, FieldError, InvalidFields, Page, Paging, Resources, milliseconds_of, uuid7

from voicera_webhooks.errors import TooManyWebhooks, WebhookNotFound
from voicera_webhooks.queries import outbox, webhooks
from voicera_webhooks.schemas import NewWebhook, WebhookChange
from voicera_webhooks.service import signing, targets

MOST_WEBHOOKS = 20
BOTH_SIGN = timedelta(days=1)
FORGET_AT_ONCE = 5_000
Row = dict[str, Any]


async def create(resources: Resources, owner_id: UUID, new: NewWebhook) -> Row:
    """Subscribe; the webhook with its secret. Raises InvalidFields and TooManyWebhooks."""
    _check_url(resources, new.url)
    now = resources.now()
    async with resources.db.tx() as connection:
        await webhooks.lock_owner(connection, owner_id)
        if await webhooks.count(connection, owner_id) >= MOST_WEBHOOKS:
            raise TooManyWebhooks(f"there may be {MOST_WEBHOOKS}")
        return await webhooks.insert(
            connection,
            owner_id,
            uuid7(milliseconds_of(now)),
            now,
            url=new.url,
            events=sorted(set(new.events)),
            description=new.description,
            active=new.active,
            secret=signing.new_secret(),
        )


async def page(resources: Resources, owner_id: UUID, wanted: Paging) -> Page[Any]:
    """One page of the owner's webhooks."""
    async with resources.db.connection() as connection:
        total = await webhooks.count(connection, owner_id)
        items = await webhooks.page(connection, owner_id, wanted.limit, wanted.skip)
    return Page(total=total, skip=wanted.skip, limit=wanted.limit, items=items)


async def get(resources: Resources, owner_id: UUID, webhook_id: UUID) -> Row:
    """One webhook. Raises WebhookNotFound."""
    async with resources.db.connection() as connection:
        return _found(await webhooks.get(connection, owner_id, webhook_id))


async def change(resources: Resources, owner_id: UUID, webhook_id: UUID, wanted: WebhookChange) -> Row:
    """Set the fields given. Raises InvalidFields and WebhookNotFound."""
    given = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not UNSET}
    if "url" in given:
        _check_url(resources, given["url"])
    if "events" in given:
        given["events"] = sorted(set(given["events"]))
    fields, revived = msgspec.json.encode(given).decode(), given.get("active") is True
    async with resources.db.connection() as connection:
        changed = await webhooks.update(connection, owner_id, webhook_id, resources.now(), fields, revived=revived)
    return _found(changed)


async def rotate(resources: Resources, owner_id: UUID, webhook_id: UUID) -> Row:
    """Give it a new secret; for a day the old one signs too. Raises WebhookNotFound."""
    now = resources.now()
    async with resources.db.connection() as connection:
        changed = await webhooks.rotate(
            connection, owner_id, webhook_id, now, signing.new_secret(), until=now + BOTH_SIGN
        )
    return _found(changed)


async def delete(resources: Resources, owner_id: UUID, webhook_id: UUID) -> None:
    """Delete it, and in the background its deliveries. Raises WebhookNotFound.

    Without its webhook a delivery is never sent. Should the process die meanwhile, they go when they are old.
    """
    async with resources.db.connection() as connection:
        if not await webhooks.delete(connection, owner_id, webhook_id):
            raise WebhookNotFound
    resources.background.spawn("deliveries of a deleted webhook", _forget(resources, owner_id, webhook_id))


async def _forget(resources: Resources, owner_id: UUID, webhook_id: UUID) -> None:
    forgotten = FORGET_AT_ONCE
    while forgotten == FORGET_AT_ONCE:
        async with resources.db.connection() as connection:
            forgotten = await outbox.forget_of_webhook(connection, owner_id, webhook_id, FORGET_AT_ONCE)


def _check_url(resources: Resources, url: str) -> None:
    if (reason := targets.refusal(url, resources.settings)) is not None:
        raise InvalidFields([FieldError(field="url", message=reason)])


def _found(row: Row | None) -> Row:
    if row is None:
        raise WebhookNotFound
    return row
