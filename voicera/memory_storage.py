"""A plugin that keeps recordings in memory, for tests: no S3 server is asked, and nothing outlives the process.

Give the module to an application under test beside your own; it is never found by itself. Each worker has a memory of
its own, so it is of no use to a service.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from voicera import (
    Blueprint,
    Multipart,
    NoSuchRoute,
    Reply,
    Request,
    Settings,
    Storage,
    StorageUnavailable,
    hookimpl,
    public,
    raw,
)

blueprint = Blueprint("/memory-storage", tag="Storage in memory")


class MemoryStorage:
    """Objects in a dictionary. `away = True` makes every method raise StorageUnavailable, as a server that is down."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.objects: dict[str, bytes] = {}
        self.media: dict[str, str] = {}
        self.begun: dict[str, tuple[str, list[bytes]]] = {}
        self.away = False
        self._now = now
        self._presigned: dict[str, tuple[str, str, float]] = {}

    async def put(self, key: str, body: bytes | bytearray, media: str) -> None:
        """Keep an object."""
        await self.ping()
        self.objects[key], self.media[key] = bytes(body), media

    async def begin(self, key: str, media: str) -> Multipart:
        """Begin an object of several parts."""
        await self.ping()
        upload_id = secrets.token_hex(8)
        self.begun[upload_id] = (key, [])
        self.media[key] = media
        return Multipart(key, upload_id)

    async def add_part(self, multipart: Multipart, body: bytes | bytearray) -> None:
        """Keep the next part."""
        await self.ping()
        self._parts(multipart).append(bytes(body))
        multipart.parts.append(str(len(multipart.parts) + 1))

    async def complete(self, multipart: Multipart) -> None:
        """Make the parts one object."""
        await self.ping()
        self.objects[multipart.key] = b"".join(self._parts(multipart))
        del self.begun[multipart.upload_id]

    async def read(self, key: str, first: int, last: int) -> bytes | None:
        """Bytes of an object, both ends included; None if there is none."""
        await self.ping()
        found = self.objects.get(key)
        return None if found is None else found[first : last + 1]

    async def remove(self, key: str) -> None:
        """Forget an object, whole or begun."""
        await self.ping()
        self.objects.pop(key, None)
        self.media.pop(key, None)
        self.begun = {upload: held for upload, held in self.begun.items() if held[0] != key}

    async def presign(self, method: str, key: str, seconds: int) -> str:
        """An address below the API's own, relative to it: `/memory-storage/…`, good for GET and HEAD alone."""
        await self.ping()
        token = secrets.token_urlsafe(16)
        self._presigned[token] = (method, key, self._now() + seconds)
        return f"/memory-storage/{token}"

    async def ping(self) -> None:
        """Raise StorageUnavailable if it is said to be away."""
        if self.away:
            raise StorageUnavailable("the memory is said to be away")

    def at(self, token: str) -> tuple[bytes, str] | None:
        """The object, and its media type, that a presigned address leads to; None if it does no longer."""
        method, key, until = self._presigned.get(token, ("", "", 0.0))
        found = self.objects.get(key) if method == "GET" and self._now() < until else None
        return None if found is None else (found, self.media[key])

    def _parts(self, multipart: Multipart) -> list[bytes]:
        if multipart.upload_id not in self.begun:
            raise StorageUnavailable("the object has been removed")
        return self.begun[multipart.upload_id][1]


@hookimpl
def open_storage(settings: Settings) -> AbstractAsyncContextManager[Storage]:
    """Give each worker a memory."""
    return _opened()


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    """Serve what has been presigned."""
    return [blueprint]


@blueprint.get("/{token}", reply_media="audio/wav", limit=None)
@public
async def presigned(request: Request, token: str) -> Reply:
    """Download what a presigned address leads to."""
    storage = request.resources.storage
    found = storage.at(token) if isinstance(storage, MemoryStorage) else None
    if found is None:
        raise NoSuchRoute
    body, media = found
    return raw(body, media)


@asynccontextmanager
async def _opened() -> AsyncIterator[Storage]:
    yield MemoryStorage()
