"""Finding a page of call logs, whatever the filters, at a cost that does not grow with the calls.

A page is read in order of ids from an index, and always between two ids, so that of many months only those
are touched in which it lies. Where it lies is asked of other plugins for pages that an index alone would find
slowly; else the newest month is tried first, and then ever more of them. A bound that was too narrow shows
(the page is short, and the total says that there are more), and is widened: it costs time, never correctness.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from plugins.calls.hookspecs import CallQuery, Seek
from plugins.calls.queries import listing
from plugins.calls.queries.listing import Rows, Values
from plugins.calls.schemas.listing import CallListing
from plugins.calls.service.filters import conditions_of
from voicera import Connection, Resources, lowest, milliseconds_of, time_of

SOUGHT_FROM = 500  # rows to pass over: from here on asking where the page lies is cheaper
SPANS: tuple[timedelta, ...] = (timedelta(days=35), timedelta(days=400))
FEW = 2_000  # calls that are sooner sorted than found along an order that is not theirs
WALKED = 8_000  # calls: walking along more of them takes longer than asking where those lie that match
MOST_CALLS = 1 << 48  # more than an owner can have, and sums with it still fit
NO_TOTAL = "NULL::bigint"
OTHERS = ("campaign_id", "agent_id", "status", "sentiment")
MILLISECOND = timedelta(milliseconds=1)


class Way(NamedTuple):
    """How a page is found: all that last so long are gathered and sorted, or its place is sought, or neither."""

    gathered: bool = False
    sought: bool = False


class Counts(NamedTuple):
    """How many calls match, how many last so long whatever else is asked for, and how many match whatever they last."""

    matching: int
    lasted: int
    others: int


class Asked(NamedTuple):
    """What is looked for, and where: of the calls that match, a page, which begins after a call if one is given."""

    resources: Resources
    connection: Connection
    query: CallQuery
    wanted: CallListing
    after: UUID | None


async def find(asked: Asked) -> Rows:
    """The page, newest first, with the total of all that match."""
    _, connection, query, wanted, after = asked
    if query.external_id is not None:
        return await _find_one(connection, query, wanted, after)
    conditions = conditions_of(query)
    way = await _way(asked)
    async for guess in _guesses(asked, way):
        values = Values()
        total = await _total(asked, values) if wanted.total else NO_TOTAL
        here = [*conditions, *_bounds(guess, after)]
        how: dict[str, Any] = {"skip": guess.skip, "limit": wanted.limit, "ranges": guess.ranges}
        rows = await listing.list_page(connection, values, total, here, gathered=way.gathered, **how)
        bounded = guess.lowest is not None or bool(guess.ranges)
        whole = rows.size == wanted.limit and (rows.next_after is not None or not bounded)
        if whole or not bounded or (after is None and rows.total is not None and wanted.skip + rows.size >= rows.total):
            return rows
    raise AssertionError("unreachable: the last guess has no bound")


async def of_external_id(connection: Connection, query: CallQuery) -> list[tuple[str, UUID]]:
    """The bounds of ids that leave the one call which has the query's external id."""
    assert query.external_id is not None
    found = await listing.find_key(connection, query.owner_id, query.external_id)
    if found is None:
        found = UUID(int=0)  # no call has it, so nothing matches
    return [("from_id", found), ("to_id", UUID(int=found.int + 1))]


async def _find_one(connection: Connection, query: CallQuery, wanted: CallListing, after: UUID | None) -> Rows:
    """An external id names one call at most."""
    conditions = [*conditions_of(query), *await of_external_id(connection, query)]
    values = Values()
    total = listing.count_expression(values, conditions) if wanted.total else NO_TOTAL
    here = conditions if after is None else [*conditions, ("to_id", after)]
    return await listing.list_page(connection, values, total, here, skip=wanted.skip, limit=wanted.limit)


async def _way(asked: Asked) -> Way:
    """Choose how the page is found.

    One filter has an index in the order of time. Several may leave few calls of the many that are read along one of
    their indexes; so may durations, whose own index knows no order of time.
    """
    query, wanted = asked.query, asked.wanted
    others = sum(getattr(query, name) is not None for name in OTHERS)
    sought = wanted.skip >= SOUGHT_FROM or others > 1
    if query.phone_number is not None or (query.min_duration is None and query.max_duration is None):
        return Way(sought=sought)
    found = await _counts(asked, others=others)
    if found is None:
        return Way(sought=sought)
    if found.lasted <= FEW:
        return Way(gathered=True)
    walked = found.others * (wanted.skip + wanted.limit) // max(found.matching, 1)
    return Way(sought=others > 1 or min(walked, found.others) > WALKED)


async def _counts(asked: Asked, *, others: int) -> Counts | None:
    """These counts; None where nobody knows them and counting is as slow as looking."""
    query, values = asked.query, Values()
    queries = [query, replace(query, min_duration=None, max_duration=None)]
    if others:  # else those that last so long are those that match
        queries.append(replace(query, campaign_id=None, agent_id=None, status=None, sentiment=None))
    known = [await _known_total(asked.resources, each, values) for each in queries]
    expressions = [expression for expression in known if expression is not None]
    if len(expressions) == len(queries):
        matching, among, *lasted = await listing.count_all(asked.connection, values, expressions)
        return Counts(matching, lasted[0] if lasted else matching, among)
    if others:
        return None
    values = Values()
    counted = listing.count_expression(values, conditions_of(query))
    [matching] = await listing.count_all(asked.connection, values, [counted])
    return Counts(matching, matching, matching)


def _bounds(guess: Seek, after: UUID | None) -> list[tuple[str, UUID]]:
    bounds = [("from_id", guess.lowest), ("to_id", guess.below), ("to_id", after)]
    return [(name, bound) for name, bound in bounds if bound is not None]


async def _guesses(asked: Asked, way: Way) -> AsyncIterator[Seek]:
    """Where the page may lie: from the narrowest guess to the whole."""
    query, wanted = asked.query, asked.wanted
    if way.sought:
        seek = await _seek(asked)
        if seek is not None:
            yield seek
    elif query.start is None and query.phone_number is None and not way.gathered:
        for bound in _recent(asked):
            yield Seek(bound, None, wanted.skip)
    yield Seek(None, None, wanted.skip)


async def _seek(asked: Asked) -> Seek | None:
    resources, connection, query, wanted, after = asked
    if after is not None:
        end = time_of(after) + MILLISECOND
        query = replace(query, end=end if query.end is None else min(end, query.end))
    found: Seek | None = await resources.hooks.first(
        "seek_calls", connection=connection, query=query, skip=min(wanted.skip, MOST_CALLS), limit=wanted.limit + 1
    )
    if found is not None and after is not None:
        return replace(found, below=None, skip=0)
    return found


def _recent(asked: Asked) -> Iterator[UUID]:
    """Ever lower bounds of ids, counted back from where the page begins.

    After a call, one is enough: where it leaves too little, the months before that call are few, or have few calls.
    """
    newest, spans = asked.query.end or asked.resources.now(), SPANS
    if asked.after is not None:
        newest, spans = min(newest, time_of(asked.after)), SPANS[:1]
    for span in spans:
        yield lowest(milliseconds_of(newest - span))


async def _total(asked: Asked, values: Values) -> str:
    """The expression that counts what matches: another plugin's, if one can say, else row by row."""
    known = await _known_total(asked.resources, asked.query, values)
    return known or listing.count_expression(values, conditions_of(asked.query))


async def _known_total(resources: Resources, query: CallQuery, values: Values) -> str | None:
    expression: str | None = await resources.hooks.first("count_calls", query=query, parameters=values)
    return expression
