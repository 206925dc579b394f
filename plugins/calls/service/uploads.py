"""Uploading a recording: from the client's stream into storage, a part at a time, so that memory stays flat.

While a part is written the next one is read. The row in PostgreSQL is what makes an object the recording; until
then the earlier one is served, and whatever goes wrong, the new object is taken away.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from plugins.calls.errors import CallNotFound
from plugins.calls.queries import recordings as queries
from plugins.calls.service import objects
from plugins.calls.service.sweep import remove_soon
from plugins.calls.service.wav import Wav, WavReader
from voicera import Multipart, Resources, Unavailable

GIVEN_UP = timedelta(hours=1)  # after its last part an upload without headway is nobody's


async def check_call(resources: Resources, owner_id: UUID, call_id: UUID) -> None:
    """Raise CallNotFound unless the owner has this call."""
    if not await resources.db.reading(lambda connection: queries.has_call(connection, owner_id, call_id)):
        raise CallNotFound


async def receive(resources: Resources, owner_id: UUID, call_id: UUID, body: AsyncIterator[bytes]) -> bool:
    """Store a WAV file as the call's recording; True if it replaced an earlier one.

    Raises NotAWav, BrokenWav, CallNotFound (the call was deleted meanwhile), and what `body` and storage raise;
    then the earlier recording is as it was. Once the last byte is here, a client that goes away changes nothing.
    """
    upload = Upload(resources, owner_id, call_id)
    try:
        async for piece in body:
            await upload.feed(piece)
        wav = upload.ended()
    except BaseException:
        upload.abandon()
        raise
    return await resources.background.finish("recording", upload.complete(wav))


class Upload:
    """One upload: fed with pieces, then completed or abandoned."""

    def __init__(self, resources: Resources, owner_id: UUID, call_id: UUID) -> None:
        self._resources = resources
        self._owner_id = owner_id
        self._call_id = call_id
        self._key = objects.new_key(owner_id, call_id)
        self._wav = WavReader()
        self._hash = sha256()
        self._size = 0
        self._part = bytearray()
        self._noted = False
        self._multipart: Multipart | None = None
        self._writing: asyncio.Task[None] | None = None

    async def feed(self, piece: bytes) -> None:
        """Take the next bytes of the file; raises NotAWav or BrokenWav."""
        self._wav.feed(piece)
        self._hash.update(piece)
        self._size += len(piece)
        while piece:
            room = objects.PART - len(self._part)
            self._part += piece[:room]
            piece = piece[room:]
            if len(self._part) == objects.PART:
                full, self._part = self._part, bytearray()
                await self._start_writing(self._write_part(full))

    def ended(self) -> Wav:
        """Say what the file is; raises BrokenWav."""
        return self._wav.finish()

    async def complete(self, wav: Wav) -> bool:
        """Write what is left, and make it the recording; True if it replaced one. Abandons itself if that fails."""
        try:
            await self._written()
            if self._multipart is None:
                await self._note()
                await self._resources.storage.put(self._key, self._part, objects.MEDIA)
            else:
                if self._part:
                    await self._resources.storage.add_part(self._multipart, self._part)
                await self._resources.storage.complete(self._multipart)
            replaced = await self._save(wav)
        except BaseException:
            self.abandon()
            raise
        if replaced is not None:
            remove_soon(self._resources, self._owner_id, replaced)
        return replaced is not None

    def abandon(self) -> None:
        """Take away, in the background, what has been written."""
        if self._noted or self._writing is not None:
            self._resources.background.spawn("abandoned recording", self._take_away())

    async def _take_away(self) -> None:
        if self._writing is not None:  # a part that arrives after the others are gone would stay for ever
            await asyncio.gather(self._writing, return_exceptions=True)
        remove_soon(self._resources, self._owner_id, self._key)

    async def _start_writing(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await self._written()
        except BaseException:
            work.close()
            raise
        self._writing = asyncio.get_running_loop().create_task(work, name="recording part")

    async def _written(self) -> None:
        if self._writing is not None:
            await asyncio.shield(self._writing)

    async def _write_part(self, part: bytearray) -> None:
        if self._multipart is None:
            await self._note()
            self._multipart = await self._resources.storage.begin(self._key, objects.MEDIA)
        await self._resources.storage.add_part(self._multipart, part)
        async with self._resources.db.connection() as connection:
            await queries.postpone(connection, self._owner_id, self._key, self._resources.now() + GIVEN_UP)

    async def _note(self) -> None:
        """Write the object down before there is one."""
        self._noted = True
        due = self._resources.now() + GIVEN_UP
        async with self._resources.db.connection() as connection:
            await queries.begin_upload(connection, self._owner_id, self._call_id, self._key, due)

    async def _save(self, wav: Wav) -> str | None:
        """The commit: from here on this is the recording. Returns the key of the object that it replaced."""
        facts = (
            self._size,
            wav.duration_ms,
            wav.format.codec,
            wav.format.channels,
            wav.format.sample_rate,
            wav.format.bits_per_sample,
            self._hash.digest(),
            self._resources.now(),
        )
        async with self._resources.db.tx() as connection:
            if not await queries.keep_call(connection, self._owner_id, self._call_id):
                raise CallNotFound
            saved = await queries.save(connection, self._owner_id, self._call_id, self._key, facts)
            if saved is None:
                raise Unavailable("the upload took too long; try again")
            replaced: str | None = saved["replaced"]
            return replaced
