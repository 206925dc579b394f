"""The courier: a loop in every worker that sends what is due.

A delivery is claimed by moving its `due_at` to the end of a lease, in a statement of its own: no transaction is open
while a receiver takes its time, and if the worker dies, the delivery is due again when the lease has ended.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from uuid import UUID

import aiohttp
from voicera import Resources, __version__, encode

from voicera_webhooks.queries import outbox
from voicera_webhooks.queries.outbox import Claimed
from voicera_webhooks.service import sending, targets
from voicera_webhooks.settings import WebhooksSettings

STATE = "webhooks"
LEASE = timedelta(minutes=1)  # well above the time-out of an attempt
MOST_EACH = 8
FORGET_EVERY = 3600.0
FORGET_AT_ONCE = 5_000
LEAVING_SECONDS = 5.0
WRITERS = 2  # connections that take outcomes down at once: the pool is there for requests in the first place


@dataclass(frozen=True, slots=True)
class Courier:
    """What a worker keeps: the HTTP client, the attempts under way with their webhooks, and who may write."""

    session: aiohttp.ClientSession
    flying: dict[asyncio.Task[None], UUID] = field(default_factory=dict)
    writing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(WRITERS))


@asynccontextmanager
async def kept(resources: Resources) -> AsyncIterator[None]:
    """While the worker runs, send what is due, and now and then delete what is old."""
    ours = resources.settings.of(WebhooksSettings)
    async with aiohttp.ClientSession(
        connector=targets.connector(resources.settings),
        timeout=aiohttp.ClientTimeout(total=sending.SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,  # of an answer only the beginning is kept, as it is
        headers={"User-Agent": f"VoiceERA-Webhooks/{__version__}", "Accept-Encoding": "identity"},
    ) as session:
        courier = resources.state[STATE] = Courier(session)
        every = ours.webhooks_poll_seconds
        loops = [
            resources.background.repeat("webhooks", every, partial(turn, resources)),
            resources.background.repeat("old webhook deliveries", FORGET_EVERY, partial(forget_old, resources)),
        ]
        try:
            yield
        finally:
            await _leave(courier, loops)


async def turn(resources: Resources) -> int:
    """Send all that is due, as far as no other worker does; how many attempts were made."""
    courier: Courier = resources.state[STATE]
    ours = resources.settings.of(WebhooksSettings)
    made = 0
    while True:
        flying = set(courier.flying)  # as the claim sees them: one that lands during the claim ends the wait at once
        free = ours.webhooks_at_once - len(flying)
        claimed = await _claim(resources, courier, free) if free > 0 else []
        for each in claimed:
            task = resources.background.spawn("webhook delivery", _deliver(resources, courier, each))
            courier.flying[task] = each.webhook_id
            task.add_done_callback(courier.flying.pop)
            flying.add(task)
        made += len(claimed)
        if not flying:
            return made
        await asyncio.wait(flying, timeout=ours.webhooks_poll_seconds, return_when=asyncio.FIRST_COMPLETED)


async def forget_old(resources: Resources) -> int:
    """Delete the deliveries that are older than the retention, in small batches; how many."""
    before = resources.now() - timedelta(days=resources.settings.of(WebhooksSettings).webhooks_retention_days)
    forgotten, batch = 0, FORGET_AT_ONCE
    while batch == FORGET_AT_ONCE:
        async with resources.db.connection() as connection:
            batch = await outbox.forget(connection, before, FORGET_AT_ONCE)
        forgotten += batch
    return forgotten


async def _claim(resources: Resources, courier: Courier, free: int) -> list[Claimed]:
    now, busy = resources.now(), list(set(courier.flying.values()))
    async with resources.db.connection() as connection:
        return await outbox.claim(connection, now, now + LEASE, busy=busy, most=free, most_each=MOST_EACH)


async def _deliver(resources: Resources, courier: Courier, claimed: Claimed) -> None:
    """Make one attempt, and write down how it ended."""
    began = resources.now()
    outcome = await sending.send(courier.session, resources.settings, claimed, began)
    now = resources.now()
    state, due_at = sending.next_step(outcome, claimed.tries, now)
    give_up = timedelta(days=resources.settings.of(WebhooksSettings).webhooks_give_up_days)
    attempt = {
        "at": began,
        "status": outcome.status,
        "ms": outcome.ms,
        "error": outcome.error,
        "response": outcome.response,
    }
    async with courier.writing, resources.db.connection() as connection:
        await outbox.finish(
            connection,
            claimed,
            now,
            state=state,
            due_at=due_at,
            attempt=encode(attempt).decode(),
            switch_off=sending.why_off(outcome, claimed.failing_since, now, give_up),
        )


async def _leave(courier: Courier, loops: list[asyncio.Task[None]]) -> None:
    """End the loops, let what is under way end for a moment, and give up the rest: their leases will end."""
    for loop in loops:
        loop.cancel()
    await asyncio.wait(loops)
    if courier.flying:
        await asyncio.wait(courier.flying, timeout=LEAVING_SECONDS)
    for task in list(courier.flying):
        task.cancel()
