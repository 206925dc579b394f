"""What a client sends about campaigns, and what it gets."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from plugins.campaigns.states import Status
from voicera import UNSET, Meta, Paging, Struct, UnsetType

MOST_NUMBERS = 100_000
MOST_SHOWN = 100
MOST_REASON = 200
# The look-ahead: in Python `$` also matches before a final line feed.
E164 = r"^\+[0-9]{7,15}(?![\s\S])"

Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=r"\S",
        description="Outer white space is cut off.",
        extra={"wanted": "must not be blank"},
    ),
]
PhoneNumber = Annotated[
    str,
    Meta(
        pattern=E164,
        description="In the form of E.164: `+`, then 7 to 15 digits.",
        extra={"wanted": "must be a phone number in the form of E.164: +, then 7 to 15 digits"},
    ),
]
PhoneNumbers = Annotated[
    list[PhoneNumber],
    Meta(description=f"In the order of calling; to {MOST_NUMBERS}, of equal ones the first counts."),
]
Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339; kept to the millisecond.")]
Concurrency = Annotated[
    int, Meta(ge=1, le=10_000, description="How many calls may be made at once; null: no limit of its own.")
]
Shown = Annotated[
    list[str],
    Meta(
        description=f"The first {MOST_SHOWN}; `phone_number_count` counts all, "
        "`GET /campaigns/{campaign_id}/phone-numbers` answers them."
    ),
]


class NewCampaign(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A new campaign: a draft. What is left out can be given before it is launched."""

    name: Name
    agent_id: UUID
    phone_numbers: PhoneNumbers = []
    start_time: Moment | None = None
    end_time: Moment | None = None
    max_concurrent_calls: Concurrency | None = None


class CampaignChange(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A change: the fields given are set, null clears one that may be null, the others stay.

    `phone_numbers` replaces all of them.
    """

    name: Name | UnsetType = UNSET
    agent_id: UUID | UnsetType = UNSET
    phone_numbers: PhoneNumbers | UnsetType = UNSET
    start_time: Moment | UnsetType | None = UNSET
    end_time: Moment | UnsetType | None = UNSET
    max_concurrent_calls: Concurrency | UnsetType | None = UNSET


class CampaignView(Struct, kw_only=True):
    """A campaign. The times that end in `_at` say when something last happened to it."""

    id: UUID
    user_id: UUID
    name: str
    agent_id: UUID
    status: Status
    phone_numbers: Shown
    phone_number_count: int
    start_time: datetime | None
    end_time: datetime | None
    max_concurrent_calls: int | None
    scheduled_at: datetime | None
    launched_at: datetime | None
    paused_at: datetime | None
    resumed_at: datetime | None
    completed_at: datetime | None
    cancelled_at: datetime | None
    created_at: datetime
    updated_at: datetime


class CampaignQuery(Paging, kw_only=True, frozen=True):
    """Which campaigns to list, newest first."""

    limit: Annotated[int, Meta(ge=1, le=1000, description="How many to answer at most.")] = 20
    agent_id: UUID | None = None
    status: Status | None = None
    search: Annotated[str, Meta(max_length=200, description="Text that the name contains, whatever its case.")] = ""


class NumbersQuery(Paging, kw_only=True, frozen=True):
    """Which of a campaign's phone numbers to answer."""

    limit: Annotated[int, Meta(ge=1, le=10_000, description="How many to answer at most.")] = 1000


class SuppressedView(Struct, kw_only=True):
    """A phone number that a plugin took out of a campaign when it became active."""

    phone_number: str
    reason: str
    suppressed_at: datetime


CREATE_EXAMPLE = {
    "name": "Q2 Marketing Campaign",
    "agent_id": "018d54f1-2d40-7c11-8f5e-0242ac120002",
    "phone_numbers": ["+1234567890", "+1234567891"],
    "start_time": "2024-04-01T00:00:00Z",
    "end_time": "2024-06-30T23:59:59Z",
    "max_concurrent_calls": 50,
}
CHANGE_EXAMPLE = {"name": "Q2 Campaign", "max_concurrent_calls": 20}
VIEW_EXAMPLE = {
    "id": "018d54f1-2d40-7c11-8f5e-0242ac120003",
    "user_id": "018d54f1-0a10-7b3e-9d7c-0242ac120002",
    **CREATE_EXAMPLE,
    "status": "draft",
    "phone_number_count": 2,
    "start_time": "2024-04-01T00:00:00.000Z",
    "end_time": "2024-06-30T23:59:59.000Z",
    "scheduled_at": None,
    "launched_at": None,
    "paused_at": None,
    "resumed_at": None,
    "completed_at": None,
    "cancelled_at": None,
    "created_at": "2024-01-29T10:30:00.000Z",
    "updated_at": "2024-01-29T10:30:00.000Z",
}
CHANGED_EXAMPLE = {**VIEW_EXAMPLE, **CHANGE_EXAMPLE, "updated_at": "2024-01-29T10:35:00.000Z"}
LIST_EXAMPLE = {"total": 5, "skip": 0, "limit": 20, "items": [VIEW_EXAMPLE]}
NUMBERS_EXAMPLE = {"total": 2, "skip": 0, "limit": 1000, "items": ["+1234567890", "+1234567891"]}

SUPPRESSED_EXAMPLE = {
    "total": 1,
    "skip": 0,
    "limit": 1000,
    "items": [
        {
            "phone_number": "+1234567892",
            "reason": "on the do-not-call list: asked in a call",
            "suppressed_at": "2024-01-29T10:35:00.000Z",
        }
    ],
}


def moved_example(status: Status, stamp: str) -> dict[str, object]:
    """The example answer of a transition to `status`."""
    moment = "2024-01-29T10:35:00.000Z"
    return {**VIEW_EXAMPLE, "status": status, stamp: moment, "updated_at": moment}
