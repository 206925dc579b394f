"""Downloading a recording, in windows: no connection to storage is held while a slow client reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from plugins.calls.errors import RecordingNotFound
from plugins.calls.queries import recordings as queries
from voicera import Resources, Unavailable

WINDOW = 1 << 20  # bytes in memory for each download,
WIDE = 4 << 20  # and for one whose client is quick: large windows are cheaper
QUICK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Stored:
    """A recording's object."""

    key: str
    size: int
    sha256: str


async def find(resources: Resources, owner_id: UUID, call_id: UUID) -> Stored:
    """The object of a call's recording; raises RecordingNotFound."""
    row = await resources.db.reading(lambda connection: queries.stored(connection, owner_id, call_id))
    if row is None:
        raise RecordingNotFound
    return Stored(row["object_key"], row["size_bytes"], row["sha256"].hex())


async def open_stored(resources: Resources, stored: Stored, first: int, last: int) -> AsyncIterator[bytes]:
    """Read bytes of an object, both ends included. The first window is here when this returns.

    Raises Unavailable if the object has just been replaced or deleted, or if storage does not answer.
    """
    begun = await _window(resources, stored, first, min(last, first + WINDOW - 1))

    async def windows() -> AsyncIterator[bytes]:
        window, at, time = begun, first, asyncio.get_running_loop().time
        while True:
            given = time()
            yield window
            at += len(window)
            if at > last:
                return
            size = WIDE if time() - given < QUICK_SECONDS else WINDOW
            window = await _window(resources, stored, at, min(last, at + size - 1))

    return windows()


async def _window(resources: Resources, stored: Stored, first: int, last: int) -> bytes:
    window = await resources.storage.read(stored.key, first, last)
    if not window:
        raise Unavailable("the recording has just been replaced or deleted")
    return window
