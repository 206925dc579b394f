"""Taking objects away: those that were replaced or deleted, and what uploads left that crashed.

Every such object has a row (see `queries.recordings`), which goes when the object has. What cannot be done at once
is done by the sweep.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

from plugins.calls.queries import recordings as queries
from voicera import Resources

log = logging.getLogger("voicera.calls")
EVERY_SECONDS = 300.0
NEXT_ATTEMPT = timedelta(minutes=10)
MOST = 100


def remove_soon(resources: Resources, owner_id: UUID, object_key: str) -> None:
    """Take an object away in the background, unless it is a recording; what fails is left to the sweep."""
    resources.background.spawn("recording removal", _contained(resources, owner_id, object_key))


async def sweep(resources: Resources) -> int:
    """Take away what is due; return how many objects that were. One worker at a time does something."""
    now, swept = resources.now(), 0
    while True:
        async with resources.db.tx() as connection:
            if not await queries.lock_sweep(connection):
                return swept
            claimed = await queries.claim_due(connection, now, now + NEXT_ATTEMPT, MOST)
        for owner_id, object_key in claimed:
            await _remove(resources, owner_id, object_key)
            swept += 1
        if len(claimed) < MOST:
            return swept


@asynccontextmanager
async def swept(resources: Resources) -> AsyncIterator[None]:
    """While the worker runs, sweep every five minutes."""
    resources.background.repeat("recordings sweep", EVERY_SECONDS, lambda: sweep(resources))
    yield


async def _contained(resources: Resources, owner_id: UUID, object_key: str) -> None:
    try:
        async with resources.db.connection() as connection:
            given_up = await queries.doom(connection, owner_id, object_key, resources.now() + NEXT_ATTEMPT)
        if given_up:
            await _remove(resources, owner_id, object_key)
    except Exception as error:
        log.warning("an object is left to the sweep", extra={"error": type(error).__name__})


async def _remove(resources: Resources, owner_id: UUID, object_key: str) -> None:
    await resources.storage.remove(object_key)
    async with resources.db.connection() as connection:
        await queries.removed(connection, owner_id, object_key)
