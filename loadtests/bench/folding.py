"""How fast what was recorded is folded into the rollups, and what figures cost while it is not folded.

Recording only notes what it adds; folding follows in the background. Here folding is held back by the lock that it
takes, so that batches pile up: figures are read from what waits, then the lock is given back and the folding is timed.
Once for calls in the order of time, once for old calls that are filled in, spread over years.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Any

import asyncpg
import uvloop

from loadtests.bench import calls as made
from loadtests.bench.calls import Owner
from loadtests.bench.client import Getter, post_all
from loadtests.bench.filling import folded, make_partitions
from loadtests.bench.ingestion import BATCH, CLIENTS, NDJSON
from loadtests.bench.results import Grid, Results, Times, middle
from loadtests.bench.stack import Stack

TEMPLATE = "bench_template"
DATABASE = "bench_folding"
KINDS = {"in the order of time": 14, "filled in, over five years": 1_826}  # days
ENDPOINTS = ("/analytics/calls", "/analytics/top-phrases", "/call-logs?limit=50")
LOCK = "LOCK TABLE rollup_lock IN EXCLUSIVE MODE"
REQUESTS, WARM_UP = 40, 8


@dataclass(frozen=True, slots=True)
class Turn:
    """Calls a second that were recorded and that were folded, and milliseconds to answer before folding and after."""

    recorded: float
    folded: float
    waiting: dict[str, Times]
    settled: dict[str, Times]


def run(results: Results, stack: Stack, owner: Owner, *, batches: int, rounds: int) -> None:
    """Measure and print; there is no target."""
    uvloop.run(stack.create(DATABASE, TEMPLATE))
    uvloop.run(make_partitions(stack.url_of(DATABASE), max(KINDS.values())))
    found: dict[str, list[Turn]] = {name: [] for name in KINDS}
    with stack.worker(DATABASE) as program:
        for number in range(rounds):
            for name, days in KINDS.items():
                calls = made.make_calls(owner, batches * BATCH + number, days)
                if days != min(KINDS.values()):
                    random.Random(1).shuffle(calls)
                lines = made.lines_of(calls)
                uvloop.run(stack.empty(DATABASE))
                found[name].append(uvloop.run(_turn(stack, program.url, owner, lines)))
                results.say(f"{name}: {found[name][-1].folded:,.0f} calls folded a second")
    _report(results, found, batches)


async def _turn(stack: Stack, url: str, owner: Owner, lines: list[bytes]) -> Turn:
    posts = [(b"\n".join(lines[at : at + BATCH]), NDJSON) for at in range(0, len(lines), BATCH)]
    database = stack.url_of(DATABASE)
    with Getter(url, owner.token) as getter:
        async with _held(database):
            began = time.perf_counter()
            await post_all(f"{url}/call-logs/batch", owner.token, posts, CLIENTS)
            recorded = time.perf_counter() - began
            waiting = _ask(getter)
        took = await folded(database)
        return Turn(len(lines) / recorded, len(lines) / took, waiting, _ask(getter))


@contextlib.asynccontextmanager
async def _held(url: str) -> AsyncIterator[None]:
    """Keep the lock of the rollups, so that nobody folds."""
    connection: Any = await asyncpg.connect(url)
    async with connection.transaction():
        await connection.execute(LOCK)
        yield
    await connection.close()


def _ask(getter: Getter) -> dict[str, Times]:
    found = {}
    for path in ENDPOINTS:
        getter.times(path, WARM_UP)
        found[path] = Times.of(getter.times(path, REQUESTS))
    return found


def _report(results: Results, found: dict[str, list[Turn]], batches: int) -> None:
    title = f"Folding: {batches} batches of {BATCH:,} calls that wait, one worker"
    speeds = Grid(title, ("", "recorded a second, by " + f"{CLIENTS} clients", "folded a second"))
    times = Grid(
        f"Milliseconds to answer, one client, p50: while {batches * BATCH:,} calls wait, and when they are folded",
        ("", "calls", "waiting", "folded"),
        labels=2,
    )
    for name, turns in found.items():
        rates = (middle([getattr(each, which) for each in turns]) for which in ("recorded", "folded"))
        speeds.add(name, *(f"{rate:,.0f}" for rate in rates))
        for path in ENDPOINTS:
            both = (middle([getattr(each, which)[path].p50 for each in turns]) for which in ("waiting", "settled"))
            times.add(path, name, *(f"{value:.2f}" for value in both))
    figures = {name: [asdict(each) for each in turns] for name, turns in found.items()}
    results.add("folding", figures, [], [speeds, times])
