"""What a client sends about the do-not-call list, and what it gets."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from voicera import Meta, Paging, Struct

MOST_NUMBERS = 100_000
# The look-ahead is the end of the text: in Python `$` also matches before a final line feed.
E164 = r"^\+[0-9]{7,15}(?![\s\S])"

PhoneNumber = Annotated[
    str,
    Meta(
        pattern=E164,
        description="In the form of E.164: `+`, then 7 to 15 digits.",
        extra={"wanted": "must be a phone number in the form of E.164: +, then 7 to 15 digits"},
    ),
]
Reason = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=150,
        pattern=r"\S",
        description="Why nobody is to call.",
        extra={"wanted": "must not be blank"},
    ),
]
Expiry = Annotated[datetime, Meta(tz=True, description="RFC 3339; from then on the numbers may be called again.")]


class NewNumbers(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Phone numbers to put on the list; one that stands there already takes the new reason and expiry."""

    phone_numbers: Annotated[list[PhoneNumber], Meta(min_length=1, max_length=MOST_NUMBERS)]
    reason: Reason = "asked not to be called"
    expires_at: Expiry | None = None


class Report(Struct, kw_only=True):
    """What became of the numbers sent: repeated ones count once."""

    added: int
    changed: int


class Entry(Struct, kw_only=True):
    """A number on the list. `source` says who put it there: a request to the API, or a call that was listened to."""

    phone_number: str
    reason: str
    source: Literal["api", "call"]
    created_at: datetime
    expires_at: datetime | None


class EntryQuery(Paging, kw_only=True, frozen=True):
    """Which numbers to list."""

    search: Annotated[str, Meta(max_length=16, description="Digits that the phone number contains.")] = ""


class Figure(Struct, kw_only=True):
    """A figure of the dashboard."""

    value: int
    unit: str


ENTRY = {
    "phone_number": "+1234567890",
    "reason": "asked by mail",
    "source": "api",
    "created_at": "2024-01-29T10:30:00.000Z",
    "expires_at": None,
}
