"""Where recordings are kept: the protocol that a backend follows, and S3 through aiobotocore.

A worker has one S3 client for the service's own work, and presigns for clients. It is opened by a holder task when it
is first needed or soon after the start: importing botocore takes longer than starting the rest, and a worker serves
before.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from core.settings import Settings

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client

log = logging.getLogger("voicera.storage")
OPEN_SECONDS = 5.0


class StorageUnavailable(ConnectionError):
    """The storage does not answer."""


@dataclass(slots=True)
class Multipart:
    """An object that is being written in parts: what the backend calls it, and what it said of each part so far."""

    key: str
    upload_id: str
    parts: list[str] = field(default_factory=list)


@runtime_checkable
class Storage(Protocol):
    """Objects by key. An object never changes once it is whole; nothing of an unfinished one can be read.

    Keys are up to 200 of `a-z 0-9 / - .`. Every method raises StorageUnavailable (or another OSError) while the
    backend is away, which clients see as 503.
    """

    async def put(self, key: str, body: bytes | bytearray, media: str) -> None:
        """Write a small object at once; `media` is its Content-Type."""
        ...

    async def begin(self, key: str, media: str) -> Multipart:
        """Begin an object of several parts."""
        ...

    async def add_part(self, multipart: Multipart, body: bytes | bytearray) -> None:
        """Write the next part: 8 MiB, but for the last. Raises if the object was removed meanwhile."""
        ...

    async def complete(self, multipart: Multipart) -> None:
        """Make the parts one object. Raises if it was removed meanwhile."""
        ...

    async def read(self, key: str, first: int, last: int) -> bytes | None:
        """Read bytes of an object, both ends included, fewer where it ends before; None if there is no such object."""
        ...

    async def remove(self, key: str) -> None:
        """Delete an object, whole or begun; nothing happens where there is none."""
        ...

    async def presign(self, method: str, key: str, seconds: int) -> str:
        """An address with which anyone may do this with this object, for so long. It is a credential: never log it."""
        ...

    async def ping(self) -> None:
        """Raise if the backend cannot be used; asked by `/readiness`."""
        ...


class S3Storage:
    """The bucket of the recordings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened: asyncio.Future[S3Client] = asyncio.get_running_loop().create_future()
        self.bucket = settings.s3_bucket

    async def client(self) -> S3Client:
        """The client for the service's own requests; raises StorageUnavailable if it cannot be opened."""
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                return await asyncio.shield(self._opened)
        except TimeoutError:
            raise StorageUnavailable("the storage client is not open") from None

    async def put(self, key: str, body: bytes | bytearray, media: str) -> None:
        """Write a small object at once."""
        client = await self.client()
        await client.put_object(Bucket=self.bucket, Key=key, Body=io.BytesIO(body), ContentType=media)

    async def begin(self, key: str, media: str) -> Multipart:
        """Begin an object of several parts; S3 takes at most 10,000, none but the last under 5 MiB."""
        client = await self.client()
        begun = await client.create_multipart_upload(Bucket=self.bucket, Key=key, ContentType=media)
        return Multipart(key, begun["UploadId"])

    async def add_part(self, multipart: Multipart, body: bytes | bytearray) -> None:
        """Write the next part."""
        client = await self.client()
        written = await client.upload_part(
            Bucket=self.bucket,
            Key=multipart.key,
            UploadId=multipart.upload_id,
            PartNumber=len(multipart.parts) + 1,
            Body=io.BytesIO(body),
        )
        multipart.parts.append(written["ETag"])

    async def complete(self, multipart: Multipart) -> None:
        """Make the parts one object."""
        client = await self.client()
        await client.complete_multipart_upload(
            Bucket=self.bucket,
            Key=multipart.key,
            UploadId=multipart.upload_id,
            MultipartUpload={
                "Parts": [{"ETag": tag, "PartNumber": at} for at, tag in enumerate(multipart.parts, start=1)]
            },
        )

    async def read(self, key: str, first: int, last: int) -> bytes | None:
        """Read bytes of an object, both ends included; None if there is no such object."""
        client = await self.client()
        try:
            answer = await client.get_object(Bucket=self.bucket, Key=key, Range=f"bytes={first}-{last}")
        except client.exceptions.NoSuchKey:
            return None
        async with answer["Body"] as body:
            window: bytes = await body.read()
            return window

    async def remove(self, key: str) -> None:
        """Delete an object, whole or begun."""
        client = await self.client()
        begun = await client.list_multipart_uploads(Bucket=self.bucket, Prefix=key)
        for upload in begun.get("Uploads", []):
            if upload["Key"] == key:
                try:
                    await client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload["UploadId"])
                except client.exceptions.NoSuchUpload:
                    continue  # completed or aborted meanwhile
        await client.delete_object(Bucket=self.bucket, Key=key)

    async def presign(self, method: str, key: str, seconds: int) -> str:
        """An address at the public endpoint, with AWS Signature Version 4 in the query.

        Signed here: nothing is asked of the server. Raises StorageUnavailable as `client` does, since botocore is
        imported there.
        """
        await self.client()
        return _presigned(self._settings, method, f"{self.bucket}/{key}", seconds)

    async def ping(self) -> None:
        """Raise if the bucket cannot be reached."""
        client = await self.client()
        await client.head_bucket(Bucket=self.bucket)

    async def hold(self) -> None:
        """Keep the client open until cancelled, in one task."""
        async with AsyncExitStack() as stack:
            make_client = await asyncio.to_thread(_import_botocore)
            client = await stack.enter_async_context(make_client(self._settings))
            self._opened.set_result(client)
            await asyncio.Event().wait()


