"""`python -m loadtests.bench`, which `make bench` runs; `--help` says what can be chosen."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import uvloop
from rich.console import Console

from loadtests.bench import http_bench, ingestion, listing, profile, singles
from loadtests.bench.calls import Owner, lines_of, make_calls, make_owner
from loadtests.bench.client import post_all
from loadtests.bench.load import generator
from loadtests.bench.results import Results
from loadtests.bench.stack import Stack, environment_of_others, started
from loadtests.service import ROOT

PARTS = ("http", "ingestion", "singles", "listing", "profile")
OWNER = "bench"
WIDTH = 120


def main() -> int:
    """Run the parts that are wanted; 1 if a target is missed."""
    options = _options()
    quick = options.quick
    out = Console()
    out.width = max(out.width, WIDTH)
    results = Results(out, options.json, generator=generator(), quick=quick)
    began = time.monotonic()
    if set(options.parts) & {"ingestion", "listing"}:
        environment_of_others()
    code = http_bench.main(["--rounds", "1", "--seconds", "1"] if quick else []) if "http" in options.parts else 0
    if set(options.parts) - {"http"}:
        with started() as stack:
            _on_stack(results, stack, options)
    results.say(f"took {time.monotonic() - began:.0f} s")
    return max(code, results.finish())


def _on_stack(results: Results, stack: Stack, options: argparse.Namespace) -> None:
    quick, rounds = options.quick, 1 if options.quick else options.rounds
    if set(options.parts) & {"ingestion", "singles", "profile"}:
        owner = template(stack)
    if "profile" in options.parts:
        profile.run(results, stack, owner, batches=20 if quick else 100)
    if "ingestion" in options.parts:
        count = options.calls or (20_000 if quick else 200_000)
        ingestion.run(results, stack, owner, count=count, rounds=rounds)
    if "singles" in options.parts:
        singles.run(results, stack, owner, rounds=rounds, seconds=1 if quick else 4)
    if "listing" in options.parts:
        sizes = options.sizes or ([1_000, 5_000, 20_000] if quick else [10_000, 100_000, 1_000_000])
        listing.run(results, stack, sizes=sizes, rounds=rounds, seconds=1 if quick else 3)


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
    parser.add_argument("--sizes", type=_sizes, help="sizes of the listed tables (10000,100000,1000000)")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench.json", help="where the figures go")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return options


def _sizes(text: str) -> list[int]:
    return [int(size) for size in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
