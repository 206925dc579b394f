"""What a token and a rate limit cost a request: four routes of one worker that differ in nothing else.

The routes belong to a plugin of the benchmarks. A public route without a limit is what the others are compared with.
The CPU of the worker says more than the rate where others use the machine too; that of Valkey is not in it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import uvloop

from loadtests.bench.calls import Owner
from loadtests.bench.load import CONNECTIONS, press
from loadtests.bench.results import Claim, Grid, Results, alternate, middle
from loadtests.bench.stack import Stack

TEMPLATE = "bench_template"
DATABASE = "bench_limits"
PLUGIN = "loadtests.bench.plugged.routes"
ROUTES = {
    "neither": "/bench/plain",
    "a rate limit": "/bench/limited",
    "a token": "/bench/known",
    "both": "/bench/both",
}
WITH_TOKEN = ("a token", "both")
MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Turn:
    """Requests a second, and the microseconds of the worker's CPU that a request took."""

    rate: float
    p50: float
    cpu: float


def run(results: Results, stack: Stack, owner: Owner, *, rounds: int, seconds: float) -> None:
    """Measure and print; there is no target."""
    uvloop.run(stack.create(DATABASE, TEMPLATE))
    with stack.worker(DATABASE, changes=["--plugin", PLUGIN]) as program:

        def turn(name: str) -> Turn:
            before, _ = stack.used(program.pid)
            token = owner.token if name in WITH_TOKEN else None
            found = press(f"{program.url}{ROUTES[name]}", seconds, token)
            used = stack.used(program.pid)[0] - before
            return Turn(found.rate, found.p50, used / (found.rate * seconds) * MICROSECONDS)

        for name in ROUTES:
            turn(name)
        found = dict(zip(ROUTES, alternate(list(ROUTES), rounds, turn), strict=True))
    _report(results, found)


def _report(results: Results, found: dict[str, list[Turn]]) -> None:
    title = f"An empty answer to a request with …: {CONNECTIONS} connections, one worker"
    shown = Grid(title, ("", "requests/s", "p50 ms", "of neither", "CPU µs a request", "more than neither"))
    middles = {
        name: Turn(*(middle([getattr(each, which) for each in turns]) for which in ("rate", "p50", "cpu")))
        for name, turns in found.items()
    }
    plain = middles["neither"]
    for name, each in middles.items():
        ratio, more = f"{each.rate / plain.rate:.2f}", f"{each.cpu - plain.cpu:+.0f}"
        shown.add(name, f"{each.rate:,.0f}", f"{each.p50:.1f}", ratio, f"{each.cpu:.0f}", more)
    claims = [
        Claim(f"CPU of {name}, beside neither", middles[name].cpu - plain.cpu, "µs")
        for name in ROUTES
        if name != "neither"
    ]
    figures = {name: [asdict(each) for each in turns] for name, turns in found.items()}
    results.add("limits", figures, claims, [shown])
