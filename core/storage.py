"""S3 through aiobotocore: one client a worker for the service's own work, and presigning for clients.

The client is opened by a holder task when it is first needed or soon after the start: importing botocore
takes longer than starting the rest, and a worker serves before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from core.settings import Settings

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client

log = logging.getLogger("voicera.storage")
OPEN_SECONDS = 5.0


class StorageUnavailable(ConnectionError):
    """The S3 server does not answer."""


class Storage:
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

    async def presign(self, method: str, key: str, seconds: int) -> str:
        """An address at the public endpoint that lets anyone do this with this object, for so long.

        Signed here, with AWS Signature Version 4 in the query: nothing is asked of the server. Never log it.
        Raises StorageUnavailable as `client` does, since botocore is imported there.
        """
        await self.client()
        return _presigned(self._settings, method, f"{self.bucket}/{key}", seconds)

    async def hold(self) -> None:
        """Keep the client open until cancelled, in one task."""
        async with AsyncExitStack() as stack:
            make_client = await asyncio.to_thread(_import_botocore)
            client = await stack.enter_async_context(make_client(self._settings))
            self._opened.set_result(client)
            await asyncio.Event().wait()


async def ping(storage: Storage) -> None:
    """Raise if the bucket cannot be reached."""
    client = await storage.client()
    await client.head_bucket(Bucket=storage.bucket)


@asynccontextmanager
async def open_storage(settings: Settings) -> AsyncIterator[Storage]:
    """Start to open the client in a task of its own, and go on without waiting for it."""
    storage = Storage(settings)
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
