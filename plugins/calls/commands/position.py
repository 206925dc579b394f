"""How far the import of a file has come, kept beside it, so that an import that ended early can go on."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SUFFIX = ".voicera-import"
SECONDS = 0.5


@dataclass(slots=True)
class Totals:
    """What became of the rows of a file."""

    read: int = 0
    created: int = 0
    duplicates: int = 0
    rejected: int = 0

    def add(self, other: Totals) -> None:
        """Count others in."""
        self.read += other.read
        self.created += other.created
        self.duplicates += other.duplicates
        self.rejected += other.rejected


class Position:
    """The position in one file for one owner; standard input has none."""

    def __init__(self, path: Path | None, target: str) -> None:
        self._path = None if path is None else path.with_name(path.name + SUFFIX)
        self._of: Mapping[str, Any] = {"target": target, **_marks(path)}
        self._saved = 0.0
        self.changed = False

    def load(self) -> Totals:
        """What an earlier import has counted; nothing, with `changed` set, if it was of another file or owner."""
        if self._path is None:
            return Totals()
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            totals = Totals(**kept.pop("totals"))
        except FileNotFoundError:
            return Totals()
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            kept, totals = None, Totals()
        self.changed = kept != self._of
        return Totals() if self.changed else totals

    def save(self, totals: Totals, *, now: bool = False) -> None:
        """Keep it, twice a second at most unless `now`; where the folder takes no files, it is not kept."""
        if self._path is None or (not now and time.monotonic() - self._saved < SECONDS):
            return
        self._saved = time.monotonic()
        temporary = self._path.with_name(self._path.name + ".new")
        with contextlib.suppress(OSError):
            temporary.write_text(json.dumps({**self._of, "totals": asdict(totals)}), encoding="utf-8")
            temporary.replace(self._path)

    def remove(self) -> None:
        """Forget it: the file has been imported."""
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)


def _marks(path: Path | None) -> dict[str, int]:
    """What tells that a file is still the one that it was."""
    if path is None:
        return {}
    known = path.stat()
    return {"size": known.st_size, "modified_ns": known.st_mtime_ns}
