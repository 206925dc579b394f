"""Recording calls: what is accepted, what counts as a duplicate, batches and single calls."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from uuid import UUID

import msgspec

from plugins.calls.errors import CallConflict
from plugins.calls.hookspecs import CallsRecorded, RecordedCall
from plugins.calls.queries import ingestion as queries
from plugins.calls.schemas.calls import MOST_METADATA, BatchReport, IndexedError, NewCall
from plugins.calls.service import listing, partitions, rows
from plugins.calls.service.recorder import Recorded, recorder_of
from voicera import (
    Connection,
    FieldError,
    Fragment,
    InvalidFields,
    Many,
    Resources,
    in_joined_transaction,
    milliseconds_of,
    uuid7s,
)

FUTURE = timedelta(minutes=5)
EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
MOST_ERRORS = 100
Wrong = list[tuple[int, FieldError]]


async def record_batch(resources: Resources, owner_id: UUID, sent: Many[NewCall], *, skip: bool = False) -> BatchReport:
    """Record a batch; what is known by its external id already counts as a duplicate.

    With `skip`, logs that break a rule are left out and reported. Without, they raise InvalidFields with the place
    of every field that is wrong, and nothing is recorded.
    """
    _sift(sent, check(sent.values, resources.now()), skip=skip)
    await partitions.ensure(resources, {partitions.month_of(rows.began(log)) for log in sent.values})
    async with resources.db.tx() as connection:
        _sift(sent, await unknown_references(resources, connection, owner_id, sent.values), skip=skip)
        calls = await write(resources, connection, owner_id, sent.values, resources.now())
    _tell(resources, owner_id, calls)
    rejected = sent.received - len(sent.values)
    errors = [IndexedError(place, error["field"], error["message"]) for place, error in sorted(sent.errors, key=_first)]
    return BatchReport(sent.received, len(calls), len(sent.values) - len(calls), rejected, errors)


async def record_call(resources: Resources, owner_id: UUID, log: NewCall) -> tuple[bool, UUID, Fragment]:
    """Record one call; return whether it is new, its id, and the resource.

    Calls of an owner that come at the same time are committed together. Raises InvalidFields, and CallConflict where
    its external id is known with other content.
    """
    timed = log.created_at is not None
    if wrong := check([log], resources.now()):
        raise InvalidFields([error for _, error in wrong])
    await partitions.ensure(resources, [partitions.month_of(rows.began(log))])
    if in_joined_transaction():
        call = (await record_together(resources, owner_id, [log]))[0]
    else:
        call = await recorder_of(resources, record_together).record(owner_id, log)
    if isinstance(call, InvalidFields):
        raise call
    if call is not None:
        return True, call.call.id, Fragment(rows.detail_of(call.call, call.at))
    return False, *await _earlier(resources, owner_id, log, timed=timed)


async def record_together(
    resources: Resources, owner_id: UUID, logs: list[NewCall]
) -> list[Recorded | InvalidFields | None]:
    """Record single calls in one transaction; for each what was recorded, what is wrong with it, or None if known."""
    now = resources.now()
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)  # PostgreSQL would round where an answer cuts
    async with resources.db.tx() as connection:
        wrong: dict[int, list[FieldError]] = {}
        for position, error in await unknown_references(resources, connection, owner_id, logs):
            wrong.setdefault(position, []).append(error)
        good = [log for position, log in enumerate(logs) if position not in wrong]
        calls = await write(resources, connection, owner_id, good, now)
    _tell(resources, owner_id, calls)
    recorded = {id(call.log): Recorded(call, now) for call in calls}
    return [
        InvalidFields(wrong[position]) if position in wrong else recorded.get(id(log))
        for position, log in enumerate(logs)
    ]


async def write(
    resources: Resources, connection: Connection, owner_id: UUID, logs: list[NewCall], now: datetime
) -> list[RecordedCall]:
    """Write calls that were checked, in the caller's transaction, as recorded now; return those that are new."""
    calls = await _claim(connection, owner_id, identified(logs))
    if calls:
        await queries.copy_calls(connection, rows.rows_of(owner_id, calls, now))
        if resources.hooks.listened("calls_recording"):
            event = CallsRecorded(owner_id, tuple(calls))
            await resources.hooks.within("calls_recording", resources=resources, connection=connection, batch=event)
    return calls


