"""Valkey (or Redis) through coredis: one client a worker, kept open by the task that opened it.

While the server is away the client is None: callers fall back at once instead of waiting, and a holder
task keeps trying to get it back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import coredis

from core.settings import Settings

log = logging.getLogger("voicera.cache")
CONNECT_SECONDS = 1.0
STREAM_SECONDS = 1.0
PROBE_SECONDS = 0.25
MOST_CONNECTIONS = 16


class CacheUnavailable(ConnectionError):
    """Valkey does not answer."""


class Cache:
    """The client while Valkey answers, None while it does not."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: coredis.Redis[bytes] | None = None
        self._up = asyncio.Event()
        self._tried = asyncio.Event()
        self._doubt = asyncio.Event()

    @property
    def client(self) -> coredis.Redis[bytes] | None:
        """The client, None while Valkey is away."""
        return self._client

    def require(self) -> coredis.Redis[bytes]:
        """The client; raises CacheUnavailable while Valkey is away."""
        if self._client is None:
            raise CacheUnavailable("the cache does not answer")
        return self._client

    def doubt(self) -> None:
        """Say that a command failed or was slow: the client is withheld until a probe has answered."""
        if self._client is not None:
            log.warning("the cache does not answer")
        self._client = None
        self._up.clear()
        self._doubt.set()

    async def wait_tried(self, seconds: float) -> None:
        """Wait until Valkey has answered or refused for the first time, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._tried.wait()

    async def hold(self) -> None:
        """Keep a client open until cancelled, making a new one after each failure."""
        while True:
            try:
                async with self._new_client() as client:
                    await self._watch(client)
            except* Exception as errors:  # coredis reports through its task group
                log.debug("cache connection lost", exc_info=errors)
            self._client = None
            self._up.clear()
            self._tried.set()
            await asyncio.sleep(PROBE_SECONDS)

    async def _watch(self, client: coredis.Redis[bytes]) -> None:
        """Probe until Valkey answers, hand the client out, and return to doubt when a caller says so."""
        async with asyncio.timeout(CONNECT_SECONDS + STREAM_SECONDS):
            await client.ping()
        self._doubt.clear()
        self._client = client
        self._up.set()
        self._tried.set()
        log.info("cache connected")
        await self._doubt.wait()

    def _new_client(self) -> coredis.Redis[bytes]:
        return coredis.Redis.from_url(
            self._url,
            connect_timeout=CONNECT_SECONDS,
            stream_timeout=STREAM_SECONDS,
            max_connections=MOST_CONNECTIONS,
            client_name="voicera",
        )


async def ping(cache: Cache) -> None:
    """Raise if Valkey does not answer."""
    await cache.require().ping()


@asynccontextmanager
async def open_cache(settings: Settings) -> AsyncIterator[Cache]:
    """Open the client in a task of its own; waits a moment for Valkey, and goes on without one that is away."""
    assert settings.redis_url is not None
    cache = Cache(settings.redis_url.get_secret_value())
    holder = asyncio.create_task(cache.hold(), name="cache")
    try:
        await cache.wait_tried(CONNECT_SECONDS)
        yield cache
    finally:
        holder.cancel()
        await asyncio.gather(holder, return_exceptions=True)
