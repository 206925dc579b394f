"""Single calls: 64 clients on one worker of ours, beside one connection that commits each call by itself.

The one connection is measured twice: bare, which is what PostgreSQL alone can do so, and behind a bare Sanic handler
with the same 64 clients, which is what a service that commits each request by itself can do.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

from loadtests.bench import calls as made
from loadtests.bench.bare import INSERT, row_of
from loadtests.bench.calls import Owner
from loadtests.bench.client import Post, post_all
from loadtests.bench.http_bench import bare
from loadtests.bench.load import RATE, REFUSED, LoadError
from loadtests.bench.results import Claim, Grid, Results, alternate, middle
from loadtests.bench.stack import Stack
from voicera import uuid7

TEMPLATE = "bench_template"
CLIENTS = 64
CALLS = 2_000
SCRIPT = Path(__file__).with_name("singles.lua")
OURS, ONE_SERVICE, ONE_CONNECTION = "ours", "bare Sanic, one connection", "one connection alone"


def run(results: Results, stack: Stack, owner: Owner, *, rounds: int, seconds: float) -> None:
    """Measure, print, claim."""
    calls = made.make_calls(owner, CALLS, 2)
    for call in calls:
        del call["external_id"]
    lines = made.lines_of(calls)
    for name in ("ours", "one"):
        uvloop.run(stack.create(f"bench_singles_{name}", TEMPLATE))
    one_url = stack.url_of("bench_singles_one")
    rounds_run = count()
    with (
        tempfile.TemporaryDirectory() as folder,
        stack.worker("bench_singles_ours") as ours,
        bare(one_url, owner.id, 1) as service,
    ):
        file = Path(folder) / "calls.ndjson"
        file.write_bytes(b"\n".join(lines))
        contestants: list[tuple[str, Callable[[float], float]]] = [
            (OURS, lambda long: press(f"{ours.url}/call-logs", owner.token, file, next(rounds_run), long)),
            (ONE_SERVICE, lambda long: press(f"{service.url}/call-logs", owner.token, file, next(rounds_run), long)),
            (ONE_CONNECTION, lambda long: uvloop.run(_one_by_one(one_url, owner, lines, long))),
        ]
        for _, measure in contestants:
            measure(1)

        def measured(one: tuple[str, Callable[[float], float]]) -> float:
            rate = one[1](seconds)
            results.say(f"{one[0]}: {rate:,.0f} calls/s")
            return rate

        found = alternate(contestants, rounds, measured)
    _report(results, {name: rates for (name, _), rates in zip(contestants, found, strict=True)})


def press(url: str, token: str, file: Path, number: int, seconds: float) -> float:
    """Post as many calls as 64 clients can, for so long; calls a second."""
    if shutil.which("wrk"):
        command = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{max(1, round(seconds))}s", "-s", str(SCRIPT), url, "--"]
        done = subprocess.run([*command, token, str(number), str(file)], check=True, capture_output=True, text=True)
        if refused := REFUSED.search(done.stdout):
            raise LoadError(f"{url}: {refused[0]}")
        rate = RATE.search(done.stdout)
        if rate is None or not float(rate[1]):
            raise LoadError(f"{url}: no answer\n{done.stdout}{done.stderr}")
        return float(rate[1])
    until = time.perf_counter() + seconds
    began = time.perf_counter()
    sent = uvloop.run(post_all(url, token, _posts(file, number, until), CLIENTS))
    return sent / (time.perf_counter() - began)


def _posts(file: Path, number: int, until: float) -> Iterator[Post]:
    lines = file.read_bytes().split(b"\n")
    for sent in count():
        if time.perf_counter() > until:
            return
        begin = f'{{"external_id":"{number}-{sent}",'.encode()
        yield begin + lines[sent % len(lines)][1:], "application/json"


async def _one_by_one(url: str, owner: Owner, lines: list[bytes], seconds: float) -> float:
    """Insert and commit call after call."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
    rows = [row_of(owner.id, json.loads(line)) for line in lines]
    began = time.perf_counter()
    sent = 0
    while time.perf_counter() - began < seconds:
        await connection.execute(INSERT, uuid7(), *rows[sent % len(rows)])
        sent += 1
    took = time.perf_counter() - began
    await connection.close()
    return sent / took


def _report(results: Results, found: dict[str, list[float]]) -> None:
    rates = {name: middle(each) for name, each in found.items()}
    shown = Grid(f"Single calls: {CLIENTS} clients", ("", "calls/s", "lowest", "highest", "ours"))
    for name, each in found.items():
        ratio = "" if name == OURS else f"{rates[OURS] / rates[name]:.2f} x"
        shown.add(name, f"{rates[name]:,.0f}", f"{min(each):,.0f}", f"{max(each):,.0f}", ratio)
    claims = [
        Claim("single calls, of one connection alone", rates[OURS] / rates[ONE_CONNECTION], at_least=8),
        Claim("single calls, of a service with one connection", rates[OURS] / rates[ONE_SERVICE]),
    ]
    results.add("singles", {name: [round(one) for one in each] for name, each in found.items()}, claims, [shown])
