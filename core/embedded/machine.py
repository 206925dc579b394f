"""What this machine, or the container we are in, has to offer."""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def memory() -> int:
    """Return the bytes of memory that there are, or that the container may use."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = _read("memory.max").strip()
    return min(physical, int(limit)) if limit.isdigit() else physical


def cores() -> int:
    """Return the processor cores that we may use, at least one."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read("cpu.max").strip().partition(" ")
    if quota.isdigit() and period.isdigit():
        usable = min(usable, max(1, int(quota) // int(period)))
    return usable


def _read(name: str) -> str:
    try:
        return (CGROUP / name).read_text()
    except OSError:
        return ""
