"""What goes on beside the requests: calls are added to the feed, what is old goes, and whether it can be written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial

from voicera import LOST, Resources

from voicera_activity import queries, tally
from voicera_activity.settings import ActivitySettings

TALLY_SECONDS = 5.0
DAY_SECONDS = 86_400.0
FORGET_AT_ONCE = 5_000


@asynccontextmanager
async def kept(resources: Resources) -> AsyncIterator[None]:
    """While the worker runs, add calls to the feed, and delete what is old: when it starts, and once a day."""
    tally.begin(resources)
    loops = [
        resources.background.repeat("activity of calls", TALLY_SECONDS, partial(tally.write, resources)),
        resources.background.repeat("old activity", DAY_SECONDS, partial(forget_old, resources)),
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.cancel()
        with suppress(*LOST):  # the database may have ended before us
            await tally.write(resources)


async def forget_old(resources: Resources) -> int:
    """Delete the entries that are older than they are kept, in small batches; how many."""
    before = resources.now() - timedelta(days=resources.settings.of(ActivitySettings).activity_days)
    forgotten, batch = 0, FORGET_AT_ONCE
    while batch == FORGET_AT_ONCE:
        async with resources.db.connection() as connection:
            batch = await queries.forget(connection, before, FORGET_AT_ONCE)
        forgotten += batch
    return forgotten


async def check(resources: Resources) -> None:
    """Raise where the feed cannot be written: the table is gone, is not ours to write, or the database only reads."""
    async with resources.db.connection() as connection:
        if not await queries.writable(connection):
            raise PermissionError("activity_entries cannot be written")
