"""The answers to what the call logs ask: how many calls match, and where a page of them lies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

from plugins.analytics.cells import numbers
from plugins.analytics.periods import HOUR_MS, Span, span
from plugins.analytics.queries import reading, seeking
from plugins.analytics.queries.measures import Measure, calls_in
from plugins.analytics.queries.reading import Slice, Values
from plugins.analytics.queries.seeking import Counted, Sought
from plugins.calls.hookspecs import CallQuery, Parameters, Seek
from voicera import Connection, ceiling_of, lowest

# A page whose calls are so many hours apart, in the mean, is read hour by hour; but of no more hours than these.
SPARSE = 4
MOST_HOURS = 2_000
RECENT = (35 * 24, 400 * 24)  # hours
NOWHERE = Seek(None, lowest(0), 0)


def count(query: CallQuery, parameters: Parameters) -> str | None:
    """An SQL expression for the number of calls that match; None where the rollups do not know."""
    if not _known(query):
        return None
    return reading.count(parameters, _slice(query), _measure(query, parameters))


async def seek(connection: Connection, query: CallQuery, skip: int, limit: int) -> Seek | None:
    """Where the page lies, to the hour; None where the rollups do not know.

    Where few calls match, also in which hours. A call that is recorded after this has been asked, and before the page
    is read, may then be counted and not shown, as if the page had been read a moment earlier.
    """
    if not _known(query):
        return None
    wanted = _slice(query)
    [whole] = wanted.spans
    low, high = _bounds(query)
    if whole.empty:  # at most the two edges of an hour or two
        return Seek(_id(low), _id(high), skip)
    sought = await _sought(connection, query, wanted, skip, limit)
    page = _page(sought, whole, (low, high), skip, limit)
    first, last = sought.first.hour, sought.oldest if sought.last.hour is None else sought.last.hour
    if first is None or last is None or first - last < SPARSE * limit or page.skip + limit > MOST_HOURS:
        return page
    found = await seeking.hours(connection, _counted(query, wanted), last, first + 1, most=page.skip + limit)
    ranges = [(hour * HOUR_MS, (hour + 1) * HOUR_MS) for hour in found]
    if skip < sought.edge:
        ranges += [edge for edge in whole.edges if edge[0] == whole.high * HOUR_MS]
    if sought.last.hour is None:
        ranges += [edge for edge in whole.edges if edge[1] == whole.low * HOUR_MS]
    return replace(page, ranges=tuple((lowest(start), lowest(end)) for start, end in ranges))


async def _sought(connection: Connection, query: CallQuery, wanted: Slice, skip: int, limit: int) -> Sought:
    """Where the page lies. How long calls lasted is written in long rows, so of them the newest are read first."""
    [whole] = wanted.spans
    newest = await seeking.newest(connection, wanted) if _timed(query) else None
    spans = [whole] if newest is None else [*_recent(whole, newest), whole]
    for part in spans:
        counted = _counted(query, replace(wanted, spans=(part,)))
        sought = await seeking.seek(connection, counted, skip, skip + limit - 1)
        if sought.last.hour is not None:
            break
    return sought


def _recent(whole: Span, newest: int) -> Iterator[Span]:
    """The newest parts of a range, ever longer; with its newest edge, and without its oldest."""
    end = min(whole.high, newest)
    edges = tuple(edge for edge in whole.edges if edge[0] == whole.high * HOUR_MS)
    for hours in RECENT:
        if end - hours > whole.low:
            yield Span(end - hours, whole.end, edges)


def _page(sought: Sought, whole: Span, bounds: tuple[int | None, int | None], skip: int, limit: int) -> Seek:
    low, high = bounds
    if skip == 0 or skip < sought.edge:
        below, before = high, 0
    elif sought.first.hour is not None:
        below, before = (sought.first.hour + 1) * HOUR_MS, sought.first.newer
    elif _has_oldest_edge(whole):
        return Seek(_id(low), lowest(whole.low * HOUR_MS), skip - sought.calls)
    else:
        return NOWHERE
    if skip + limit <= sought.edge:
        least = whole.high * HOUR_MS
    elif sought.last.hour is not None:
        least = sought.last.hour * HOUR_MS
    elif low is None and sought.oldest is not None:
        least = sought.oldest * HOUR_MS
    else:
        return Seek(_id(low), _id(below), skip - before)
    return Seek(lowest(least), _id(below), skip - before)


def _has_oldest_edge(whole: Span) -> bool:
    return whole.start is not None and any(end == whole.start * HOUR_MS for _, end in whole.edges)


def _known(query: CallQuery) -> bool:
    """True where the rollups know what is asked for."""
    return query.phone_number is None and query.external_id is None and not query.extra


def _timed(query: CallQuery) -> bool:
    return query.min_duration is not None or query.max_duration is not None


def _measure(query: CallQuery, parameters: Parameters) -> Measure:
    """What is counted of each row: the calls with the query's status, sentiment and durations."""
    return calls_in(parameters, _cells(query), query.min_duration, query.max_duration)


def _counted(query: CallQuery, wanted: Slice) -> Counted:
    values = Values()
    return Counted(wanted, _measure(query, values), values)


def _slice(query: CallQuery) -> Slice:
    return Slice(
        owner_id=query.owner_id,
        agent_id=query.agent_id,
        campaign_id=query.campaign_id,
        spans=(span(*_bounds(query)),),
    )


def _bounds(query: CallQuery) -> tuple[int | None, int | None]:
    """The range in milliseconds. Calls carry whole ones, so a bound between two means the later."""
    start, end = (None if moment is None else ceiling_of(moment) for moment in (query.start, query.end))
    return start, end


def _cells(query: CallQuery) -> list[int] | None:
    if query.status is None and query.sentiment is None:
        return None
    statuses = None if query.status is None else [query.status.value]
    return numbers(statuses, None if query.sentiment is None else [query.sentiment.value])


def _id(milliseconds: int | None) -> UUID | None:
    return None if milliseconds is None else lowest(milliseconds)
