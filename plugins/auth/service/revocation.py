"""The end of sessions: written in PostgreSQL, which is the truth, and published in Valkey, where every request looks.

A session's end is published as soon as it is committed. A job repeats that for the ends of the last seconds, whoever
wrote them, so that a Valkey that lost its last second of writes, or everything, does not bring a session back for
longer than a turn of the job.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

from coredis.tokens import PureToken

from plugins.auth.queries import sessions as queries
from plugins.auth.service.state import NAME, AuthState, make_state, state_of
from voicera import Principal, Resources, ended_key

log = logging.getLogger("voicera.auth")
REPUBLISH_SECONDS = 0.5
FORGET_SECONDS = 3600.0
TURN_SECONDS = 30.0
PUBLISH_SECONDS = 0.5
OVERLAP = timedelta(seconds=15)
MARGIN_SECONDS = 60
SENTINEL = "voicera:auth:published"
TOGETHER = 500


@asynccontextmanager
async def kept(resources: Resources) -> AsyncIterator[AuthState]:
    """Keep this plugin's state, and its jobs running, while a worker serves."""
    state = make_state(resources.settings)
    resources.state[NAME] = state
    publisher = Publisher(resources)
    resources.background.repeat("auth: publish ended sessions", REPUBLISH_SECONDS, publisher.turn)
    resources.background.repeat("auth: forget expired sessions", FORGET_SECONDS, lambda: forget_expired(resources))
    try:
        yield state
    finally:
        state.passwords.close()


async def publish_ended(resources: Resources, ended: Iterable[tuple[UUID, UUID]]) -> None:
    """Tell every worker that sessions are over, given as owner and session; the job repeats what fails here."""
    try:
        async with asyncio.timeout(PUBLISH_SECONDS):
            await _publish(resources, list(ended))
    except Exception as error:
        log.warning("an ended session is published later", extra={"error": type(error).__name__})


async def session_ended(resources: Resources, principal: Principal) -> bool:
    """Ask PostgreSQL whether a session or API key is over: the way while Valkey is away."""
    return await resources.db.reading(
        lambda connection: queries.ended(connection, principal.owner_id, principal.session_id)
    )


async def forget_expired(resources: Resources) -> None:
    """Delete sessions and refresh tokens that expired a week ago."""
    async with resources.db.tx() as connection:
        await queries.forget(connection, resources.now() - timedelta(days=7))


class Publisher:
    """The job of one worker: every half second it publishes what ended since the moment that the sentinel names.

    The sentinel is a key in Valkey, written after all that ended before its moment. So it says how complete
    Valkey is even after a crash: writes are lost from the end, and the sentinel is the last of them.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._failing = False

    async def turn(self) -> None:
        """Publish once; nothing while Valkey is away, since then PostgreSQL is asked."""
        client = self._resources.cache.client
        if client is None:
            return
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._publish_since(await client.get(SENTINEL))
            self._failing = False
        except Exception as error:
            if not self._failing:
                log.warning("ended sessions are not published", extra={"error": type(error).__name__})
            self._failing = True

    async def _publish_since(self, sentinel: bytes | None) -> None:
        async with self._resources.db.connection() as connection:
            now = await queries.clock(connection)
            earliest = now - timedelta(seconds=_lifetime(self._resources))
            since = max(earliest, datetime.fromisoformat(sentinel.decode()) - OVERLAP) if sentinel else earliest
            rows = await queries.ended_since(connection, since)
        await _publish(self._resources, [(row["owner_id"], row["id"]) for row in rows])
        client = self._resources.cache.require()
        if sentinel is None:
            await client.set(SENTINEL, now.isoformat())
        else:  # only where it still is: a Valkey that has lost everything meanwhile has lost older ends, too
            await client.set(SENTINEL, now.isoformat(), condition=PureToken.XX)


async def _publish(resources: Resources, ended: list[tuple[UUID, UUID]]) -> None:
    client = resources.cache.require() if ended else None
    seconds = _lifetime(resources)
    for start in range(0, len(ended), TOGETHER):
        assert client is not None
        async with client.pipeline(transaction=False) as pipe:
            for owner_id, session_id in ended[start : start + TOGETHER]:
                pipe.set(ended_key(owner_id, session_id), b"1", ex=seconds)


def _lifetime(resources: Resources) -> int:
    """Seconds for which an end must be known: as long as an access token could still be valid."""
    return state_of(resources).settings.access_token_seconds + MARGIN_SECONDS
