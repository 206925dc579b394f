"""`python -m loadtests.bench`, which `make bench` runs; `--help` says what can be chosen."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

import uvloop
from rich.console import Console

from loadtests.bench import analytics, folding, hooks, http_bench, ingestion, limits, listing, page, profile, singles
from loadtests.bench.calls import Owner, lines_of, make_calls, make_owner
from loadtests.bench.client import post_all
from loadtests.bench.machine import conditions
from loadtests.bench.results import Results
from loadtests.bench.stack import Stack, environment_of_others, started
from loadtests.service import ROOT

PARTS = ("http", "limits", "ingestion", "singles", "hooks", "folding", "listing", "throughput", "analytics", "profile")
ON_TEMPLATE = {"limits", "ingestion", "singles", "hooks", "folding", "profile"}
WITH_OTHERS = {"ingestion", "throughput", "analytics"}
OWNER = "bench"
WIDTH = 120


def main() -> int:
    """Run the parts that are wanted; 1 if a target is missed."""
    options = _options()
    quick = options.quick
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # what was started is ended, and removed
    out = Console()
    out.width = max(out.width, WIDTH)
    paths = [options.json] if quick or options.no_page else [options.json, page.FIGURES]
    results = Results(out, paths, conditions())
    began = time.monotonic()
    if set(options.parts) & WITH_OTHERS:
        environment_of_others()
    try:
        if "http" in options.parts:
            http_bench.run(results, rounds=1 if quick else options.rounds, seconds=1 if quick else 3)
        if set(options.parts) - {"http"}:
            with started() as stack:
                _on_stack(results, stack, options)
    finally:
        results.say(f"took {time.monotonic() - began:.0f} s")
        if page.FIGURES in paths:  # also where a later part failed: the page shows the figures that are stored
            page.write()
            results.say(f"wrote {page.PAGE} and {page.PLOT}")
    return results.finish()


def _on_stack(results: Results, stack: Stack, options: argparse.Namespace) -> None:
    rounds = 1 if options.quick else options.rounds
    if set(options.parts) & ON_TEMPLATE:
        _of_writing(results, stack, options, rounds)
    _of_reading(results, stack, options, rounds)


def _of_writing(results: Results, stack: Stack, options: argparse.Namespace, rounds: int) -> None:
    quick, owner = options.quick, template(stack)
    if "limits" in options.parts:
        limits.run(results, stack, owner, rounds=rounds, seconds=1 if quick else 3)
    if "ingestion" in options.parts:
        count = options.calls or (20_000 if quick else 200_000)
        ingestion.run(results, stack, owner, count=count, rounds=rounds)
    if "singles" in options.parts:
        singles.run(results, stack, owner, rounds=rounds, seconds=1 if quick else 4)
    if "hooks" in options.parts:
        turns = rounds if quick else rounds * 4  # percents are looked for, and each of the four begins as often
        hooks.run(results, stack, owner, batches=10 if quick else 50, rounds=turns)
    if "folding" in options.parts:
        folding.run(results, stack, owner, batches=10 if quick else 100, rounds=rounds)
    if "profile" in options.parts:
        profile.run(results, stack, owner, batches=20 if quick else 100)


def _of_reading(results: Results, stack: Stack, options: argparse.Namespace, rounds: int) -> None:
    quick = options.quick
    if "listing" in options.parts:
        sizes = options.sizes or ([1_000, 5_000, 20_000] if quick else [10_000, 90_000, 1_000_000])
        listing.run(results, stack, sizes=sizes, rounds=rounds)
    if "throughput" in options.parts:
        sizes = options.sizes or ([5_000, 20_000] if quick else [90_000, 1_000_000])
        listing.run_throughput(results, stack, sizes=sizes, rounds=rounds, seconds=1 if quick else 3)
    if "analytics" in options.parts:
        sizes = options.sizes or ([1_000, 5_000, 20_000] if quick else analytics.SIZES)
        analytics.run(results, stack, sizes=sizes, rounds=rounds)


def template(stack: Stack) -> Owner:
    """Make the database that others are copies of: an owner, agents, campaigns, and the partitions."""
    uvloop.run(stack.create(ingestion.TEMPLATE))
    stack.migrate(ingestion.TEMPLATE)
    with stack.worker(ingestion.TEMPLATE) as program:
        owner = make_owner(program.url, OWNER)
        body = b"\n".join(lines_of(make_calls(owner, 500, ingestion.DAYS)))
        posts = [(body, ingestion.NDJSON)]
        uvloop.run(post_all(f"{program.url}/call-logs/batch", owner.token, posts, 1))
    uvloop.run(stack.empty(ingestion.TEMPLATE))
    return owner


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench", description="Measure, side by side.")
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=f"what to run, of {', '.join(PARTS)}; all of it")
    parser.add_argument("--quick", action="store_true", help="small sizes and one round: whether it runs, no figures")
    parser.add_argument("--rounds", type=int, default=3, help="turns that each side gets")
    parser.add_argument("--calls", type=int, help="calls to record (200,000)")
    parser.add_argument("--sizes", type=_sizes, help="sizes of the tables that are asked: 1000,20000")
    parser.add_argument("--json", type=Path, help="where the figures go (build/bench.json)")
    parser.add_argument("--no-page", action="store_true", help="leave docs/benchmarks.md as it is, as --quick does")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if options.sizes and options.sizes != sorted(options.sizes):
        parser.error("sizes are given from the smallest to the largest")
    options.json = options.json or ROOT / "build" / ("bench-quick.json" if options.quick else "bench.json")
    return options


def _sizes(text: str) -> list[int]:
    return [int(size) for size in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