@asynccontextmanager
async def open_s3(settings: Settings) -> AsyncIterator[Storage]:
    """Start to open the client in a task of its own, and go on without waiting for it."""
    storage = S3Storage(settings)
    holder = asyncio.create_task(storage.hold(), name="storage")
    try:
        yield storage
    finally:
        holder.cancel()
        await asyncio.gather(holder, return_exceptions=True)


def _import_botocore() -> Callable[[Settings], Any]:
    """Import what takes a second to import; runs in a thread, so that the loop serves meanwhile."""
    from aiobotocore.config import AioConfig  # noqa: PLC0415  # slow to import, see above
    from aiobotocore.session import get_session  # noqa: PLC0415

    def make_client(settings: Settings) -> Any:
        assert settings.s3_access_key_id is not None
        assert settings.s3_secret_access_key is not None
        return get_session().create_client(
            "s3",
            endpoint_url=settings.s3_endpoint_url,
            region_name=settings.s3_region,
            aws_access_key_id=settings.s3_access_key_id.get_secret_value(),
            aws_secret_access_key=settings.s3_secret_access_key.get_secret_value(),
            config=AioConfig(
                signature_version="s3v4",
                # Hashing a part of 8 MiB would stop the loop for as long as it takes.
                s3={"addressing_style": "path", "payload_signing_enabled": False},
                retries={"max_attempts": 2, "mode": "standard"},
                connect_timeout=1,
                read_timeout=5,
                max_pool_connections=32,
                request_checksum_calculation=settings.s3_checksums,
                response_checksum_validation=settings.s3_checksums,
            ),
        )

    return make_client


def _presigned(settings: Settings, method: str, path: str, seconds: int) -> str:
    from botocore.auth import S3SigV4QueryAuth  # noqa: PLC0415  # slow to import, see above
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415
    from botocore.credentials import Credentials  # noqa: PLC0415

    assert settings.s3_access_key_id is not None
    assert settings.s3_secret_access_key is not None
    base = (settings.s3_public_url or settings.s3_endpoint_url or "").rstrip("/")
    keys = Credentials(settings.s3_access_key_id.get_secret_value(), settings.s3_secret_access_key.get_secret_value())
    request = AWSRequest(method, f"{base}/{path}")
    S3SigV4QueryAuth(keys, "s3", settings.s3_region, expires=seconds).add_auth(request)
    return str(request.url)
