"""Rate limits: token buckets in Valkey, shared by all workers and machines.

Checks that arrive together in one worker share a round trip. With Valkey away, the same buckets are kept
in the process, and nobody waits.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from coredis.exceptions import NoScriptError

from core.cache import Cache
from core.limits import Limit

log = logging.getLogger("voicera.ratelimit")
SCRIPT = (Path(__file__).parent / "token_bucket.lua").read_bytes()
SCRIPT_SHA = hashlib.sha1(SCRIPT, usedforsecurity=False).hexdigest().encode()
ANSWER_SECONDS = 0.1
LAST_LOOK = 0.05  # seconds
MOST_TOGETHER = 64
NOTHING = -(10**15)  # units that need not be there, however deep the debt
MOST_LOCAL_BUCKETS = 50_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a bucket said: `remaining` units, `reset` (epoch second at which it is full), `retry_after` seconds.

    `ended` is True if the caller's session was revoked, None where that could not be asked.
    """

    allowed: bool
    limit: int
    remaining: int
    reset: int
    retry_after: int
    ended: bool | None

    def headers(self) -> dict[str, str]:
        """The three headers that every answer carries."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }


@dataclass(slots=True)
class Check:
    """A check that waits for its answer."""

    bucket: bytes
    ended: bytes
    limit: Limit
    cost: int
    needed: int
    answer: asyncio.Future[Verdict]


def ended_key(owner: UUID, session: UUID) -> str:
    """The key whose presence says that a session is over; it lies in the slot of its owner's buckets."""
    return f"voicera:ended:{{{owner}}}:{session}"


class RateLimiter:
    """Takes from declared buckets, by name."""

    def __init__(self, cache: Cache, limits: Mapping[str, Limit]) -> None:
        self._cache = cache
        self._limits = dict(limits)
        self._waiting: list[Check] = []
        self._flush: asyncio.Task[None] | None = None
        self._local = LocalBuckets()

    def limit(self, name: str) -> Limit:
        """The size of a declared bucket; raises KeyError for one that nobody declared."""
        return self._limits[name]

    async def take(
        self, name: str, who: str, *, cost: int = 1, owner: UUID | None = None, session: UUID | None = None
    ) -> Verdict:
        """Take `cost` units from the bucket `name` of `who`, and look up whether `session` has ended.

        `who` is an owner's id, a client address or another key. Never raises for a Valkey that is away.
        """
        return await self._check(name, who, cost, cost, ended_key(owner, session) if owner and session else None)

    async def spend(self, name: str, who: str, cost: int, *, forced: bool = False) -> Verdict:
        """Take `cost` units that may be more than the bucket holds: it goes into debt, and the mean rate is kept.

        A cost beyond the bucket's size is allowed when the bucket is full (but for the one unit that let the
        request in); a smaller one when it is there. With `forced`, for what has been used already, always.
        """
        needed = NOTHING if forced else min(cost, self._limits[name].amount - 1)
        return await self._check(name, who, cost, needed, None)

    async def _check(self, name: str, who: str, cost: int, needed: int, ended: str | None) -> Verdict:
        limit = self._limits[name]
        key = f"voicera:limit:{{{who}}}:{name}"
        if self._cache.client is None:
            return self._local.take(key, limit, cost, needed)
        answer: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._waiting.append(Check(key.encode(), (ended or key).encode(), limit, cost, needed, answer))
        if self._flush is None:
            self._flush = asyncio.get_running_loop().create_task(self._run(), name="rate limits")
        return await answer

    async def _run(self) -> None:
        """Ask for all that wait, then for all that came meanwhile; ends when nobody waits."""
        try:
            while self._waiting:
                checks, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
                await self._ask(checks)
        finally:
            self._flush = None

    async def _ask(self, checks: list[Check]) -> None:
        try:
            async with _in_time():
                numbers = await self._script(checks)
            verdicts = [_verdict(check.limit, *numbers[i * 4 : i * 4 + 4]) for i, check in enumerate(checks)]
        except Exception as error:  # whatever it is, requests go on with the local buckets
            log.warning("rate limits fall back to this process", extra={"error": type(error).__name__})
            self._cache.doubt()
            verdicts = [self._local.take(c.bucket.decode(), c.limit, c.cost, c.needed) for c in checks]
        for check, verdict in zip(checks, verdicts, strict=True):
            if not check.answer.done():  # a waiter may have been cancelled
                check.answer.set_result(verdict)

    async def _script(self, checks: list[Check]) -> list[int]:
        client = self._cache.require()
        keys: list[bytes] = []
        arguments: list[int] = []
        for check in checks:
            keys += (check.bucket, check.ended)
            arguments += (check.limit.amount, check.limit.seconds, check.cost, check.needed)
        try:
            answer: Any = await client.evalsha(SCRIPT_SHA, keys=keys, args=arguments)
        except NoScriptError:
            answer = await client.eval(SCRIPT, keys=keys, args=arguments)
        return list(answer)


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """Raise TimeoutError when Valkey has not answered in time.

    Where something has held up the loop, timers go off before what has arrived meanwhile is read: so the time limit
    strikes only after another look.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as limit:
        timer = loop.call_later(ANSWER_SECONDS, lambda: limit.reschedule(loop.time() + LAST_LOOK))
        try:
            yield
        finally:
            timer.cancel()


class LocalBuckets:
    """The same token buckets in this process, for the time that Valkey is away."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._owed: dict[str, tuple[float, float]] = {}

    def take(self, key: str, limit: Limit, cost: int, needed: int | None = None) -> Verdict:
        """Take from a bucket; it says the same as the script would, except about sessions."""
        needed = cost if needed is None else needed
        now = self._clock()
        rate = limit.amount / limit.seconds
        owed, at = self._owed.get(key, (0.0, now))
        owed = max(0.0, owed - max(0.0, now - at) * rate)
        allowed = owed + needed <= limit.amount
        if allowed:
            owed += cost
            if len(self._owed) >= MOST_LOCAL_BUCKETS:
                self._owed.clear()
            self._owed[key] = (owed, now)
        wait = 0 if allowed else max(1, math.ceil((owed + needed - limit.amount) / rate))
        return Verdict(
            allowed, limit.amount, max(0, int(limit.amount - owed)), math.ceil(now + owed / rate), wait, None
        )


def _verdict(limit: Limit, said: int, remaining: int, reset: int, wait: int) -> Verdict:
    return Verdict(said == 1, limit.amount, max(0, remaining), reset, max(wait, 1) if said == 0 else 0, said == -1)
