"""A lock that every process of a bundled server inherits, so that it is free only when the last of them is gone.

A pid in a file says little after a crash: the process may be gone and its number in use by another. An inherited
lock cannot be wrong: who holds it was started by us on this data directory, and a second server never starts
beside an old one, whatever was killed.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

PROC = Path("/proc")


def inherit(path: Path) -> int | None:
    """Return a descriptor that holds the lock, to be given to the server; None while an earlier one is alive."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def heirs(path: Path) -> list[int]:
    """Return the pids of the processes that inherited the lock."""
    if not PROC.joinpath("self/fd").exists():
        return _heirs_by_lsof(path)
    wanted = path.stat()
    pids = [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if pid != os.getpid() and _has_open(pid, wanted)]


def _has_open(pid: int, wanted: os.stat_result) -> bool:
    try:
        with os.scandir(PROC / str(pid) / "fd") as descriptors:
            return any(_same(descriptor.path, wanted) for descriptor in descriptors)
    except OSError:  # it has ended, or is another user's
        return False


def _same(descriptor: str, wanted: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(descriptor), wanted)  # noqa: PTH116 - there may be thousands
    except OSError:
        return False


def _heirs_by_lsof(path: Path) -> list[int]:
    try:
        command = ["/usr/sbin/lsof", "-t", "--", str(path)]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return []
    return [int(line) for line in answer.stdout.split() if line.isdigit() and int(line) != os.getpid()]
