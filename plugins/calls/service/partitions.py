"""Partitions of call_logs: one a month (UTC), made ahead of time, or when the first call of a month arrives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from plugins.calls.queries import partitions as queries
from voicera import Resources, after_commit, in_joined_transaction, lowest, milliseconds_of

STATE = "calls.partitions"
AHEAD = 2
CHECK_SECONDS = 3600.0
Month = tuple[int, int]


def month_of(moment: datetime) -> Month:
    """The year and month (UTC) of an aware datetime."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.year, utc.month


def name_of(month: Month) -> str:
    """The partition's table name."""
    return f"call_logs_{month[0]:04d}_{month[1]:02d}"


def after(month: Month) -> Month:
    """The month that follows."""
    year, number = month
    return (year, number + 1) if number < 12 else (year + 1, 1)


async def ensure(resources: Resources, months: Iterable[Month]) -> None:
    """Make sure that the partitions of these months exist; costs nothing where they are known to."""
    known: set[Month] = resources.state.setdefault(STATE, set())
    missing = sorted(set(months) - known)
    if missing and in_joined_transaction():
        # In that transaction: while many requests hold a connection each, none might be free for another one.
        await _make(resources, missing)
        after_commit(partial(known.update, missing))
    elif missing:
        await resources.background.finish("call log partitions", _make(resources, missing))
        known.update(missing)


async def _make(resources: Resources, months: list[Month]) -> None:
    async with resources.db.tx() as connection:
        await queries.lock_partitions(connection)
        there = await queries.partitions(connection)
        for month in months:
            if name_of(month) not in there:
                await queries.create_partition(connection, name_of(month), _start(month), _start(after(month)))


@asynccontextmanager
async def kept_ahead(resources: Resources) -> AsyncIterator[None]:
    """While the worker runs, keep the partitions of this month and the next two made."""

    async def make() -> None:
        months = [month_of(resources.now())]
        for _ in range(AHEAD):
            months.append(after(months[-1]))
        await ensure(resources, months)

    resources.background.repeat("call log partitions", CHECK_SECONDS, make)
    yield


def _start(month: Month) -> UUID:
    return lowest(milliseconds_of(datetime(*month, 1, tzinfo=UTC)))
