"""`count_calls` and `seek_calls` against the calls themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from plugins.analytics.service import rollups
from plugins.calls.hookspecs import CallQuery, RecordedCall, Seek
from voicera import Resources


@dataclass
class Values:
    values: list[object] = field(default_factory=list)

    def add(self, value: object) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


async def count(resources: Resources, query: CallQuery) -> int | None:
    values = Values()
    expression = await resources.hooks.first("count_calls", query=query, parameters=values)
    if expression is None:
        return None
    found: int = await resources.db.pool.fetchval(f"SELECT {expression}", *values.values)
    return found


PAGE = """
SELECT id FROM call_logs WHERE owner_id = $1 AND ($2::uuid IS NULL OR id >= $2) AND ($3::uuid IS NULL OR id < $3)
    AND id = ANY($4) AND ($7::uuid[] = '{}' OR EXISTS (
        SELECT FROM unnest($7::uuid[], $8::uuid[]) AS range (low, high) WHERE id >= low AND id < high))
ORDER BY id DESC OFFSET $5 LIMIT $6"""


async def page(resources: Resources, query: CallQuery, matching: list[RecordedCall], skip: int, limit: int) -> Any:
    """The ids of the page that the answer to `seek_calls` leads to, and that answer."""
    async with resources.db.connection() as connection:
        seek: Seek = await resources.hooks.first(
            "seek_calls", connection=connection, query=query, skip=skip, limit=limit
        )
        ids = [call.id for call in matching]
        lows, highs = ([each[end] for each in seek.ranges] for end in (0, 1))
        bounds = (seek.lowest, seek.below, ids, seek.skip, limit, lows, highs)
        rows = await connection.fetch(PAGE, query.owner_id, *bounds)
    return [row[0] for row in rows], seek


def random_query(ledger: Any) -> CallQuery:
    dice = ledger.dice
    given: dict[str, Any] = {}
    if dice.random() < 0.4:
        given["agent_id"] = dice.choice([*ledger.agents, uuid4()])
    if dice.random() < 0.4:
        given["campaign_id"] = dice.choice(ledger.campaigns)
    a_call = dice.choice(list(ledger.calls.values())).log
    if dice.random() < 0.3:
        given["status"] = a_call.status
    if dice.random() < 0.3 and a_call.sentiment:
        given["sentiment"] = a_call.sentiment
    if dice.random() < 0.3:
        given["min_duration"] = dice.choice([0, 1, 60, 61, dice.randrange(700)])
    if dice.random() < 0.3:
        given["max_duration"] = dice.choice([0, 60, dice.randrange(700), (1 << 31) - 1])
    if dice.random() < 0.5:
        given["start"] = ledger.moment()
    if dice.random() < 0.5:
        given["end"] = ledger.moment()
    return CallQuery(owner_id=ledger.owner_id, **given)


def matches(query: CallQuery) -> Callable[[RecordedCall], bool]:
    def match(call: RecordedCall) -> bool:
        log = call.log
        same = ("agent_id", "campaign_id", "status", "sentiment")
        created = log.created_at.replace(microsecond=log.created_at.microsecond // 1000 * 1000)
        seconds = log.duration_seconds
        return (
            all(getattr(query, name) in (None, getattr(log, name)) for name in same)
            and (query.start is None or created >= query.start)
            and (query.end is None or created < query.end)
            and (query.min_duration is None or (seconds is not None and seconds >= query.min_duration))
            and (query.max_duration is None or (seconds is not None and seconds <= query.max_duration))
        )

    return match


async def test_every_count_is_exact_while_calls_come_change_and_go(ledger: Any) -> None:
    resources = ledger.resources
    for turn in range(12):
        await ledger.record(250)
        if turn % 2:
            await ledger.change(60)
        if turn % 3 == 2:
            await rollups.fold_all(resources)
        for _ in range(25):
            query = random_query(ledger)
            assert await count(resources, query) == len(ledger.newest_first(matches(query))), query


async def test_what_the_rollups_do_not_know_is_left_to_the_calls(ledger: Any) -> None:
    for given in ({"phone_number": "+1234567"}, {"external_id": "x"}, {"phone_number": "+1234567", "min_duration": 1}):
        query = CallQuery(owner_id=ledger.owner_id, **given)
        assert await count(ledger.resources, query) is None
        async with ledger.resources.db.connection() as connection:
            asked = {"connection": connection, "query": query, "skip": 0, "limit": 1}
            assert await ledger.resources.hooks.first("seek_calls", **asked) is None


async def test_every_page_is_where_the_answer_says(ledger: Any) -> None:
    sparse = 0
    for turn in range(10):
        await ledger.record(200)
        if turn % 2:
            await ledger.change(60)
        if turn % 3 == 2:
            await rollups.fold_all(ledger.resources)
        for _ in range(25):
            query = random_query(ledger)
            found = ledger.newest_first(matches(query))
            skip = ledger.dice.choice([0, ledger.dice.randrange(len(found) + 3), max(0, len(found) - 5)])
            limit = ledger.dice.choice([1, 10, 50])
            ids, seek = await page(ledger.resources, query, found, skip, limit)
            assert ids == [call.id for call in found[skip : skip + limit]], (query, skip, limit, seek)
            sparse += bool(seek.ranges)
    assert sparse > 25, "pages of few calls, which are read hour by hour"


async def test_pages_of_durations_are_found_in_recent_time_and_in_all_of_it(ledger: Any) -> None:
    """The newest calls are looked at first; the rare ones of long ago are found too, before and after folding."""
    ledger.days = 20
    await ledger.record(300)
    ledger.days, ledger.now = 5, ledger.now - timedelta(days=40)
    await ledger.record(30)
    for _ in range(2):
        for limit in (1, 20, 200):
            query = random_query(ledger)
            query = replace(query, start=None, end=None, min_duration=ledger.dice.choice([1, 650]))
            found = ledger.newest_first(matches(query))
            for skip in {0, len(found) // 2, max(0, len(found) - 2), len(found) + 1}:
                ids, seek = await page(ledger.resources, query, found, skip, limit)
                assert ids == [call.id for call in found[skip : skip + limit]], (query, skip, limit, seek)
        await rollups.fold_all(ledger.resources)


async def test_a_deep_skip_leaves_little_to_skip(ledger: Any) -> None:
    for _ in range(10):
        await ledger.record(400)
    await rollups.fold_all(ledger.resources)
    query = CallQuery(owner_id=ledger.owner_id)
    found = ledger.newest_first(matches(query))
    ids, seek = await page(ledger.resources, query, found, 3_900, 50)
    assert ids == [call.id for call in found[3_900:3_950]]
    assert seek.skip < 50  # the calls of an hour, and not 3,900


async def test_four_writers_at_once_and_folding_at_any_moment_lose_nothing(ledger: Any) -> None:
    done = asyncio.Event()

    async def write() -> None:
        for _ in range(15):
            await ledger.record(40)

    async def fold() -> None:
        while not done.is_set():
            await rollups.fold_some(ledger.resources)
            await asyncio.sleep(0)

    async def read() -> None:
        least = 0
        while not done.is_set():
            known = len(ledger.calls)  # acknowledged, so they count
            seen = await count(ledger.resources, CallQuery(owner_id=ledger.owner_id))
            assert seen is not None
            assert seen >= max(known, least)
            least = seen

    others = [asyncio.create_task(work) for work in (fold(), fold(), read())]
    try:
        await asyncio.gather(*(write() for _ in range(4)))
    finally:
        done.set()
        await asyncio.gather(*others)
    assert await count(ledger.resources, CallQuery(owner_id=ledger.owner_id)) == len(ledger.calls) == 2_400
