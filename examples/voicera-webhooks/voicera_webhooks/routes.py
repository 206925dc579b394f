"""The routes of `/webhooks`."""

from uuid import UUID

from voicera import Blueprint, InvalidFields, Page, Paging, Reply, Request, reply, requires

from voicera_webhooks.errors import DeliveryNotFound, TooManyWebhooks, WebhookNotFound, WebhookOff
from voicera_webhooks.schemas import (
    CREATE_EXAMPLE,
    SECRET_EXAMPLE,
    VIEW_EXAMPLE,
    DeliveryItem,
    DeliveryQuery,
    DeliveryView,
    NewWebhook,
    Resent,
    WebhookChange,
    WebhookView,
    WebhookWithSecret,
)
from voicera_webhooks.service import log, subscriptions

READ, WRITE = "webhooks:read", "webhooks:write"

blueprint = Blueprint("/webhooks")


@blueprint.post(
    body=NewWebhook,
    returns=WebhookWithSecret,
    status=201,
    raises=(TooManyWebhooks, InvalidFields),
    headers={"Location": "The path of the new webhook."},
    examples={"body": CREATE_EXAMPLE, "reply": SECRET_EXAMPLE},
)
@requires(WRITE)
async def create_webhook(request: Request) -> Reply:
    """Subscribe an address to events. The answer is the only one that shows the secret."""
    new = request.decode(NewWebhook)
    made = await subscriptions.create(request.resources, request.principal.owner_id, new)
    return reply(made, 201, {"Location": f"/webhooks/{made['id']}"})


@blueprint.get(query=Paging, returns=Page[WebhookView])
@requires(READ)
async def list_webhooks(request: Request) -> Reply:
    """List your webhooks, newest first."""
    wanted = request.query(Paging)
    return reply(await subscriptions.page(request.resources, request.principal.owner_id, wanted))


@blueprint.get("/{webhook_id}", returns=WebhookView, raises=(WebhookNotFound,), examples={"reply": VIEW_EXAMPLE})
@requires(READ)
async def get_webhook(request: Request, webhook_id: UUID) -> Reply:
    """Get one of your webhooks."""
    return reply(await subscriptions.get(request.resources, request.principal.owner_id, webhook_id))


@blueprint.patch(
    "/{webhook_id}",
    body=WebhookChange,
    returns=WebhookView,
    raises=(WebhookNotFound, InvalidFields),
    examples={"body": {"active": True}, "reply": VIEW_EXAMPLE},
)
@requires(WRITE)
async def change_webhook(request: Request, webhook_id: UUID) -> Reply:
    """Change the fields given. What has been written before is sent to the new address."""
    change = request.decode(WebhookChange)
    return reply(await subscriptions.change(request.resources, request.principal.owner_id, webhook_id, change))


@blueprint.delete("/{webhook_id}", status=204, raises=(WebhookNotFound,))
@requires(WRITE)
async def delete_webhook(request: Request, webhook_id: UUID) -> Reply:
    """Delete a webhook with its deliveries; nothing more is sent."""
    await subscriptions.delete(request.resources, request.principal.owner_id, webhook_id)
    return reply(status=204)


@blueprint.post("/{webhook_id}/rotate-secret", returns=WebhookWithSecret, raises=(WebhookNotFound,))
@requires(WRITE)
async def rotate_secret(request: Request, webhook_id: UUID) -> Reply:
    """Make a new secret, shown this once. For a day both sign, so that receivers can change over."""
    return reply(await subscriptions.rotate(request.resources, request.principal.owner_id, webhook_id))


@blueprint.post("/{webhook_id}/test", returns=DeliveryView, status=202, raises=(WebhookNotFound, WebhookOff))
@requires(WRITE)
async def send_test_event(request: Request, webhook_id: UUID) -> Reply:
    """Send an event of the type `webhook.test`; the answer is its delivery, which is under way."""
    return reply(await log.send_test(request.resources, request.principal.owner_id, webhook_id), 202)


@blueprint.get("/{webhook_id}/deliveries", query=DeliveryQuery, returns=Page[DeliveryItem], raises=(WebhookNotFound,))
@requires(READ)
async def list_deliveries(request: Request, webhook_id: UUID) -> Reply:
    """List what was sent, and what is to be sent, newest first."""
    wanted = request.query(DeliveryQuery)
    return reply(await log.page(request.resources, request.principal.owner_id, webhook_id, wanted))


@blueprint.get("/{webhook_id}/deliveries/{delivery_id}", returns=DeliveryView, raises=(DeliveryNotFound,))
@requires(READ)
async def get_delivery(request: Request, webhook_id: UUID, delivery_id: UUID) -> Reply:
    """Get one delivery with its attempts."""
    return reply(await log.get(request.resources, request.principal.owner_id, webhook_id, delivery_id))


@blueprint.post(
    "/{webhook_id}/deliveries/{delivery_id}/resend",
    returns=DeliveryView,
    status=202,
    raises=(DeliveryNotFound, WebhookNotFound, WebhookOff),
)
@requires(WRITE)
async def resend_delivery(request: Request, webhook_id: UUID, delivery_id: UUID) -> Reply:
    """Send a delivery again, at once and with all its tries; its `webhook-id` stays the same."""
    return reply(await log.resend(request.resources, request.principal.owner_id, webhook_id, delivery_id), 202)


@blueprint.post("/{webhook_id}/resend-dead", returns=Resent, status=202, raises=(WebhookNotFound, WebhookOff))
@requires(WRITE)
async def resend_dead(request: Request, webhook_id: UUID) -> Reply:
    """Send the deliveries that were given up again, up to 10,000 a request."""
    return reply(await log.resend_dead(request.resources, request.principal.owner_id, webhook_id), 202)
