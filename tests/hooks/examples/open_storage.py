"""Keeps recordings in a directory, which nginx serves: its `secure_link` checks the addresses."""

import asyncio
import base64
import hashlib
import os
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from voicera import Multipart, Settings, Storage, StorageUnavailable, hookimpl, own_dir

SECRET = os.environ.get("NGINX_LINK_SECRET", "")


@hookimpl
def open_storage(settings: Settings) -> AbstractAsyncContextManager[Storage]:
    return opened(own_dir(settings.data_dir) / "recordings")


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Storage]:
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    yield DirectoryStorage(folder)


class DirectoryStorage:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def put(self, key: str, body: bytes | bytearray, media: str) -> None:
        multipart = await self.begin(key, media)
        await self.add_part(multipart, body)
        await self.complete(multipart)

    async def begin(self, key: str, media: str) -> Multipart:
        multipart = Multipart(key, uuid.uuid4().hex)
        await asyncio.to_thread(self._begun(multipart).touch)
        return multipart

    async def add_part(self, multipart: Multipart, body: bytes | bytearray) -> None:
        def append() -> None:
            with self._begun(multipart).open("r+b") as file:  # which raises if it was removed
                file.seek(0, os.SEEK_END)
                file.write(body)

        await asyncio.to_thread(append)

    async def complete(self, multipart: Multipart) -> None:
        await asyncio.to_thread(self._begun(multipart).replace, self._whole(multipart.key))

    async def read(self, key: str, first: int, last: int) -> bytes | None:
        def window() -> bytes | None:
            try:
                with self._whole(key).open("rb") as file:
                    file.seek(first)
                    return file.read(last + 1 - first)
            except FileNotFoundError:
                return None

        return await asyncio.to_thread(window)

    async def remove(self, key: str) -> None:
        def unlink() -> None:
            for path in self.folder.glob(f"{self._whole(key).name}*"):
                path.unlink(missing_ok=True)

        await asyncio.to_thread(unlink)

    async def presign(self, method: str, key: str, seconds: int) -> str:
        uri, until = f"/recordings/{self._whole(key).name}", int(time.time()) + seconds
        digest = hashlib.md5(f"{until}{uri} {SECRET}".encode(), usedforsecurity=False).digest()
        return f"https://recordings.example.com{uri}?until={until}&md5={base64.urlsafe_b64encode(digest).decode()}"

    async def ping(self) -> None:
        if not await asyncio.to_thread(os.access, self.folder, os.W_OK):
            raise StorageUnavailable("the directory of the recordings cannot be written")

    def _whole(self, key: str) -> Path:
        return self.folder / key.replace("/", "~")

    def _begun(self, multipart: Multipart) -> Path:
        return self.folder / f"{self._whole(multipart.key).name}.{multipart.upload_id}"
