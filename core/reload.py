"""Notice that source files have changed, for development."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

INTERVAL = 0.5  # seconds
SUFFIXES = (".py", ".lua")
PACKAGES = ("core", "voicera", "plugins")


class Watcher:
    """Compares the times of change of all source files under some folders, twice a second."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._seen = self._look()
        self._next = time.monotonic() + INTERVAL

    def changed(self) -> str | None:
        """Return a file that was changed, added or removed since the last call; None if none was, or it is too soon."""
        if time.monotonic() < self._next:
            return None
        seen, self._seen = self._seen, self._look()
        self._next = time.monotonic() + INTERVAL
        different = {path for path, _ in seen.items() ^ self._seen.items()}
        return min(different, default=None)

    def _look(self) -> dict[str, int]:
        return {path: when for folder in self._folders for path, when in _sources(str(folder))}


def project_folders() -> list[Path]:
    """The folders of the service's own packages."""
    root = Path(__file__).resolve().parent.parent
    return [root / package for package in PACKAGES]


def _sources(folder: str) -> Iterator[tuple[str, int]]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if entry.name != "__pycache__":
                yield from _sources(entry.path)
        elif entry.name.endswith(SUFFIXES):
            try:
                yield entry.path, entry.stat().st_mtime_ns
            except OSError:  # removed meanwhile
                continue
