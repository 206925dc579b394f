"""Clients that go away at any moment leave nothing behind: no connection lost, no transaction open."""

from __future__ import annotations

import asyncio
import random

import asyncpg
import orjson

from core.database import connect_options
from core.settings import Settings
from voicera.testing import Client, eventually, running_app, settings_for_tests
from voicera.testing.patience import PATIENCE

CLIENTS = 2_000
TOGETHER = 40


async def test_two_thousand_disconnects_on_transactional_routes_leave_the_pool_whole(stack: Settings) -> None:
    async with running_app(settings_for_tests(stack), migrated=True) as app:
        user = await app.client.new_user()
        chance = random.Random(7)
        gate = asyncio.Semaphore(TOGETHER)
        await asyncio.gather(*[_come_and_go(app.url, user, chance, gate, number) for number in range(CLIENTS)])
        pool = app.resources.db.pool
        await eventually(lambda: pool.get_idle_size() == pool.get_size())
        await eventually(lambda: _open_transactions(stack))
        assert (await user.get("/agents")).status == 200
        held = [await pool.acquire(timeout=PATIENCE) for _ in range(pool.get_max_size())]
        for connection in held:
            await pool.release(connection)


async def _come_and_go(url: str, user: Client, chance: random.Random, gate: asyncio.Semaphore, number: int) -> None:
    """Send a request that writes in a transaction, and hang up after up to eight milliseconds."""
    logs = [{"phone_number": "+1234567890", "status": "busy", "external_id": f"gone-{number}-{i}"} for i in range(20)]
    path, body = (
        ("/call-logs/batch", orjson.dumps(logs))
        if number % 2
        else ("/agents", orjson.dumps({"name": f"Agent {number}"}))
    )
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {user.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    host, port = url.removeprefix("http://").split(":")
    async with gate:
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(head + body)
        await asyncio.sleep(chance.random() * 0.008)  # the random moment is the point
        writer.transport.abort()


async def _open_transactions(stack: Settings) -> bool:
    connection = await asyncpg.connect(**connect_options(stack))
    try:
        found = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
        )
    finally:
        await connection.close()
    return found == 0
