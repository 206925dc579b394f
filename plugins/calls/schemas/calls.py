"""Call logs as they come in and go out, and the report of a batch."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from voicera import UNSET, Meta, Struct, UnsetType

MOST_LOGS = 10_000
MOST_BODY = 16 << 20
MOST_MESSAGE = 4 << 20  # a transcript three times over: as turns, as text, and in the JSON around them
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
    str,
    Meta(
        pattern=r"^\+[0-9]{7,15}(?![\s\S])",
        description="E.164 in form: +, then 7 to 15 digits.",
        extra={"wanted": "must be a phone number in the form of E.164: +, then 7 to 15 digits"},
    ),
]
ExternalId = Annotated[
    str, Meta(min_length=1, max_length=200, description="The telephony provider's id of the call; unique per owner.")
]
Seconds = Annotated[int, Meta(ge=0, le=31_536_000, description="Whole seconds.")]
Cost = Annotated[float, Meta(ge=0, le=1_000_000, description="Money, exact to a millionth.")]
Moment = Annotated[datetime, Meta(tz=True)]
Emotions = Annotated[list[Annotated[str, Meta(max_length=100)]], Meta(max_length=32)]
KeyPhrases = Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=100)]
Transcript = Annotated[str, Meta(max_length=MOST_TRANSCRIPT)]
Summary = Annotated[str, Meta(max_length=10_000)]


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
    emotions: Emotions = []
    key_phrases: KeyPhrases = []
    transcript: Transcript | None = None
    summary: Summary | None = None
    cost: Cost | None = None
    created_at: Annotated[Moment | None, Meta(description="When the call began; now, if not given.")] = None
    metadata: Annotated[dict[str, Any], Meta(description="Given back in the detail; to 16 KiB.")] | None = None


NewCalls = list[NewCall]


class CallChange(Struct, forbid_unknown_fields=True, kw_only=True):
    """Later results of a call: the fields given are set, null clears one that may be null, the others stay."""

    status: CallStatus | UnsetType = UNSET
    duration_seconds: Seconds | UnsetType | None = UNSET
    sentiment: Sentiment | UnsetType | None = UNSET
    emotions: Emotions | UnsetType = UNSET
    key_phrases: KeyPhrases | UnsetType = UNSET
    transcript: Transcript | UnsetType | None = UNSET
    summary: Summary | UnsetType | None = UNSET
    cost: Cost | UnsetType | None = UNSET


class BatchQuery(Struct, frozen=True):
    """What to do with logs of a batch that break a rule."""

    on_error: Annotated[
        Literal["reject", "skip"],
        Meta(description="`reject`: one bad log rejects the batch; `skip`: the good ones are recorded."),
    ] = "reject"


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
