"""Runs locust, and says what came of it: a table, a report in HTML and one in JSON."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import subprocess
import sys
import time
from argparse import Namespace
from collections import Counter
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import psutil
import uvloop
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from loadtests.accounts import Owner
from loadtests.figures import Figures, table
from loadtests.noise import Noise
from loadtests.seeding import total_of
from loadtests.service import ROOT, end, voicera

STOP_SECONDS = 30  # that users get to end what they are at
SPAWN_SECONDS = 8
FOLD_SECONDS = 120
WAITING = "SELECT EXISTS (SELECT FROM call_deltas)"
WIDTH = 110
WARNED = "/WARNING/"
out = Console(highlight=False)
out.width = max(out.width, WIDTH)


async def settle(data: Path) -> None:
    """Wait until every call is in the rollups, then tidy up as autovacuum would have done in 90 days."""
    command = [*voicera(), "env", "--data-dir", str(data)]
    text = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, cwd=ROOT).stdout  # noqa: ASYNC221
    exports = dict(word.split("=", 1) for word in shlex.split(text) if "=" in word)
    connection = await asyncpg.connect(exports["VOICERA_DATABASE_URL"])
    try:
        async with asyncio.timeout(FOLD_SECONDS):
            while await connection.fetchval(WAITING):  # noqa: ASYNC110  # another process does it
                await asyncio.sleep(0.1)
        await connection.execute("VACUUM (ANALYZE)", timeout=600)
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


def run(options: Namespace, url: str, path: Path, owners: list[Owner], *, logins: float, data: Path | None) -> int:
    """Run the scenario; 1 if anything was wrong. `data`: where a service of our own keeps what nobody else changes."""
    output = Path(options.output)
    figures_path = output / "load-figures.json"
    figures_path.unlink(missing_ok=True)
    noise = Noise()
    code = _locust(options, url, path, figures_path, logins)
    used, load = noise.figures()
    if not figures_path.exists():
        out.print(f"[red]locust ended with {code} and left no figures[/]")
        return 1
    figures = msgspec.json.decode(figures_path.read_bytes(), type=Figures)
    figures_path.unlink()
    wrong = [f"{each.count:,} times {each.name}: {each.message}" for each in figures.failures]
    wrong += [f"in the test itself: {each}" for each in figures.exceptions]
    wrong += uvloop.run(_lost(url, owners, figures, exact=data is not None))
    wrong += _differing(data) if data is not None else []
    if not figures.total.requests:
        wrong.append("not one request was sent")
    if code and not wrong:
        wrong.append(f"locust ended with {code}")
    _show(options, figures, wrong)
    used_by = ", ".join(f"{name} {each}" for name, each in used.items())
    out.print(f"{psutil.cpu_count()} processors, used: {used_by}; load average {load}", soft_wrap=True)
    logged = _warnings(output / "load-service.log") if data is not None else []
    for each in logged:
        out.print(f"[yellow]the service logged:[/] {escape(each)}", soft_wrap=True)
    machine = {"processors": psutil.cpu_count(), "used": used, "load_average": load, "logged": logged}
    _write(output / "load.json", options, figures, machine, wrong)
    out.print(f"the report: {output / 'load.html'}, {output / 'load.json'}", soft_wrap=True)
    return 1 if wrong else 0


def _locust(options: Namespace, url: str, path: Path, figures: Path, logins: float) -> int:
    command = [sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests" / "locustfile.py"), "--headless"]
    command += ["--host", url, "--users", str(options.users), "--run-time", f"{options.seconds}s"]
    command += ["--spawn-rate", str(max(1, options.users / SPAWN_SECONDS)), "--stop-timeout", str(STOP_SECONDS)]
    command += ["--html", str(Path(options.output) / "load.html"), "--only-summary", "--loglevel", "WARNING"]
    command += ["--processes", str(options.processes)] if options.processes > 1 else []
    own = {
        "LOADTEST_SCENARIO": options.scenario,
        "LOADTEST_SECONDS": options.seconds,
        "LOADTEST_PACE": options.pace,
        "LOADTEST_LOGINS": logins,
        "LOADTEST_ACCOUNTS": path.resolve(),
        "LOADTEST_FIGURES": figures.resolve(),
    }
    environment = {**os.environ, **{name: str(value) for name, value in own.items()}}
    with (Path(options.output) / "load-locust.log").open("w+b") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=log)
        try:
            _watch(process, options)
        finally:
            end(process)
        log.seek(0)
        for line in dict.fromkeys(line for line in log.read().decode(errors="replace").splitlines() if WARNED in line):
            out.print(f"[yellow]locust:[/] {line.partition(': ')[2]}", soft_wrap=True)
        return process.returncode


def _watch(process: subprocess.Popen[bytes], options: Namespace) -> None:
    """Show how far it is."""
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(f"{options.scenario}: {options.users} users", total=options.seconds)
        began = time.monotonic()
        while process.poll() is None:
            progress.update(task, completed=min(time.monotonic() - began, options.seconds))
            time.sleep(0.2)


async def _lost(url: str, owners: list[Owner], figures: Figures, *, exact: bool) -> list[str]:
    """Whose calls are fewer (or, if nobody else records any, more) than was acknowledged."""
    wrong = []
    for owner in owners:
        total = await total_of(url, owner)
        least = owner.calls + figures.created.get(owner.email, 0)
        most = least + figures.unsure.get(owner.email, 0)
        if total < least or (exact and total > most):
            wrong.append(f"{owner.email}: {total:,} calls are listed, {least:,} were acknowledged")
    return wrong


def _warnings(log: Path) -> list[str]:
    """What the service has logged as a warning or an error, and how often."""
    found: Counter[str] = Counter()
    for line in log.read_bytes().splitlines():
        with contextlib.suppress(msgspec.DecodeError):
            entry = msgspec.json.decode(line, type=dict[str, Any])
            if entry.get("level") not in ("info", "debug"):
                found[f"{entry.get('logger')}: {entry.get('message')} {entry.get('error', '')}".rstrip()] += 1
    return [f"{count:,} times {what}" for what, count in found.most_common()]


def _differing(data: Path) -> list[str]:
    """What `voicera analytics check` says, if a figure is not what the call logs say."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VOICERA_")}
    environment = {**clean, "VOICERA_DATA_DIR": str(data)}
    command = [*voicera(), "analytics", "check"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return [f"voicera analytics check: {done.stdout}{done.stderr}"] if done.returncode else []


def _show(options: Namespace, figures: Figures, wrong: list[str]) -> None:
    out.print(table(figures, options.target))
    for each in wrong:
        out.print(f"[red]failed:[/] {escape(each)}", soft_wrap=True)
    created = sum(figures.created.values())
    said = "" if wrong else "; no answer was wrong, every call is there, every figure exact"
    out.print(
        f"{options.scenario}, {options.users} users, {options.seconds} s: {created:,} calls recorded{said}",
        soft_wrap=True,
    )
    p95 = figures.total.p95
    met = "[green]met[/]" if p95 <= options.target else "[yellow]missed[/]"
    out.print(f"p95 {p95:,.0f} ms, wanted: at most {options.target:,.0f} ms: {met}")


def _write(path: Path, options: Namespace, figures: Figures, machine: dict[str, Any], wrong: list[str]) -> None:
    kept = ("scenario", "users", "seconds", "pace", "processes", "host")
    own = () if options.host else ("workers",)
    report: dict[str, Any] = {
        "options": {name: getattr(options, name) for name in (*kept, *own)},
        "machine": {**machine, "memory_gib": round(psutil.virtual_memory().total / 2**30, 1)},
        "target_ms": options.target,
        "met": figures.total.p95 <= options.target,
        "wrong": wrong,
        **msgspec.to_builtins(figures),
    }
    del report["created"], report["unsure"]
    report["calls_recorded"] = sum(figures.created.values())
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
