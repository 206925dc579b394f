"""Finding call logs: one of them, pages of them with their exact total, and all of them for an export.

A page is read in order of ids from an index, and always between two ids, so that of many months only those
are touched in which it lies. Where it lies is asked of other plugins for pages that an index alone would find
slowly; else the newest month is tried first, and then ever more of them. A bound that was too narrow shows
(the page is short, and the total says that there are more), and is widened: it costs time, never correctness.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import msgspec

from plugins.calls.errors import CallNotFound
from plugins.calls.hookspecs import CallQuery, ExtraFilters, Seek
from plugins.calls.queries import calls, listing
from plugins.calls.queries.calls import Stored
from plugins.calls.queries.listing import Rows, Values
from plugins.calls.schemas.listing import CallFilters, CallListing, CallPage
from plugins.calls.service import cursors
from plugins.calls.service.filters import conditions_of, query_of
from plugins.calls.service.recordings import recording_url
from voicera import BadRequest, Connection, FieldError, Fragment, Resources, encode, lowest, milliseconds_of, time_of

SOUGHT_FROM = 500  # rows to pass over: from here on asking where the page lies is cheaper
SPANS = (timedelta(days=35), timedelta(days=400))
SLICE = 500
FEW = 2_000  # calls that are sooner sorted than found along an order that is not theirs
NO_RECORDING = '"recording_url":null'
MOST_CALLS = 1 << 48  # more than an owner can have, and sums with it still fit
NO_TOTAL = "NULL::bigint"
OTHERS = ("campaign_id", "agent_id", "status", "sentiment")
INDEXED = (*OTHERS, "min_duration", "max_duration")
MILLISECOND = timedelta(milliseconds=1)


async def get_call(resources: Resources, owner_id: UUID, call_id: UUID) -> Fragment:
    """One call log as JSON; raises CallNotFound, also for another owner's."""
    found = await resources.db.reading(lambda connection: calls.get_call(connection, owner_id, call_id))
    if found is None:
        raise CallNotFound
    return await shown(resources, owner_id, call_id, found)


async def read_call(resources: Resources, owner_id: UUID, call_id: UUID) -> dict[str, Any] | None:
    """One call log as clients see it, decoded; None if the owner has no such call."""
    try:
        shown = await get_call(resources, owner_id, call_id)
    except CallNotFound:
        return None
    found: dict[str, Any] = msgspec.json.decode(encode(shown))
    return found


async def shown(resources: Resources, owner_id: UUID, call_id: UUID, call: Stored) -> Fragment:
    """A call log as clients see it: with an address of its recording, if it has one."""
    if call.object_key is None:
        return Fragment(call.detail)
    url = await recording_url(resources, owner_id, call_id, call.object_key)
    # Quotes within values are escaped, so the first of these is the column.
    return Fragment(call.detail.replace(NO_RECORDING, f'"recording_url":{encode(url).decode()}', 1))


async def list_calls(resources: Resources, owner_id: UUID, wanted: CallListing, extra: ExtraFilters = ()) -> CallPage:
    """A page of call logs, newest first, with the exact total of all that match; raises BadRequest."""
    if wanted.cursor is not None and wanted.skip:
        raise BadRequest([FieldError(field="skip", message="cannot be given together with cursor")])
    query = query_of(owner_id, wanted, extra)
    after = cursors.read(wanted.cursor, query) if wanted.cursor is not None else None
    found = await resources.db.reading(lambda connection: _find(resources, connection, query, wanted, after))
    return CallPage(
        total=found.total,
        skip=wanted.skip,
        limit=wanted.limit,
        items=Fragment(found.items),
        next_cursor=None if found.next_after is None else cursors.write(found.next_after, query),
    )


def export_calls(
    resources: Resources, owner_id: UUID, wanted: CallFilters, before: UUID | None, extra: ExtraFilters = ()
) -> AsyncIterator[bytes]:
    """Every whole call log that matches, newest first, as lines of JSON, some hundreds at a time; raises BadRequest.

    With `before`, those that come after that call.
    """
    query = query_of(owner_id, wanted, extra)
    return _export(resources, query, before)


async def _export(resources: Resources, query: CallQuery, before: UUID | None) -> AsyncIterator[bytes]:
    conditions = conditions_of(query)
    if query.external_id is not None:
        conditions += await resources.db.reading(lambda connection: _of_external_id(connection, query))
    while True:
        bounds = [("to_id", before)] if before is not None else []
        read = partial(listing.export_slice, conditions=[*conditions, *bounds], limit=SLICE)
        found = await resources.db.reading(read)
        if found:
            yield "".join(f"{line}\n" for line, _ in found).encode()
        if len(found) < SLICE:
            return
        before = found[-1][1]


