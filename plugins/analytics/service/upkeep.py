"""Proving the rollups right, making them anew, and noticing that they fell behind while the plugin was disabled."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from plugins.analytics.deltas import folded
from plugins.analytics.queries import rebuilding, recording
from plugins.analytics.queries.rebuilding import Difference
from plugins.analytics.service import rollups
from voicera import Resources

log = logging.getLogger("voicera.analytics")
KEPT_SECONDS = 300.0


async def owners(resources: Resources) -> list[UUID]:
    """Everybody who has calls, or rollups of calls."""
    async with resources.db.tx() as connection:
        await rebuilding.begin_checking(connection)
        return await rebuilding.owners(connection)


async def check(resources: Resources, owner_id: UUID) -> list[Difference]:
    """Compute an owner's rollups from the calls, and say where those that are kept differ."""
    async with resources.db.tx() as connection:
        await rebuilding.begin_checking(connection)
        return await rebuilding.differences(connection, owner_id, folded)


async def rebuild(resources: Resources, owner_id: UUID) -> None:
    """Make an owner's rollups anew, while calls come in and figures are read.

    One snapshot decides: the calls that it sees are counted, the deltas that it sees are dropped. A call and its
    delta are committed together, so what it does not see stays in a delta that is folded later. Readers see what was
    before until it commits.
    """
    async with resources.db.tx() as connection:
        await recording.begin_rebuilding(connection)
        await rebuilding.fill(connection, owner_id, folded)


async def catch_up(resources: Resources) -> Sequence[UUID]:
    """Make anew the rollups that fell behind, if nobody kept them for a while; whose they were.

    It counts calls, seconds and cost; what changed in words alone only `voicera analytics check` finds.
    """
    async with resources.db.tx() as connection:
        gap = await rebuilding.was_gap(connection, KEPT_SECONDS)
        behind = []
        if gap and await rebuilding.lock_checker(connection):
            await recording.without_limit(connection)
            behind = await rebuilding.owners_behind(connection)
    for owner_id in behind:
        log.warning("rollups are made anew", extra={"owner_id": str(owner_id)})
        await rebuild(resources, owner_id)
    return behind


@asynccontextmanager
async def kept(resources: Resources) -> AsyncIterator[None]:
    """While the worker runs: catch up, then fold what waits, and note every now and then that the rollups are kept."""
    caught_up = False

    async def look() -> None:
        nonlocal caught_up
        if not caught_up:
            await catch_up(resources)
            caught_up = True
        async with resources.db.connection() as connection:
            await rebuilding.mark(connection, KEPT_SECONDS)

    resources.background.repeat("upkeep of rollups", KEPT_SECONDS / 3, look)
    resources.background.repeat("folding of rollups", rollups.PAUSE_SECONDS, lambda: rollups.fold_in_turn(resources))
    yield
