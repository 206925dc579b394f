"""Writers of one owner: over the API, at once, and never waiting for one another's figures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from plugins.analytics import deltas
from plugins.analytics.queries import recording
from plugins.analytics.service import rollups, upkeep
from plugins.calls.hookspecs import CallStatus, RecordedCall
from voicera import uuid7
from voicera.testing import Client, Running, eventually

WAITS = """
SELECT relation::regclass::text FROM pg_locks WHERE NOT granted AND relation IS NOT NULL AND relation::regclass::text
    IN ('call_deltas', 'call_rollups', 'rollup_chunks', 'call_deltas_pkey', 'call_rollups_pkey', 'rollup_lock')"""
ROW_WAITS = """
SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
    AND query ~ 'call_deltas|call_rollups|rollup_chunks'"""
FOLDING = """
SELECT count(*) FROM pg_locks WHERE granted AND relation = 'rollup_lock'::regclass AND mode = 'ExclusiveLock'"""
CALL = {"phone_number": "+1234567", "status": "in_progress", "key_phrases": ["Refund ", "refund", "billing"], "cost": 1}


async def test_the_figures_follow_a_call_through_its_life(user: Client) -> None:
    async def figures() -> tuple[int, int, float, list[Any]]:
        calls = (await user.get("/analytics/calls")).data
        phrases = (await user.get("/analytics/top-phrases")).data
        total = (await user.get("/call-logs?status=completed")).data["total"]
        assert total == calls["completed_calls"]
        return calls["total_calls"], total, calls["cost_per_call"], [each["phrase"] for each in phrases]

    made = await user.post("/call-logs", CALL)
    assert made.status == 201, made.content
    assert await figures() == (1, 0, 1.0, ["billing", "refund"])
    path = f"/call-logs/{made.data['id']}"
    change = {"status": "completed", "cost": 2.5, "key_phrases": ["REFUND"], "sentiment": "negative"}
    assert (await user.patch(path, change)).status == 200
    assert await figures() == (1, 1, 2.5, ["refund"])
    assert (await user.get("/analytics/sentiment")).data["negative_percentage"] == 100.0
    assert (await user.delete(path)).status == 204
    assert await figures() == (0, 0, 0.0, [])


class Sampler:
    """Looks for waits on the rollups, on a connection of its own that is never given back, as often as it can."""

    def __init__(self, running: Running) -> None:
        self.db = running.resources.db
        self.looks, self.folding, self.waits = 0, 0, list[dict[str, Any]]()
        self.done = asyncio.Event()

    async def run(self) -> None:
        async with self.db.connection() as connection:
            while not self.done.is_set():
                self.looks += 1
                self.waits += [dict(row) for row in await connection.fetch(WAITS)]
                self.waits += [dict(row) for row in await connection.fetch(ROW_WAITS)]
                self.folding += await connection.fetchval(FOLDING)
                await asyncio.sleep(0.001)


@asynccontextmanager
async def sampled(running: Running) -> AsyncIterator[Sampler]:
    sampler = Sampler(running)
    task = asyncio.create_task(sampler.run())
    try:
        yield sampler
    finally:
        sampler.done.set()
        await task


async def test_eight_writers_of_one_owner_never_wait_for_its_figures(
    user: Client, running: Running, months: None
) -> None:
    """And compaction, which goes on all the while, waits for none of them, nor they for it."""
    folded, writing = 0, True

    async def fold() -> None:
        nonlocal folded
        while writing:
            folded += await rollups.fold_some(running.resources)
            await asyncio.sleep(0)

    async def write() -> None:
        for _ in range(6):
            answer = await user.post("/call-logs/batch", [CALL] * 100)
            assert answer.status == 201, answer.content

    async with sampled(running) as sampler:
        folding = asyncio.create_task(fold())
        try:
            await asyncio.gather(*(write() for _ in range(8)))
        finally:
            writing = False
            await folding
    assert sampler.waits == []
    assert sampler.looks > 20
    assert sampler.folding > 0, "no fold was under way when a sample was taken"
    assert folded > 4
    assert (await user.get("/analytics/calls")).data["total_calls"] == 4_800


async def test_the_sampler_would_see_a_writer_that_waits(user: Client, running: Running) -> None:
    """The proof of the proof: a lock on the table, and a lock on a row, are seen."""
    db = running.resources.db
    await user.post("/call-logs/batch", [CALL])
    await rollups.fold_all(running.resources)
    row = "UPDATE call_rollups SET calls = calls WHERE owner_id = $1"
    owner_id = user.user["user"]["id"]
    for lock, waiting in (("LOCK TABLE call_deltas IN EXCLUSIVE MODE", None), (row, row)):
        async with sampled(running) as sampler:
            async with db.tx() as connection:
                await connection.execute(lock, *([owner_id] if "$1" in lock else []))
                if waiting is None:
                    waiter = asyncio.create_task(user.post("/call-logs/batch", [CALL]))
                else:
                    waiter = asyncio.create_task(db.pool.execute(waiting, owner_id))
                await eventually(lambda sampler=sampler: sampler.waits)
            await waiter


async def test_writers_and_readers_go_on_while_a_fold_is_held_up(user: Client, running: Running) -> None:
    """A fold that has done all and not committed yet stands in nobody's way."""
    await user.post("/call-logs/batch", [CALL] * 10)
    async with running.resources.db.tx() as connection:
        await recording.lock_rollups(connection, wait=True)
        ids = await recording.waiting(connection, 500, 500_000)
        await recording.fold(connection, ids)
        async with sampled(running) as sampler, asyncio.timeout(20):
            answers = await asyncio.gather(*(user.post("/call-logs/batch", [CALL] * 10) for _ in range(8)))
            assert {answer.status for answer in answers} == {201}
            path = f"/call-logs/{(await user.get('/call-logs?limit=1')).data['items'][0]['id']}"
            assert (await user.patch(path, {"status": "completed"})).status == 200
            assert (await user.delete(path)).status == 204
            assert (await user.get("/analytics/calls")).data["total_calls"] == 89
        assert sampler.waits == []
    assert (await user.get("/analytics/calls")).data["total_calls"] == 89


