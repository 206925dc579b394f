"""Where the time of a batch goes: of the worker by lines (py-spy), and beside it that of PostgreSQL's processes."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import uvloop

from loadtests.bench.calls import Owner
from loadtests.bench.client import post_all
from loadtests.bench.ingestion import BATCH, NDJSON, TEMPLATE, inputs
from loadtests.bench.results import Grid, Results
from loadtests.bench.stack import Stack
from loadtests.service import ROOT

DATABASE = "bench_profile"
HERTZ = 500
WARM_UP = 20
LINES = 30
OURS = ("/core/", "/plugins/")


def run(results: Results, stack: Stack, owner: Owner, *, batches: int) -> None:
    """Record so many batches of 1,000 one after the other, and print where the time goes.

    Once without a profiler for the seconds, once with it for the shares.
    """
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    ordered, _ = inputs(owner, (2 * batches + WARM_UP) * BATCH)
    posts = list(ordered.posts(NDJSON))
    uvloop.run(stack.create(DATABASE, TEMPLATE))
    with stack.worker(DATABASE) as program, tempfile.NamedTemporaryFile("r") as file:
        url = f"{program.url}/call-logs/batch"
        uvloop.run(post_all(url, owner.token, posts[:WARM_UP], 1))
        before, began = stack.used(program.pid), time.perf_counter()
        uvloop.run(post_all(url, owner.token, posts[WARM_UP : WARM_UP + batches], 1))
        took = time.perf_counter() - began
        used = [(now - then) / batches * 1000 for now, then in zip(stack.used(program.pid), before, strict=True)]
        seconds = dict(zip(("wall", "worker", "PostgreSQL"), [took / batches * 1000, *used], strict=True))
        results.say("a batch of 1,000: " + ", ".join(f"{name} {each:.1f} ms" for name, each in seconds.items()))
        if spy is None:
            results.say("py-spy is not installed: no profile by lines")
            results.add("profile", {"milliseconds": seconds}, [], local=True)
            return
        # --gil: what waits in another thread does not count.
        command = [spy, "record", "--pid", str(program.pid), "--gil", "--format", "raw", "--full-filenames"]
        quiet = subprocess.DEVNULL
        watching = subprocess.Popen([*command, "--rate", str(HERTZ), "--output", file.name], stdout=quiet, stderr=quiet)
        uvloop.run(post_all(url, owner.token, posts[WARM_UP + batches :], 1))
        watching.send_signal(signal.SIGINT)
        watching.wait(30)
        stacks = [line.rsplit(" ", 1) for line in file.read().splitlines()]
    seconds["samples with the GIL"] = sum(int(count) for _, count in stacks) / HERTZ / batches * 1000
    results.say(f"holding the GIL: {seconds['samples with the GIL']:.1f} ms")
    _report(results, [(text.split(";"), int(count)) for text, count in stacks], seconds)


def _report(results: Results, stacks: list[tuple[list[str], int]], milliseconds: dict[str, float]) -> None:
    total = sum(count for _, count in stacks)
    own: Counter[str] = Counter()
    under: Counter[str] = Counter()
    for frames, count in stacks:
        own[frames[-1]] += count
        for frame in {frame for frame in frames if any(folder in frame for folder in OURS)}:
            under[frame] += count
    grids = []
    for title, counted in (("in the line itself", own), ("in a line of ours and what it calls", under)):
        shown = Grid(f"The worker's {milliseconds['worker']:.1f} ms a batch of 1,000, {title}", ("line", "share"))
        for frame, count in counted.most_common(LINES):
            shown.add(frame.replace(f"{ROOT}/", ""), f"{count / total:.1%}")
        grids.append(shown)
    shares = {
        name: {frame: round(count / total, 4) for frame, count in counted.most_common(LINES)}
        for name, counted in (("own", own), ("under", under))
    }
    results.add("profile", {"milliseconds": milliseconds, **shares}, [], grids, local=True)
