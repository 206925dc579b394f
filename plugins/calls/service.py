"""The rules of call logs: what is accepted, what counts as a duplicate, what an owner may see."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from operator import attrgetter
from typing import Annotated, Any
from uuid import UUID

import msgspec

from plugins.calls import partitions, queries
from plugins.calls.errors import CallNotFound
from plugins.calls.hookspecs import CallsRecorded, RecordedCall
from plugins.calls.schemas import (
    MICROS,
    MOST_METADATA,
    BatchReport,
    CallFilter,
    CallItem,
    NewCall,
)
from voicera import (
    BadRequest,
    Connection,
    FieldError,
    Fragment,
    InvalidFields,
    Meta,
    Page,
    Resources,
    lowest,
    milliseconds_of,
    uuid7s,
)

FUTURE = timedelta(minutes=5)
EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)


async def record_batch(resources: Resources, owner_id: UUID, logs: list[NewCall]) -> BatchReport:
    """Record a batch, all or nothing; what is known by its external id already counts as a duplicate.

    Raises InvalidFields with the place of every field that breaks a rule; then nothing is recorded.
    """
    check(logs, resources.now())
    if not logs:
        return BatchReport(0, 0, 0, 0, [])
    await partitions.ensure(resources, {partitions.month_of(_began(log)) for log in logs})
    async with resources.db.tx() as connection:
        await _check_references(resources, connection, owner_id, logs)
        calls = await _claim(connection, owner_id, _identified(logs))
        await queries.copy_calls(connection, _rows(owner_id, calls, resources.now()))
        event = CallsRecorded(owner_id, tuple(calls))
        await resources.hooks.within("calls_recording", connection=connection, batch=event)
    resources.hooks.after(resources.background, "calls_recorded", resources=resources, batch=event)
    return BatchReport(len(logs), len(calls), len(logs) - len(calls), 0, [])


async def get_call(resources: Resources, owner_id: UUID, call_id: UUID) -> Fragment:
    """One call log as JSON; raises CallNotFound, also for another owner's."""
    found = await resources.db.reading(lambda connection: queries.get_call(connection, owner_id, call_id))
    if found is None:
        raise CallNotFound
    return Fragment(found)


async def list_calls(resources: Resources, owner_id: UUID, wanted: CallFilter) -> Page[CallItem]:
    """A page of call logs, newest first, with the exact total of all that match."""
    conditions = conditions_of(owner_id, wanted)
    total, items = await resources.db.reading(
        lambda connection: queries.list_calls(connection, conditions, wanted.skip, wanted.limit)
    )
    return Page(total=total, skip=wanted.skip, limit=wanted.limit, items=Fragment(items))


def check(logs: list[NewCall], now: datetime) -> None:
    """Fill in `created_at`, and raise InvalidFields for what a schema cannot say: times, and the size of metadata."""
    errors: list[FieldError] = []
    latest = now + FUTURE
    for index, log in enumerate(logs):
        if log.created_at is None:
            log.created_at = now
        elif not EARLIEST <= log.created_at <= latest:
            message = "is more than five minutes in the future" if log.created_at > latest else "is before 1971"
            errors.append(FieldError(field=f"[{index}].created_at", message=message))
        if log.metadata is not None and len(msgspec.json.encode(log.metadata)) > MOST_METADATA:
            errors.append(FieldError(field=f"[{index}].metadata", message=f"is larger than {MOST_METADATA} bytes"))
    if errors:
        raise InvalidFields(errors[:100])


def conditions_of(owner_id: UUID, wanted: CallFilter) -> list[tuple[str, Any]]:
    """The filter as comparisons of columns; times become ranges of ids, since an id begins with its time."""
    conditions: list[tuple[str, Any]] = [("owner_id =", owner_id)]
    for name in ("campaign_id", "status", "phone_number"):
        value = getattr(wanted, name)
        if value is not None:
            conditions.append((f"{name} =", value))
    if wanted.start_date is not None:
        conditions.append(("id >=", lowest(milliseconds_of(_moment("start_date", wanted.start_date, timedelta())))))
    if wanted.end_date is not None:
        conditions.append(("id <", lowest(milliseconds_of(_moment("end_date", wanted.end_date, timedelta(days=1))))))
    return conditions


def _moment(name: str, text: str, day: timedelta) -> datetime:
    """Read a date or an RFC 3339 time; a date means its start plus `day`, a time that very millisecond."""
    try:
        if len(text) == 10:
            return min(datetime.combine(datetime.fromisoformat(text).date(), time(), UTC), LATEST - day) + day
        moment: datetime = msgspec.convert(text, Annotated[datetime, Meta(tz=True)])
        return moment + (timedelta(milliseconds=1) if day else timedelta())
    except (ValueError, OverflowError, msgspec.ValidationError):
        message = "is neither a date (2024-01-31) nor an RFC 3339 time (2024-01-31T10:30:00Z)"
        raise BadRequest([FieldError(field=name, message=message)]) from None


async def _check_references(resources: Resources, connection: Connection, owner_id: UUID, logs: list[NewCall]) -> None:
    errors: list[FieldError] = []
    for field, question in (("agent_id", "known_agents"), ("campaign_id", "known_campaigns")):
        asked = frozenset(map(attrgetter(field), logs)) - {None}
        if not asked:
            continue
        ids = {f"{field}s": asked}
        known = await resources.hooks.first(question, connection=connection, owner_id=owner_id, **ids)
        if known is None or known >= asked:  # None: nobody keeps these here, so nobody can contradict
            continue
        errors += [
            FieldError(field=f"[{index}].{field}", message="does not exist")
            for index, log in enumerate(logs)
            if (value := getattr(log, field)) is not None and value not in known
        ]
    if errors:
        raise InvalidFields(errors[:100])


def _identified(logs: list[NewCall]) -> list[RecordedCall]:
    """Give each log its id, leaving out those whose external id stands earlier in the batch."""
    seen: set[str] = set()
    fresh: list[NewCall] = []
    for log in logs:
        if log.external_id is not None:
            if log.external_id in seen:
                continue
            seen.add(log.external_id)
        fresh.append(log)
    ids = uuid7s([milliseconds_of(_began(log)) for log in fresh])
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


def _rows(owner_id: UUID, calls: list[RecordedCall], now: datetime) -> list[tuple[Any, ...]]:
    """The calls as tuples in the order of queries.COLUMNS."""
    encode = msgspec.json.encode
    return [
        (
            owner_id,
            call.id,
            log.external_id,
            log.campaign_id,
            log.agent_id,
            log.phone_number,
            log.direction,
            log.status,
            log.duration_seconds,
            log.sentiment,
            log.emotions,
            log.key_phrases,
            log.transcript,
            log.summary,
            None if log.cost is None else round(log.cost * MICROS),
            None if log.metadata is None else encode(log.metadata).decode(),
            log.created_at,
            now,
        )
        for call in calls
        for log in (call.log,)
    ]


def _began(log: NewCall) -> datetime:
    assert log.created_at is not None  # filled in by `check`
    return log.created_at