def check(logs: list[NewCall], now: datetime) -> Wrong:
    """Fill in `created_at`, to the millisecond; return what a schema cannot say, by position: times, metadata."""
    wrong: Wrong = []
    latest = now + FUTURE
    for position, log in enumerate(logs):
        moment = log.created_at
        if moment is None:
            moment = log.created_at = now
        elif not EARLIEST <= moment <= latest:
            message = "is more than five minutes in the future" if moment > latest else "is before 1971"
            wrong.append((position, FieldError(field="created_at", message=message)))
        if moment.microsecond % 1000:  # PostgreSQL would round, and an id counts whole milliseconds
            log.created_at = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        if log.metadata is not None and len(msgspec.json.encode(log.metadata)) > MOST_METADATA:
            wrong.append((position, FieldError(field="metadata", message=f"is larger than {MOST_METADATA} bytes")))
    return wrong


async def unknown_references(
    resources: Resources, connection: Connection, owner_id: UUID, logs: list[NewCall]
) -> Wrong:
    """The fields that name an agent or a campaign which is not the owner's, by position."""
    wrong: Wrong = []
    for field, question in (("agent_id", "known_agents"), ("campaign_id", "known_campaigns")):
        asked = frozenset(map(attrgetter(field), logs)) - {None}
        if not asked:
            continue
        ids = {f"{field}s": asked}
        known = await resources.hooks.first(question, connection=connection, owner_id=owner_id, **ids)
        if known is None or known >= asked:  # None: nobody keeps these here, so nobody can contradict
            continue
        wrong += [
            (position, FieldError(field=field, message="does not exist"))
            for position, log in enumerate(logs)
            if (value := getattr(log, field)) is not None and value not in known
        ]
    return wrong


def identified(logs: Iterable[NewCall]) -> list[RecordedCall]:
    """Give each log its id, leaving out those whose external id stands earlier among them."""
    seen: set[str] = set()
    fresh: list[NewCall] = []
    for log in logs:
        if log.external_id is not None:
            if log.external_id in seen:
                continue
            seen.add(log.external_id)
        fresh.append(log)
    ids = uuid7s([milliseconds_of(rows.began(log)) for log in fresh])
    return [RecordedCall(identifier, log) for identifier, log in zip(ids, fresh, strict=True)]


async def _claim(connection: Connection, owner_id: UUID, calls: list[RecordedCall]) -> list[RecordedCall]:
    """Claim the external ids; return the calls that are new."""
    keyed = [call for call in calls if call.log.external_id is not None]
    if not keyed:
        return calls
    external_ids = [call.log.external_id or "" for call in keyed]
    claimed = await queries.claim_keys(connection, owner_id, external_ids, [call.id for call in keyed])
    if len(claimed) == len(keyed):
        return calls
    return [call for call in calls if call.log.external_id is None or call.id in claimed]


async def _earlier(resources: Resources, owner_id: UUID, log: NewCall, *, timed: bool) -> tuple[UUID, Fragment]:
    """The resource of a call log that is sent again; raises CallConflict where it is not the same."""
    assert log.external_id is not None
    external_id = log.external_id
    sent = [*rows.content_of(log), log.created_at if timed else None]
    earlier = await resources.db.reading(
        lambda connection: queries.get_earlier(connection, owner_id, external_id, sent)
    )
    if earlier is None:
        raise CallConflict("the call log with this external_id is being deleted")
    if not earlier.same:
        raise CallConflict("use PATCH to change a call log")
    return earlier.id, await listing.get_call(resources, owner_id, earlier.id)


def _sift(sent: Many[NewCall], wrong: Wrong, *, skip: bool) -> None:
    """Take out the logs that are wrong; raises InvalidFields without `skip`."""
    if not wrong:
        return
    placed = [(sent.places[position], error) for position, error in wrong]
    if not skip:
        raise InvalidFields(
            [
                FieldError(field=f"[{place}].{error['field']}", message=error["message"])
                for place, error in sorted(placed, key=_first)[:MOST_ERRORS]
            ]
        )
    out = {position for position, _ in wrong}
    sent.errors += placed
    sent.values = [log for position, log in enumerate(sent.values) if position not in out]
    sent.places = [place for position, place in enumerate(sent.places) if position not in out]


def _tell(resources: Resources, owner_id: UUID, calls: list[RecordedCall]) -> None:
    if calls and resources.hooks.listened("calls_recorded"):
        event = CallsRecorded(owner_id, tuple(calls))
        resources.hooks.after(resources.background, "calls_recorded", resources=resources, batch=event)


def _first(pair: tuple[int, FieldError]) -> int:
    return pair[0]