async def _find(
    resources: Resources, connection: Connection, query: CallQuery, wanted: CallListing, after: UUID | None
) -> Rows:
    if query.external_id is not None:
        return await _find_one(connection, query, wanted, after)
    conditions = conditions_of(query)
    gathered = await _are_few(resources, connection, query)
    async for guess in _guesses(resources, connection, query, wanted, after, few=gathered):
        values = Values()
        total = await _total(resources, query, values) if wanted.total else NO_TOTAL
        here = [*conditions, *_bounds(guess, after)]
        how: dict[str, Any] = {"skip": guess.skip, "limit": wanted.limit, "gathered": gathered, "ranges": guess.ranges}
        rows = await listing.list_page(connection, values, total, here, **how)
        bounded = guess.lowest is not None or bool(guess.ranges)
        whole = rows.size == wanted.limit and (rows.next_after is not None or not bounded)
        if whole or not bounded or (after is None and rows.total is not None and wanted.skip + rows.size >= rows.total):
            return rows
    raise AssertionError("unreachable: the last guess has no bound")


def _bounds(guess: Seek, after: UUID | None) -> list[tuple[str, UUID]]:
    bounds = [("from_id", guess.lowest), ("to_id", guess.below), ("to_id", after)]
    return [(name, bound) for name, bound in bounds if bound is not None]


async def _are_few(resources: Resources, connection: Connection, query: CallQuery) -> bool:
    """Whether a range of durations leaves so few calls that sorting them is best: its index knows no order of time."""
    others = any(getattr(query, name) is not None for name in (*OTHERS, "phone_number"))
    if others or (query.min_duration is None and query.max_duration is None):
        return False  # with another filter, counting costs as much as looking
    values = Values()
    total = await _total(resources, query, values)
    return await listing.count_calls(connection, values, total) <= FEW


async def _guesses(
    resources: Resources,
    connection: Connection,
    query: CallQuery,
    wanted: CallListing,
    after: UUID | None,
    *,
    few: bool,
) -> AsyncIterator[Seek]:
    """Where the page may lie: from the narrowest guess to the whole."""
    if not few and (wanted.skip >= SOUGHT_FROM or sum(getattr(query, name) is not None for name in INDEXED) > 1):
        seek = await _seek(resources, connection, query, wanted, after)
        if seek is not None:
            yield seek
    elif query.start is None and query.phone_number is None and not few:
        for bound in _recent(resources, query, after):
            yield Seek(bound, None, wanted.skip)
    yield Seek(None, None, wanted.skip)


async def _seek(
    resources: Resources, connection: Connection, query: CallQuery, wanted: CallListing, after: UUID | None
) -> Seek | None:
    if after is not None:
        end = time_of(after) + MILLISECOND
        query = replace(query, end=end if query.end is None else min(end, query.end))
    found: Seek | None = await resources.hooks.first(
        "seek_calls", connection=connection, query=query, skip=min(wanted.skip, MOST_CALLS), limit=wanted.limit + 1
    )
    if found is not None and after is not None:
        return replace(found, below=None, skip=0)
    return found


def _recent(resources: Resources, query: CallQuery, after: UUID | None) -> Iterator[UUID]:
    """Ever lower bounds of ids, counted back from where the page begins."""
    newest = query.end or resources.now()
    if after is not None:
        newest = min(newest, time_of(after))
    for span in SPANS:
        yield lowest(milliseconds_of(newest - span))


async def _total(resources: Resources, query: CallQuery, values: Values) -> str:
    """The expression that counts what matches: another plugin's, if one can say, else row by row."""
    expression: str | None = await resources.hooks.first("count_calls", query=query, parameters=values)
    return expression or listing.count_expression(values, conditions_of(query))


async def _find_one(connection: Connection, query: CallQuery, wanted: CallListing, after: UUID | None) -> Rows:
    """An external id names one call at most."""
    conditions = [*conditions_of(query), *await _of_external_id(connection, query)]
    values = Values()
    total = listing.count_expression(values, conditions) if wanted.total else NO_TOTAL
    here = conditions if after is None else [*conditions, ("to_id", after)]
    return await listing.list_page(connection, values, total, here, skip=wanted.skip, limit=wanted.limit)


async def _of_external_id(connection: Connection, query: CallQuery) -> list[tuple[str, UUID]]:
    assert query.external_id is not None
    found = await listing.find_key(connection, query.owner_id, query.external_id)
    if found is None:
        found = UUID(int=0)  # no call has it, so nothing matches
    return [("from_id", found), ("to_id", UUID(int=found.int + 1))]
