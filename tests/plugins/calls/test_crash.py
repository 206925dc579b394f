"""Kills during ingestion: what was acknowledged is there once, and who retries everything has exactly their calls.

The long form stands with the other chaos tests; it runs the same clients.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import aiohttp

from voicera.testing import Answer, Client

BATCH_OF = 25
RETRY_SECONDS = 0.03
STUCK_SECONDS = 120.0
PAGE_OF = 1000
ROOMY = {
    "VOICERA_RATE_LIMIT_GENERAL": "1000000/second",
    "VOICERA_RATE_LIMIT_AUTH": "1000000/second",
    "VOICERA_RATE_LIMIT_INGEST": "1000000/second",
}
LIFE = {"phone_number": "+1234567890", "status": "completed", "duration_seconds": 61, "cost": 0.25}


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


service = _load(Path(__file__).parents[2] / "core" / "service.py")


@dataclass
class Sent:
    """What one user's clients have sent and were told: external ids by batches, ids by single calls."""

    user: Client
    external_ids: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    retries: int = 0


class Ingestion:
    """Voice servers that never give up: batches, singles with an external id, singles with an Idempotency-Key."""

    def __init__(self, batches: Sent, singles: Sent, keyed: Sent, seed: int) -> None:
        self.batches, self.singles, self.keyed = batches, singles, keyed
        self._chance = random.Random(seed)
        self._over = asyncio.Event()

    @property
    def all(self) -> tuple[Sent, Sent, Sent]:
        """The three users."""
        return self.batches, self.singles, self.keyed

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send all the time; at the end whatever is under way is sent until it is acknowledged."""
        kinds: list[Callable[[], Awaitable[None]]] = [self._send_batch, self._send_single, self._send_keyed]
        tasks = [asyncio.create_task(self._work(kind)) for kind in kinds for _ in range(3)]
        try:
            yield
        finally:
            self._over.set()
            await asyncio.gather(*tasks)

    async def _work(self, send: Callable[[], Awaitable[None]]) -> None:
        while not self._over.is_set():
            await send()

    async def _send_batch(self) -> None:
        logs = [self._log(external_id=f"CA{uuid4().hex}") for _ in range(BATCH_OF)]
        answer = await until_acknowledged(self.batches, "/call-logs/batch", logs, {})
        assert answer.status == 201
        assert answer.data["created"] + answer.data["duplicates"] == BATCH_OF
        self.batches.external_ids += [log["external_id"] for log in logs]

    async def _send_single(self) -> None:
        log = self._log(external_id=f"CA{uuid4().hex}")
        answer = await until_acknowledged(self.singles, "/call-logs", log, {})
        self.singles.external_ids.append(log["external_id"])
        self.singles.ids.append(answer.data["id"])

    async def _send_keyed(self) -> None:
        answer = await until_acknowledged(self.keyed, "/call-logs", self._log(), {"Idempotency-Key": uuid4().hex})
        assert answer.status == 201
        self.keyed.ids.append(answer.data["id"])

    def _log(self, **given: Any) -> dict[str, Any]:
        month = self._chance.randrange(1, 13)
        return {**LIFE, "created_at": f"2024-{month:02d}-15T10:30:00Z", "key_phrases": ["billing"], **given}


async def until_acknowledged(sent: Sent, path: str, body: Any, headers: dict[str, str]) -> Answer:
    """Send a request until it is answered with 200 or 201; anything but a 503 or "still in flight" is a failure."""
    end = time.monotonic() + STUCK_SECONDS
    while True:
        assert time.monotonic() < end, f"{path} is not acknowledged"
        try:
            answer = await sent.user.post(path, body, headers=headers)
        except (aiohttp.ClientError, OSError, TimeoutError):
            answer = None
        if answer is not None:
            if answer.status in (200, 201):
                return answer
            in_flight = answer.code == "REQUEST_005" and "in flight" in answer.error["details"]
            assert answer.status == 503 or in_flight, answer.content
        sent.retries += 1
        await asyncio.sleep(RETRY_SECONDS)


@asynccontextmanager
async def a_service_that_ingests(folder: Path, seed: int) -> AsyncIterator[tuple[Any, Ingestion]]:
    """`voicera serve` with two workers and its own servers in a folder, and clients of three new users."""
    flags, options = {"data_dir": folder / "data", "workers": 2}, {"real": True}
    with service.Service(folder / "log", flags, options, embedded=True, environment=ROOMY) as it:
        await asyncio.to_thread(it.ready)
        host, port = it.address
        patience = aiohttp.ClientTimeout(total=15)
        async with aiohttp.ClientSession(timeout=patience, cookie_jar=aiohttp.DummyCookieJar()) as session:
            anonymous = Client(f"http://{host}:{port}", session)
            yield it, Ingestion(*[Sent(await anonymous.new_user()) for _ in range(3)], seed=seed)
        assert await asyncio.to_thread(it.end) == 0
        assert it.left() == []


async def kill_a_worker(it: Any, chance: random.Random) -> None:
    """Kill one worker; returns when it has been replaced."""
    victim = chance.choice(await asyncio.to_thread(it.workers))
    os.kill(victim, signal.SIGKILL)
    await asyncio.to_thread(service.until, lambda: len(set(it.workers()) - {victim}) == 2, what="replaced")


async def kill_postgresql(it: Any, chance: random.Random) -> None:
    """Kill the postmaster; returns when PostgreSQL is ready again."""
    times = len(it.says("postgresql ready"))
    (await asyncio.to_thread(it.child, "postgres")).kill()
    await asyncio.to_thread(it.says, "postgresql ready", count=times + 1)


async def kills(it: Any, ingestion: Ingestion, count: int, *, seed: int, pause: tuple[float, float]) -> None:
    """Kill a worker and PostgreSQL by turns while the clients send, so many times in all; then check everything."""
    chance = random.Random(seed)
    async with ingestion.running():
        for turn in range(count):
            before = [len(sent.external_ids) + len(sent.ids) for sent in ingestion.all]
            await asyncio.sleep(chance.uniform(*pause))
            await (kill_postgresql if turn % 2 else kill_a_worker)(it, chance)
            await goes_on(ingestion, before)
    assert sum(sent.retries for sent in ingestion.all) > 0
    await nothing_lost_and_nothing_twice(ingestion)


async def goes_on(ingestion: Ingestion, before: list[int]) -> None:
    """Wait until every kind of client has had something acknowledged again."""
    end = time.monotonic() + STUCK_SECONDS
    while any(len(sent.external_ids) + len(sent.ids) <= had for sent, had in zip(ingestion.all, before, strict=True)):
        assert time.monotonic() < end, "ingestion does not go on"
        await asyncio.sleep(0.02)


async def nothing_lost_and_nothing_twice(ingestion: Ingestion) -> None:
    """Compare what each user was told with what the service has: by the total, by a walk and by the analytics."""
    for sent in ingestion.all:
        items, total = await everything_of(sent.user)
        ids = [item["id"] for item in items]
        assert len(set(ids)) == len(ids) == total
        if sent.external_ids:
            assert sorted(item["external_id"] for item in items) == sorted(sent.external_ids)
        if sent.ids:
            assert sorted(ids) == sorted(sent.ids)
        figures = await sent.user.get("/analytics/calls")
        if figures.status != 404:
            assert (figures.data["total_calls"], figures.data["completed_calls"]) == (total, total)


async def everything_of(user: Client) -> tuple[list[dict[str, Any]], int]:
    """All of a user's calls by walking the pages, and the total."""
    page = (await user.get("/call-logs", params={"limit": PAGE_OF})).data
    items, total = page["items"], page["total"]
    while page["next_cursor"] is not None:
        page = (await user.get("/call-logs", params={"limit": PAGE_OF, "cursor": page["next_cursor"]})).data
        items += page["items"]
    return items, total


async def test_kills_of_a_worker_and_of_postgresql_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    async with a_service_that_ingests(tmp_path, seed=3) as (it, ingestion):
        await kills(it, ingestion, 3, seed=3, pause=(0.2, 0.6))
