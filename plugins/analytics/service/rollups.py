"""Keeping the rollups: a delta with every batch, in its transaction; folded into the rollups in the background."""

from __future__ import annotations

import asyncio
from time import monotonic

import asyncpg

from plugins.analytics import deltas
from plugins.analytics.queries import recording
from plugins.calls.hookspecs import CallsChanged, CallsRecorded
from voicera import Connection, Resources

PAUSE_SECONDS = 1.0
# While calls come in, folding works so large a part of the time: ingestion goes first. But the more deltas wait, the
# longer figures take to read, so the part grows with them: with so many it works all the time.
LEAST_SHARE, URGENT = 1 / 12, 1_000
ROWS, WORK = 500, 500_000  # that are folded in one transaction


async def record(connection: Connection, batch: CallsRecorded) -> None:
    """Note what new calls add."""
    if batch.calls:
        await recording.insert_delta(connection, batch.owner_id, deltas.added(batch.calls))


async def change(connection: Connection, batch: CallsChanged) -> None:
    """Note what changed and deleted calls add and take away."""
    before = [change.before for change in batch.changes]
    after = [change.after for change in batch.changes if change.after is not None]
    if before:
        await recording.insert_delta(connection, batch.owner_id, deltas.changed(before, after))


async def fold_some(resources: Resources, *, wait: bool = False) -> int:
    """Fold the oldest deltas; how many. Nothing where another worker is at it, unless that is waited for."""
    try:
        async with resources.db.connection() as connection:
            if not await recording.anything(connection):
                return 0
        async with resources.db.tx() as connection:
            await recording.lock_rollups(connection, wait=wait)
            ids = await recording.waiting(connection, ROWS, WORK)
            if ids:
                await recording.fold(connection, ids)
            return len(ids)
    except asyncpg.LockNotAvailableError:
        if wait:
            raise
        return 0


async def fold_all(resources: Resources) -> None:
    """Fold until nothing waits, together with another worker that is at it.

    Raises LockNotAvailableError if that one takes longer than the session's lock_timeout.
    """
    while await fold_some(resources, wait=True):
        pass


async def fold_in_turn(resources: Resources) -> None:
    """Fold until nothing waits: while more comes in, a part of the time that grows with what waits; else all of it."""
    newest = 0
    while True:
        began = monotonic()
        if not await fold_some(resources):
            return
        took = monotonic() - began
        async with resources.db.connection() as connection:
            left = await recording.left(connection)
        if left.newest > newest > 0:
            await asyncio.sleep(pause_after(took, left.rows))
        newest = max(newest, left.newest)


def pause_after(seconds: float, waiting: int) -> float:
    """How many seconds to leave to ingestion after folding for `seconds`, where so many deltas wait."""
    share = min(1.0, max(LEAST_SHARE, waiting / URGENT))
    return seconds * (1 / share - 1)
