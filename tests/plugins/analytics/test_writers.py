"""Writers of one owner: over the API, at once, and never waiting for one another's figures."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from plugins.analytics import deltas
from plugins.analytics.service import rollups, upkeep
from plugins.calls.hookspecs import CallStatus, RecordedCall
from voicera import uuid7
from voicera.testing import Client, Running

WAITS = """
SELECT relation::regclass::text FROM pg_locks WHERE NOT granted AND relation IS NOT NULL AND relation::regclass::text
    IN ('call_deltas', 'call_rollups', 'rollup_chunks', 'call_deltas_pkey', 'call_rollups_pkey', 'rollup_lock')"""
ROW_WAITS = """
SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
    AND query ~ 'call_deltas|call_rollups|rollup_chunks'"""
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


async def test_eight_writers_of_one_owner_never_wait_for_its_figures(
    user: Client, running: Running, months: None
) -> None:
    db, waits, done = running.resources.db, [], asyncio.Event()

    async def sample() -> None:
        while not done.is_set():
            async with db.connection() as connection:
                waits.extend(await connection.fetch(WAITS))
                waits.extend(await connection.fetch(ROW_WAITS))
            await asyncio.sleep(0.002)

    async def fold() -> None:
        while not done.is_set():
            await rollups.fold_some(running.resources)
            await asyncio.sleep(0.01)

    async def write() -> None:
        for _ in range(6):
            answer = await user.post("/call-logs/batch", [CALL] * 100)
            assert answer.status == 201, answer.content

    others = [asyncio.create_task(work) for work in (sample(), fold())]
    try:
        await asyncio.gather(*(write() for _ in range(8)))
    finally:
        done.set()
        await asyncio.gather(*others)
    assert [dict(row) for row in waits] == []
    assert (await user.get("/analytics/calls")).data["total_calls"] == 4_800


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
