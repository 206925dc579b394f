"""What a client sends about connections, and what it gets."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from voicera import Meta, Struct

Provider = Literal["retell", "vapi"]
# The look-ahead is the end of the text: in Python `$` also matches before a final line feed.
Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        pattern=r"^[^\u0000]*(?![\s\S])",
        extra={"wanted": "must not contain U+0000"},
    ),
]
Secret = Annotated[
    str,
    Meta(
        min_length=8,
        max_length=200,
        pattern=r"^[!-~]+(?![\s\S])",
        description="For Retell: the API key that signs its webhooks. Not for Vapi, where the answer has a new one.",
        extra={"wanted": "must be printable ASCII without spaces"},
    ),
]


class NewConnection(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A new connection."""

    provider: Provider
    name: Name
    secret: Secret | None = None


class ConnectionView(Struct, kw_only=True):
    """A connection. `last_used_at` is when it last brought a message, to the minute."""

    id: UUID
    provider: Provider
    name: str
    events_path: Annotated[str, Meta(description="Where the provider is to post to, behind the service's address.")]
    created_at: datetime
    last_used_at: datetime | None


class ConnectionWithSecret(ConnectionView, kw_only=True):
    """A connection, and the secret that the provider is to send: it is shown this once. Null for Retell."""

    secret: str | None


class Received(Struct, kw_only=True):
    """What became of a message: how many call logs it holds, how many are new, how many were known."""

    received: int
    created: int
    duplicates: int


CREATE_EXAMPLE = {"provider": "vapi", "name": "Vapi, production"}
VIEW_EXAMPLE = {
    "id": "01a20b96-97cc-7bad-b199-fc8cb2d44233",
    **CREATE_EXAMPLE,
    "events_path": "/provider-connections/01a20b96-97cc-7bad-b199-fc8cb2d44233/events",
    "created_at": "2026-11-24T04:00:00.000Z",
    "last_used_at": None,
}
SECRET_EXAMPLE = {**VIEW_EXAMPLE, "secret": "vapi_5cSDvm3n2sGdDkQmGpTg7sW2l5T8qv0bC1aFhJxYzEo"}
MESSAGE_EXAMPLE = {"event": "call_analyzed", "call": {"call_id": "call_1", "to_number": "+1234567890"}}
