"""What goes in and comes out: call logs, the report of a batch, the filters of the list."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from voicera import Meta, Paging, Struct

MOST_LOGS = 10_000
MOST_BODY = 16 << 20
MOST_METADATA = 16 << 10
MOST_TRANSCRIPT = 1 << 20
MICROS = 1_000_000


class CallStatus(StrEnum):
    """How a call stands or ended."""

    queued = "queued"
    in_progress = "in_progress"
    completed = "completed"
    failed = "failed"
    no_answer = "no_answer"
    busy = "busy"
    cancelled = "cancelled"


class Sentiment(StrEnum):
    """How the caller felt."""

    positive = "positive"
    neutral = "neutral"
    negative = "negative"


class Direction(StrEnum):
    """Who called whom: we them (outbound) or they us (inbound)."""

    outbound = "outbound"
    inbound = "inbound"


# (?![\s\S]) is the end of the text in Python's and in ECMA's dialect alike; `$` lets a line feed pass in Python.
PhoneNumber = Annotated[
    str, Meta(pattern=r"^\+[0-9]{7,15}(?![\s\S])", description="E.164 in form: +, then 7 to 15 digits.")
]
ExternalId = Annotated[
    str, Meta(min_length=1, max_length=200, description="The telephony provider's id of the call; unique per owner.")
]
Seconds = Annotated[int, Meta(ge=0, le=31_536_000, description="Whole seconds.")]
Cost = Annotated[float, Meta(ge=0, le=1_000_000_000, description="Money, exact to a millionth.")]
Moment = Annotated[datetime, Meta(tz=True)]


class NewCall(Struct, forbid_unknown_fields=True, kw_only=True):
    """A call log as a voice server sends it."""

    phone_number: PhoneNumber
    status: CallStatus
    external_id: ExternalId | None = None
    campaign_id: UUID | None = None
    agent_id: UUID | None = None
    direction: Direction | None = None
    duration_seconds: Seconds | None = None
    sentiment: Sentiment | None = None
    emotions: Annotated[list[Annotated[str, Meta(max_length=100)]], Meta(max_length=32)] = []
    key_phrases: Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=100)] = []
    transcript: Annotated[str, Meta(max_length=MOST_TRANSCRIPT)] | None = None
    summary: Annotated[str, Meta(max_length=10_000)] | None = None
    cost: Cost | None = None
    created_at: Annotated[Moment | None, Meta(description="When the call began; now, if not given.")] = None
    metadata: Annotated[dict[str, Any], Meta(description="Given back in the detail; to 16 KiB.")] | None = None


NewCalls = list[NewCall]


class IndexedError(Struct):
    """A log of a batch that was rejected: its place in the batch (from 0), the field, and what is wrong."""

    index: int
    field: str
    message: str


class BatchReport(Struct):
    """What became of a batch."""

    received: int
    created: int
    duplicates: int
    rejected: int
    errors: list[IndexedError]


class CallItem(Struct):
    """A call log in a list; `transcript` is the first 200 characters."""

    id: UUID
    external_id: str | None
    campaign_id: UUID | None
    agent_id: UUID | None
    phone_number: str
    direction: Direction | None
    status: CallStatus
    duration_seconds: int | None
    sentiment: Sentiment | None
    emotions: list[str]
    transcript: str | None
    cost: float | None
    created_at: datetime


class CallDetail(CallItem):
    """A whole call log."""

    summary: str | None
    key_phrases: list[str]
    recording_url: str | None
    metadata: dict[str, Any] | None
    updated_at: datetime


DateOrTime = Annotated[
    str, Meta(max_length=40, description="A date (2024-01-31; as an end, that day is included) or an RFC 3339 time.")
]


class CallFilter(Paging, frozen=True, kw_only=True):
    """Which call logs to list."""

    campaign_id: UUID | None = None
    status: CallStatus | None = None
    phone_number: PhoneNumber | None = None
    start_date: DateOrTime | None = None
    end_date: DateOrTime | None = None


EXAMPLE_ID = "018d5480-6ec0-7b7e-9f3a-2b1c0d9e8f70"
EXAMPLE_CALL = {
    "phone_number": "+1234567890",
    "status": "completed",
    "external_id": "CA5d1f0e3c",
    "direction": "outbound",
    "duration_seconds": 120,
    "sentiment": "positive",
    "emotions": ["satisfied", "relieved"],
    "key_phrases": ["billing", "resolution"],
    "transcript": "User: Hello... Agent: Hi...",
    "summary": "Customer called about billing issue...",
    "cost": 0.50,
    "created_at": "2024-01-29T10:30:00Z",
}
EXAMPLE_DETAIL = {
    **EXAMPLE_CALL,
    "id": EXAMPLE_ID,
    "campaign_id": None,
    "agent_id": None,
    "recording_url": None,
    "metadata": None,
    "created_at": "2024-01-29T10:30:00.000Z",
    "updated_at": "2024-01-29T10:32:00.000Z",
}
EXAMPLE_ITEM = {
    name: value
    for name, value in EXAMPLE_DETAIL.items()
    if name not in ("summary", "key_phrases", "recording_url", "metadata", "updated_at")
}
EXAMPLE_PAGE = {"total": 1250, "skip": 0, "limit": 50, "items": [EXAMPLE_ITEM]}
EXAMPLE_REPORT = {"received": 1, "created": 1, "duplicates": 0, "rejected": 0, "errors": []}
