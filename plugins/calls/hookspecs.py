"""What this plugin publishes: events around the recording and the changing of calls, and the questions that it asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from plugins.calls.schemas.calls import CallStatus, NewCall, Sentiment
from voicera import Connection, Resources, hookspec


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call log as it was recorded: its id, and what was sent (with `created_at` filled in)."""

    id: UUID
    log: NewCall


@dataclass(frozen=True, slots=True)
class CallsRecorded:
    """New call logs of one owner, in the order in which they were sent; duplicates are not among them."""

    owner_id: UUID
    calls: tuple[RecordedCall, ...]


@dataclass(frozen=True, slots=True)
class CallChange:
    """One call log before and after a change, None after its deletion. Its id and `created_at` never change."""

    before: RecordedCall
    after: RecordedCall | None


@dataclass(frozen=True, slots=True)
class CallsChanged:
    """Call logs of one owner that change together."""

    owner_id: UUID
    changes: tuple[CallChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallQuery:
    """Which call logs of an owner are wanted; None leaves a filter out.

    `start` is inclusive, `end` exclusive, both UTC to the millisecond. Durations are whole seconds, both inclusive;
    a call without a duration has none that could match.
    """

    owner_id: UUID
    campaign_id: UUID | None = None
    agent_id: UUID | None = None
    status: CallStatus | None = None
    sentiment: Sentiment | None = None
    phone_number: str | None = None
    external_id: str | None = None
    min_duration: int | None = None
    max_duration: int | None = None
    start: datetime | None = None
    end: datetime | None = None


class Parameters(Protocol):
    """The parameters of a statement that is being put together."""

    def add(self, value: object) -> str:
        """Add a parameter; return its place in the text, such as `$3`."""
        ...


@dataclass(frozen=True, slots=True)
class Seek:
    """Where a page lies among the matching calls, newest first: ids from `lowest` up to and without `below`.

    `skip` is how many of the matching calls in that range stand before the page. None leaves a bound out.
    """

    lowest: UUID | None
    below: UUID | None
    skip: int


@hookspec
async def calls_recording(connection: Connection, batch: CallsRecorded) -> None:
    """Act inside the transaction that records these calls; raise an ApiError to refuse the whole batch."""


@hookspec
async def calls_recorded(resources: Resources, batch: CallsRecorded) -> None:
    """Hear of calls that have been recorded, after their transaction has committed."""


@hookspec
async def calls_changing(connection: Connection, batch: CallsChanged) -> None:
    """Act inside the transaction that changes or deletes these calls; raise an ApiError to refuse it."""


@hookspec
async def calls_changed(resources: Resources, batch: CallsChanged) -> None:
    """Hear of calls that have been changed or deleted, after the transaction has committed."""


@hookspec
async def count_calls(query: CallQuery, parameters: Parameters) -> str | None:
    """Give an SQL expression for the exact number of calls that match, None if you cannot say.

    It is embedded in the statement that reads the page, so that both see the same moment; add your values to
    `parameters`, and write the places that it gives you into the text.
    """


@hookspec
async def seek_calls(connection: Connection, query: CallQuery, skip: int, limit: int) -> Seek | None:
    """Say where the page of `limit` matching calls after the first `skip` lies, None if you cannot say."""


@hookspec
async def known_agents(connection: Connection, owner_id: UUID, agent_ids: frozenset[UUID]) -> frozenset[UUID] | None:
    """Say which of these agents are the owner's; None if you keep no agents."""


@hookspec
async def known_campaigns(
    connection: Connection, owner_id: UUID, campaign_ids: frozenset[UUID]
) -> frozenset[UUID] | None:
    """Say which of these campaigns are the owner's; None if you keep no campaigns."""


@hookspec
async def find_owner(resources: Resources, email: str) -> UUID | None:
    """Say which owner has this e-mail, for commands that work past the API; None if you know of none."""