async def test_a_batch_costs_one_statement_for_its_figures(user: Client, running: Running) -> None:
    from voicera.testing import statements_of

    await user.post("/call-logs/batch", [CALL])
    async with statements_of(running) as seen:
        await user.post("/call-logs/batch", [CALL] * 500)
    assert len([query for query in seen if "INSERT INTO call_deltas" in query]) == 1
    async with statements_of(running) as seen:
        await user.get("/analytics/calls")
        await user.get("/analytics/top-phrases")
    assert len([query for query in seen if "call_rollups" in query and "INSERT" not in query and "%" not in query]) == 2


async def test_costs_beyond_what_a_bigint_holds_are_split(ledger: Any) -> None:
    """What one owner sends must never stop the folding of everybody's."""
    call = RecordedCall(uuid7(), msgspec.structs.replace(ledger.log(), cost=1e9, status=CallStatus.busy))
    delta = deltas.added([call] * 10_000)
    assert max(delta.costs) < 1 << 63
    assert (sum(delta.costs), sum(delta.calls)) == (10**19, 10_000)


async def test_high_costs_are_summed_exactly(user: Client, ledger: Any) -> None:
    batch = [{"phone_number": "+1234567", "status": "busy", "cost": 1_000_000}] * 5_000
    for _ in range(2):
        assert (await user.post("/call-logs/batch", batch)).status == 201
        assert (await user.get("/analytics/calls")).data["cost_per_call"] == 1_000_000
        await rollups.fold_all(ledger.resources)
    await upkeep.rebuild(ledger.resources, ledger.owner_id)
    assert await upkeep.check(ledger.resources, ledger.owner_id) == []
    assert (await user.get("/analytics/calls")).data["cost_per_call"] == 1_000_000
