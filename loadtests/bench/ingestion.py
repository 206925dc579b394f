"""Recording in batches: one worker of ours beside a raw COPY and a FastAPI service, in alternating rounds.

Every contestant has a database of its own, all copies of one: the same owner, agents, campaigns, partitions and
indexes. It is emptied before each round. The clients send what was encoded before; rows for COPY are made before.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import asyncpg
import uvloop

from loadtests.bench import calls as made
from loadtests.bench.calls import COLUMNS, Owner
from loadtests.bench.client import Post, post_all
from loadtests.bench.results import Claim, Grid, Results, alternate, middle
from loadtests.bench.stack import Memory, Program, Stack

TEMPLATE = "bench_template"
CLIENTS = 4
BATCH = 1_000
DAYS = 14
WARM_UP = 5  # batches
NDJSON, JSON = "application/x-ndjson", "application/json"
MOST_MEMORY = 300  # MiB


@dataclass(frozen=True, slots=True)
class Input:
    """The calls, as lines for services and as rows for COPY, in batches."""

    lines: list[list[bytes]]
    rows: list[list[tuple[Any, ...]]]

    @property
    def count(self) -> int:
        """How many calls these are."""
        return sum(map(len, self.rows))

    def part(self, batches: int) -> Input:
        """The first so many batches."""
        return Input(self.lines[:batches], self.rows[:batches])

    def posts(self, media: str) -> Iterator[Post]:
        """The batches as bodies."""
        for batch in self.lines:
            yield (b"[" + b",".join(batch) + b"]" if media == JSON else b"\n".join(batch)), media


@dataclass(frozen=True, slots=True)
class Contestant:
    """Somebody who records so many calls into a database."""

    name: str
    database: str
    count: int
    record: Callable[[], Coroutine[Any, Any, None]]
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """Rows a second, the most memory of the process in MiB, and the CPU that 1,000 rows take, in milliseconds.

    The CPU is that of the process (of this one, for COPY) and that of PostgreSQL. It says more than the rate where
    others use the machine too.
    """

    rate: float
    memory: float
    own: float
    database: float


def run(results: Results, stack: Stack, owner: Owner, *, count: int, rounds: int) -> None:
    """Measure, print, claim."""
    results.say(f"making {count:,} calls")
    ordered, shuffled = inputs(owner, count)
    few = ordered.part(WARM_UP)
    gc.freeze()  # millions of objects that the collector need not look at while we measure
    with contextlib.ExitStack() as stacked:
        programs = uvloop.run(_prepare(stacked, stack))
        for one in _contestants(stack, owner, programs, few, few):
            uvloop.run(stack.empty(one.database))
            uvloop.run(one.record())  # the statements are prepared and the code is warm
        contestants = _contestants(stack, owner, programs, ordered, shuffled)
        found = alternate(contestants, rounds, lambda one: _measure(results, stack, one))
    gc.unfreeze()
    _report(results, contestants, found, count)


def inputs(owner: Owner, count: int) -> tuple[Input, Input]:
    """The calls in the order of time, and in no order."""
    calls = made.make_calls(owner, count, DAYS)
    pairs = list(zip(made.lines_of(calls), made.rows_of(owner, calls), strict=True))
    ordered = _batches(pairs)
    random.Random(1).shuffle(pairs)
    return ordered, _batches(pairs)


def _batches(pairs: list[tuple[bytes, tuple[Any, ...]]]) -> Input:
    batches = [pairs[start : start + BATCH] for start in range(0, len(pairs), BATCH)]
    return Input([[line for line, _ in batch] for batch in batches], [[row for _, row in batch] for batch in batches])


async def _prepare(stacked: contextlib.ExitStack, stack: Stack) -> tuple[Program, Program, Program]:
    """Make the databases; start ours, ours without analytics, and FastAPI."""
    for name in ("ours", "bare", "copy", "fastapi"):
        await stack.create(f"bench_{name}", TEMPLATE)
    return (
        stacked.enter_context(stack.worker("bench_ours")),
        stacked.enter_context(stack.worker("bench_bare", "analytics")),
        stacked.enter_context(stack.foreign("fastapi_service", "bench_fastapi")),
    )


def _contestants(
    stack: Stack, owner: Owner, programs: tuple[Program, Program, Program], ordered: Input, shuffled: Input
) -> list[Contestant]:
    ours, bare, fastapi = programs
    copy_url = stack.url_of("bench_copy")

    def posting(program: Program, given: Input, media: str) -> Callable[[], Coroutine[Any, Any, None]]:
        async def post() -> None:
            target = f"{program.url}/call-logs/batch"
            if program is fastapi:
                target += f"?owner_id={owner.id}"
            await post_all(target, owner.token, given.posts(media), CLIENTS)

        return post

    quarter = ordered.part(-(-len(ordered.rows) // 4))  # it is slow, and its rate is the same
    whole = ordered.count
    return [
        Contestant("ours, NDJSON", "bench_ours", whole, posting(ours, ordered, NDJSON), ours.pid),
        Contestant("ours without analytics, NDJSON", "bench_bare", whole, posting(bare, ordered, NDJSON), bare.pid),
        Contestant("ours, JSON", "bench_ours", whole, posting(ours, ordered, JSON), ours.pid),
        Contestant("raw asyncpg COPY", "bench_copy", whole, lambda: _copy(copy_url, ordered)),
        Contestant("FastAPI", "bench_fastapi", quarter.count, posting(fastapi, quarter, JSON), fastapi.pid),
        Contestant("ours, NDJSON, out of order", "bench_ours", whole, posting(ours, shuffled, NDJSON), ours.pid),
        Contestant("raw asyncpg COPY, out of order", "bench_copy", whole, lambda: _copy(copy_url, shuffled)),
    ]


async def _copy(url: str, given: Input) -> None:
    """Copy batch by batch on four connections, each batch a transaction."""
    queue = iter(given.rows)
    connections = await asyncio.gather(*(asyncpg.connect(url) for _ in range(CLIENTS)))

    async def some(connection: asyncpg.Connection[Any]) -> None:
        for rows in queue:
            await connection.copy_records_to_table("call_logs", records=rows, columns=COLUMNS)

    await asyncio.gather(*map(some, connections))
    for connection in connections:
        await connection.close()


def _measure(results: Results, stack: Stack, one: Contestant) -> Round:
    uvloop.run(stack.empty(one.database))
    with Memory(one.pid) if one.pid else contextlib.nullcontext() as memory:
        pid = one.pid or os.getpid()
        before, began = stack.used(pid), time.perf_counter()
        uvloop.run(one.record())
        took = time.perf_counter() - began
        used = [(now - then) / one.count * 1e6 for now, then in zip(stack.used(pid), before, strict=True)]
    there = uvloop.run(stack.count(one.database))
    if there != one.count:
        raise SystemExit(f"{one.name}: {there} calls are there, {one.count} were acknowledged")
    found = Round(one.count / took, memory.most if memory else 0.0, *used)
    results.say(f"{one.name}: {found.rate:,.0f} rows/s; {used[0]:.1f} and {used[1]:.1f} ms of CPU a thousand")
    return found


def _report(results: Results, contestants: list[Contestant], found: list[list[Round]], count: int) -> None:
    rates = {one.name: middle([each.rate for each in rounds]) for one, rounds in zip(contestants, found, strict=True)}
    memory = {one.name: max(each.memory for each in rounds) for one, rounds in zip(contestants, found, strict=True)}
    title = f"Ingestion: {count:,} calls in batches of {BATCH:,} by {CLIENTS} clients, one process each"
    shown = Grid(title, ("", "rows/s", "lowest", "highest", "of COPY", "CPU ms/1,000", "PostgreSQL's", "MiB, most"))
    copy = rates["raw asyncpg COPY"]
    for one, rounds in zip(contestants, found, strict=True):
        beside = rates["raw asyncpg COPY, out of order"] if "out of order" in one.name else copy
        extremes = [f"{pick(each.rate for each in rounds):,.0f}" for pick in (min, max)]
        cpu = [f"{middle([getattr(each, which) for each in rounds]):.1f}" for which in ("own", "database")]
        used = f"{memory[one.name]:,.0f}" if one.pid else ""
        shown.add(one.name, f"{rates[one.name]:,.0f}", *extremes, f"{rates[one.name] / beside:.2f}", *cpu, used)
    ours = rates["ours, NDJSON"]
    turns = {one.name: rounds for one, rounds in zip(contestants, found, strict=True)}
    # Round by round: what a round has in common, such as what else the machine was doing, cancels out.
    pairs = zip(turns["ours, NDJSON"], turns["ours without analytics, NDJSON"], strict=True)
    rollups = middle([1 - each.rate / without.rate for each, without in pairs]) * 100
    claims = [
        Claim("ingestion, NDJSON, of raw COPY", ours / copy, at_least=0.5),
        Claim("ingestion, JSON, of raw COPY", rates["ours, JSON"] / copy, at_least=0.5),
        Claim(
            "ingestion out of order, of raw COPY",
            rates["ours, NDJSON, out of order"] / rates["raw asyncpg COPY, out of order"],
        ),
        Claim("ingestion, JSON, of FastAPI", rates["ours, JSON"] / rates["FastAPI"], at_least=1.5),
        Claim("cost of the rollups", rollups, "%", at_most=15),
        Claim("memory of the worker", max(memory["ours, NDJSON"], memory["ours, JSON"]), "MiB", at_most=MOST_MEMORY),
    ]
    figures = {one.name: [asdict(each) for each in rounds] for one, rounds in zip(contestants, found, strict=True)}
    results.add("ingestion", figures, claims, [shown])
