"""What a client sends about webhooks, and what it gets."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from voicera import UNSET, Meta, Paging, Struct, UnsetType

EventType = Literal[
    "call.recorded",
    "call.changed",
    "call.deleted",
    "campaign.scheduled",
    "campaign.launched",
    "campaign.paused",
    "campaign.resumed",
    "campaign.stopped",
    "campaign.completed",
]
State = Literal["waiting", "delivered", "dead"]

Url = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=2000,
        pattern=r"^[!-~\u00a1-\uffff]+(?![\s\S])",
        description="Where events are posted to: https, a public address, no user name, port 443 or above 1023.",
        extra={"wanted": "must not contain spaces or control characters"},
    ),
]
Events = Annotated[list[EventType], Meta(min_length=1, max_length=50, description="What to send.")]
Description = Annotated[
    str, Meta(max_length=500, pattern=r"^[^\u0000]*(?![\s\S])", extra={"wanted": "must not contain U+0000"})
]


class NewWebhook(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A new webhook."""

    url: Url
    events: Events
    description: Description | None = None
    active: bool = True


class WebhookChange(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A change: the fields given are set, the others stay. `active: true` switches a webhook on again."""

    url: Url | UnsetType = UNSET
    events: Events | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    active: bool | UnsetType = UNSET


class WebhookView(Struct, kw_only=True):
    """A webhook. `reason` says why it was switched off, `failing_since` from when on every delivery has failed."""

    id: UUID
    url: str
    events: list[str]
    description: str | None
    active: bool
    reason: str | None
    failing_since: datetime | None
    created_at: datetime
    updated_at: datetime


class WebhookWithSecret(WebhookView, kw_only=True):
    """A webhook, and the secret that signs its deliveries: it is shown this once."""

    secret: str


class DeliveryQuery(Paging, frozen=True, kw_only=True):
    """Which deliveries are wanted."""

    state: Annotated[State, Meta(description="`waiting`, `delivered`, or `dead`: given up.")] | None = None


class DeliveryItem(Struct, kw_only=True):
    """A delivery in a list. Its id is the event's, and is sent as `webhook-id`."""

    id: UUID
    type: str
    state: State
    tries: Annotated[int, Meta(description="Since it was written or resent.")]
    next_try_at: datetime | None
    created_at: datetime


class Attempt(Struct, kw_only=True):
    """One attempt: the status of the answer and its first 1,024 bytes, or the error; `ms` is how long it took."""

    at: datetime
    status: int | None
    ms: int
    error: str | None
    response: str | None


class DeliveryView(DeliveryItem, kw_only=True):
    """A delivery with its attempts (the last 50), oldest first, and what is sent."""

    attempts: list[Attempt]
    payload: dict[str, Any]


class Resent(Struct):
    """How many deliveries will be sent again."""

    resent: int


CREATE_EXAMPLE = {"url": "https://hooks.example.com/voicera", "events": ["call.recorded"], "description": "to the CRM"}
VIEW_EXAMPLE = {
    "id": "01a20b96-97cc-7bad-b199-fc8cb2d44233",
    **CREATE_EXAMPLE,
    "active": True,
    "reason": None,
    "failing_since": None,
    "created_at": "2026-11-24T04:00:00.000Z",
    "updated_at": "2026-11-24T04:00:00.000Z",
}
SECRET_EXAMPLE = {**VIEW_EXAMPLE, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
