"""What this plugin publishes: events around the recording and the changing of calls, and questions.

Most of the questions are its own, to whoever can answer; `record_calls` and `read_call` it answers itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from plugins.calls.schemas.calls import CallStatus, NewCall, Sentiment
from plugins.calls.schemas.exchange import (
    CallFilter,
    CallWriter,
    Delivery,
    ExportFormat,
    ExtraFilters,
    Parameters,
    RecordedReport,
)
from voicera import Connection, Resources, hookspec

# What other plugins may import from here, beside the hooks.
__all__ = [
    "CallChange",
    "CallFilter",
    "CallQuery",
    "CallStatus",
    "CallWriter",
    "CallsChanged",
    "CallsRecorded",
    "Delivery",
    "ExportFormat",
    "ExtraFilters",
    "NewCall",
    "Parameters",
    "RecordedCall",
    "RecordedReport",
    "Seek",
    "Sentiment",
]


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
    a call without a duration has none that could match. `extra` are the filters of other plugins, with their values.
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
    extra: ExtraFilters = ()


@dataclass(frozen=True, slots=True)
class Seek:
    """Where a page lies among the matching calls, newest first: ids from `lowest` up to and without `below`.

    `skip` is how many of the matching calls in that range stand before the page. None leaves a bound out. Where few
    calls match, `ranges` names the ranges of ids (up to and without the second) in which they lie, and all others of
    the page are left unread; without any, the whole range is read.
    """

    lowest: UUID | None
    below: UUID | None
    skip: int
    ranges: tuple[tuple[UUID, UUID], ...] = ()


@hookspec
async def calls_recording(resources: Resources, connection: Connection, batch: CallsRecorded) -> None:
    """Act inside the transaction that records these calls; raise an ApiError to refuse the whole batch.

    Called *within* that transaction, once a batch, after its rows have been written; single calls that come at the
    same time share one. Any error rolls all of it back. A single call that is refused does not refuse those beside
    it. The owner waits for you: do no more than a statement or two, and no requests to elsewhere.
    """


@hookspec
async def calls_recorded(resources: Resources, batch: CallsRecorded) -> None:
    """Hear of calls that have been recorded, after their transaction has committed.

    Called *after* the commit, in the background, in no transaction. An error or a hang is logged with your plugin's
    name, and nobody else notices. It is told once, by the process that recorded the calls: what must not be missed
    belongs into a table of yours in `calls_recording`.
    """


@hookspec
async def calls_changing(resources: Resources, connection: Connection, batch: CallsChanged) -> None:
    """Act inside the transaction that changes or deletes these calls; raise an ApiError to refuse it.

    Called *within* that transaction, after the rows have been changed; any error rolls it back. A change that
    changes nothing is not told.
    """


@hookspec
async def calls_changed(resources: Resources, batch: CallsChanged) -> None:
    """Hear of calls that have been changed or deleted, after the transaction has committed.

    Called *after* the commit, in the background, in no transaction; an error or a hang is logged with your plugin's
    name, and nobody else notices.
    """


@hookspec
async def count_calls(query: CallQuery, parameters: Parameters) -> str | None:
    """Give an SQL expression for the exact number of calls that match, None if you cannot say.

    A question (*first*): asked for each page of the list, on a connection without a transaction. The text is embedded
    in the statement that reads the page, so that both see the same moment; add your values to `parameters`, and write
    the places that it gives you into the text. Answer None if the query has `extra` filters that you do not know, and
    add nothing then. An error fails the request.
    """


@hookspec
async def seek_calls(connection: Connection, query: CallQuery, skip: int, limit: int) -> Seek | None:
    """Say where the page of `limit` matching calls after the first `skip` lies, None if you cannot say.

    A question (*first*): asked for pages that an index alone would find slowly, on the connection that reads the page,
    without a transaction. Answer None if the query has `extra` filters that you do not know. An answer that is too
    narrow costs time and is mended; an error fails the request.
    """


@hookspec
async def known_agents(connection: Connection, owner_id: UUID, agent_ids: frozenset[UUID]) -> frozenset[UUID] | None:
    """Say which of these agents are the owner's; None if you keep no agents.

    A question (*first*), asked inside the transaction that records calls; an error rolls it back.
    """


@hookspec
async def known_campaigns(
    connection: Connection, owner_id: UUID, campaign_ids: frozenset[UUID]
) -> frozenset[UUID] | None:
    """Say which of these campaigns are the owner's; None if you keep no campaigns.

    A question (*first*), asked inside the transaction that records calls; an error rolls it back.
    """


@hookspec
async def find_owner(resources: Resources, email: str) -> UUID | None:
    """Say which owner has this e-mail, for commands that work past the API; None if you know of none.

    A question (*first*), in no transaction; an error ends the command.
    """


@hookspec
async def calls_receiving(resources: Resources, delivery: Delivery) -> Sequence[Mapping[str, Any]] | None:
    """Turn what a provider sent to `POST /call-logs/from/{source}` into call logs; None if you do not know the source.

    A question (*first*), in no transaction. A call log has the fields that `POST /call-logs` takes, of JSON or as
    Python has them (UUID, datetime); answer an empty list where the message is about none, such as a call that goes
    on. They are recorded like a batch, all or nothing: give each the provider's id of the call as its `external_id`,
    and a message that is sent again does no harm. A log that breaks a rule answers REQUEST_002 with its place and
    field, and is logged, since the provider cannot mend it. Raise an ApiError to refuse a message, such as one whose
    signature is wrong; any other error answers SERVER_001. Where nobody knows the source, it answers CALL_004.
    """


@hookspec
async def record_calls(
    resources: Resources, owner_id: UUID, logs: Sequence[Mapping[str, Any]]
) -> RecordedReport | None:
    """Record call logs of an owner, all or nothing; say what became of them. The plugin `calls` answers this itself.

    A question (*first*) for plugins that take calls in by a route of their own:
    `await resources.hooks.first("record_calls", resources=resources, owner_id=owner_id, logs=logs)`. The rules are
    those of `POST /call-logs/batch` (10,000 at most), the events too; it raises InvalidFields with every failing field,
    as `[3].status`. It commits before it answers; inside `resources.db.joined()` it is a part of that transaction.
    Nobody else should implement it but who keeps calls in place of the plugin `calls`. None: nobody keeps calls.
    """


@hookspec
async def read_call(resources: Resources, owner_id: UUID, call_id: UUID) -> Mapping[str, Any] | None:
    """Give a whole call log, as `GET /call-logs/{call_id}` shows it; None if the owner has none with this id.

    A question (*first*), for plugins, which the plugin `calls` answers itself; one statement, in no transaction (inside
    `resources.db.joined()`, in that one). The values are those of JSON: ids and times are text.
    """


@hookspec
def register_call_filters() -> Sequence[CallFilter]:  # type: ignore[empty-body]  # a specification has no body
    """Return filters of call logs that you add to the list, to the export, and to every route of the analytics.

    Collected at the start (*collect*). Each becomes a query parameter of those routes, in the OpenAPI document too; a
    name that a route or another plugin has already stops the start and names both. Conditions are asked for at every
    request that gives the parameter, and evaluated in the statements that read the calls: an error there fails the
    request. The total stays exact, and cursors are bound to the value.

    It has a price: the rollups do not know your filter, so totals and analytics read the owner's call logs of the
    range, not a few sums. With the indexes that `CallFilter` tells of, that is a time in proportion to the calls which
    match, at worst to all of the owner's in the range.
    """


@hookspec
def register_export_formats() -> Sequence[ExportFormat]:  # type: ignore[empty-body]
    """Return formats of `voicera export calls`, beside ndjson, json, csv and parquet.

    Collected when that command runs (*collect*), never while serving. A name or an ending that another plugin has
    already ends the command and names both. An error while writing ends the command; the unfinished file stays as
    FILE.part.
    """
