"""What the hook calls cost ingestion: a worker beside one whose verbs do nothing, and with idle listeners.

Analytics are disabled in all of them, so that nobody listens but who is measured. Each has a database of its own, a
copy of one template. The CPU of the worker is what counts: the wall time depends on PostgreSQL and on whoever else uses
the machine.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict, dataclass

import uvloop

from loadtests.bench.calls import Owner
from loadtests.bench.client import post_all
from loadtests.bench.ingestion import BATCH, DAYS, NDJSON, Input, inputs
from loadtests.bench.results import Claim, Grid, Results, alternate, middle
from loadtests.bench.stack import Program, Stack

TEMPLATE = "bench_template"
WITHOUT, NOBODY, AFTER, WITHIN = "no hook calls", "no listener", "one listener, after", "one listener, within"
CHANGES: dict[str, tuple[str, ...]] = {
    WITHOUT: ("--no-hooks",),
    NOBODY: (),
    AFTER: ("--plugin", "loadtests.bench.plugged.after"),
    WITHIN: ("--plugin", "loadtests.bench.plugged.within"),
}
WARM_UP = 20  # batches
MOST_PERCENT = 3
MILLISECONDS = 1000


@dataclass(frozen=True, slots=True)
class Turn:
    """Milliseconds that a batch took: of the worker's CPU, and by the clock."""

    cpu: float
    wall: float


def run(results: Results, stack: Stack, owner: Owner, *, batches: int, rounds: int) -> None:
    """Measure, print, claim."""
    ordered, _ = inputs(owner, batches * BATCH)
    with contextlib.ExitStack() as stacked:
        programs: dict[str, tuple[str, Program]] = {}
        for number, (name, changes) in enumerate(CHANGES.items()):
            database = f"bench_hooks_{number}"
            uvloop.run(stack.create(database, TEMPLATE))
            # Through the same start script, all of them.
            worker = stack.worker(database, "analytics", changes=changes or ("--plugin", "loadtests.bench.plugged"))
            programs[name] = (database, stacked.enter_context(worker))

        def turn(name: str, given: Input = ordered) -> Turn:
            database, program = programs[name]
            uvloop.run(stack.empty(database))
            before, began = stack.used(program.pid)[0], time.perf_counter()
            uvloop.run(post_all(f"{program.url}/call-logs/batch", owner.token, given.posts(NDJSON), 1))
            took = time.perf_counter() - began
            used = stack.used(program.pid)[0] - before
            return Turn(used / len(given.rows) * MILLISECONDS, took / len(given.rows) * MILLISECONDS)

        for name in programs:
            turn(name, ordered.part(WARM_UP))
        found = dict(zip(programs, alternate(list(programs), rounds, turn), strict=True))
    _report(results, found, batches)


def _report(results: Results, found: dict[str, list[Turn]], batches: int) -> None:
    title = f"Hooks: {batches} batches of {BATCH:,} of {DAYS} days, one client, analytics disabled"
    shown = Grid(title, ("", "CPU ms a batch", "lowest", "highest", "more", "by the clock, ms", "more"))
    cpu = {name: middle([each.cpu for each in turns]) for name, turns in found.items()}
    wall = {name: middle([each.wall for each in turns]) for name, turns in found.items()}
    percent = {name: (value / cpu[WITHOUT] - 1) * 100 for name, value in cpu.items()}
    for name, turns in found.items():
        extremes = (f"{pick(each.cpu for each in turns):.2f}" for pick in (min, max))
        slower = f"{(wall[name] / wall[WITHOUT] - 1) * 100:+.1f} %"
        shown.add(name, f"{cpu[name]:.2f}", *extremes, f"{percent[name]:+.1f} %", f"{wall[name]:.2f}", slower)
    claims = [
        Claim("CPU of the hook calls, no listener", percent[NOBODY], "%", at_most=MOST_PERCENT),
        Claim("CPU with one listener, after", percent[AFTER], "%"),
        Claim("CPU with one listener, within", percent[WITHIN], "%"),
    ]
    figures = {name: [asdict(each) for each in turns] for name, turns in found.items()}
    results.add("hooks", figures, claims, [shown])
