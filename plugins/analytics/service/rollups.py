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
SHARE = 6  # while calls come in, folding works one part of its time in so many: ingestion goes first
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


async def fold_some(resources: Resources) -> int:
    """Fold the oldest deltas; how many. Nothing where another worker is at it."""
    try:
        async with resources.db.connection() as connection:
            if not await recording.anything(connection):
                return 0
        async with resources.db.tx() as connection:
            await recording.lock_rollups(connection, wait=False)
            ids = await recording.waiting(connection, ROWS, WORK)
            if ids:
                await recording.fold(connection, ids)
            return len(ids)
    except asyncpg.LockNotAvailableError:
        return 0


async def fold_all(resources: Resources) -> None:
    """Fold until nothing waits."""
    while await fold_some(resources):
        pass


async def fold_in_turn(resources: Resources) -> None:
    """Fold until nothing waits: while more comes in, a sixth of the time at most; else without a pause."""
    newest = 0
    while True:
        began = monotonic()
        if not await fold_some(resources):
            return
        async with resources.db.connection() as connection:
            came = await recording.newest(connection)
        if came > newest > 0:
            await asyncio.sleep((monotonic() - began) * (SHARE - 1))
        newest = max(newest, came)
