"""Notice that source files have changed, for development."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path

from core.plugins import GROUP

INTERVAL = 0.5  # seconds
SUFFIXES = (".py", ".lua")
PACKAGES = ("core", "voicera", "plugins")
INSTALLED = {"site-packages", "dist-packages"}


class Watcher:
    """Compares the times of change of all source files in some places, files or folders, twice a second."""

    def __init__(self, places: Sequence[Path]) -> None:
        self._places = places
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
        return {path: when for place in self._places for path, when in _sources(str(place))}


def project_folders() -> list[Path]:
    """The folders of the service's own packages."""
    root = Path(__file__).resolve().parent.parent
    return [root / package for package in PACKAGES]


def plugin_places() -> list[Path]:
    """Where installed plugins lie that are worked on (`pip install -e`); those that pip has copied do not change."""
    modules = {entry.module.partition(".")[0] for entry in entry_points(group=GROUP)}
    places = {place for module in modules for place in _places_of(module)}
    return sorted(place for place in places if INSTALLED.isdisjoint(place.parts))


def _places_of(module: str) -> list[Path]:
    """The folders of a package, or the file of a module; looked for without importing it."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return []  # whoever imports it will say what is wrong
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        return [Path(folder).resolve() for folder in spec.submodule_search_locations]
    return [Path(spec.origin).resolve()] if spec.has_location and spec.origin else []


def _sources(place: str) -> Iterator[tuple[str, int]]:
    try:
        entries = list(os.scandir(place))
    except NotADirectoryError:
        with contextlib.suppress(OSError):  # removed meanwhile
            yield place, Path(place).stat().st_mtime_ns
        return
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
