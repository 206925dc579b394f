"""What the hooks cost and how they fare: figures of each plugin and hook, kept in this process."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, fields

from core.logging import redact

RUN_VARIABLE = "RUN_OF_VOICERA"  # no setting: the supervisor gives it to its workers
MOST_TEXT = 200
Key = tuple[str, str]  # plugin, hook


@dataclass(slots=True)
class Figure:
    """One hook of one plugin. `seconds` is time by the clock, waiting for others included.

    `failures` are exceptions but for an ApiError that refuses a request; `timeouts` are calls that a time limit cut
    off; `skipped` and `blocked` (calls that held the event loop) are of after-events. `last_error` is a type and one
    line.
    """

    calls: int = 0
    seconds: float = 0.0
    failures: int = 0
    timeouts: int = 0
    skipped: int = 0
    blocked: int = 0
    last_error: str | None = None

    def took(self, seconds: float) -> None:
        """Count one call."""
        self.calls += 1
        self.seconds += seconds

    def failed(self, error: BaseException) -> None:
        """Count an exception, and remember it."""
        self.failures += 1
        self.last_error = describe(error)

    def add(self, other: Figure) -> None:
        """Add another process's figures, or an earlier time's."""
        for name in NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.last_error = self.last_error or other.last_error

    def since(self, earlier: Figure) -> Figure:
        """What came after an earlier state of the same figures."""
        numbers = {name: getattr(self, name) - getattr(earlier, name) for name in NUMBERS}
        changed = self.failures != earlier.failures or self.timeouts != earlier.timeouts
        return Figure(**numbers, last_error=self.last_error if changed else None)

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in NUMBERS)


NUMBERS = tuple(field.name for field in fields(Figure) if field.name != "last_error")


class Figures:
    """The figures of one process, and how much of them the cluster has been told.

    They are counted since the service was started: `run` is one id for a supervisor and all its workers.
    `left_out` are the plugins that this process does without, each with its error.
    """

    def __init__(self) -> None:
        self.alone = RUN_VARIABLE not in os.environ
        self.run = os.environ.get(RUN_VARIABLE) or secrets.token_hex(8)
        self.left_out: dict[str, str] = {}
        self._now: dict[Key, Figure] = {}
        self._told: dict[Key, Figure] = {}

    def of(self, plugin: str, hook: str) -> Figure:
        """The figure of one hook of one plugin, to count in."""
        return self._now.setdefault((plugin, hook), Figure())

    def items(self) -> Iterator[tuple[Key, Figure]]:
        """All figures of this process in which there is something."""
        return ((key, figure) for key, figure in self._now.items() if figure)

    def untold(self) -> dict[Key, Figure]:
        """What has been counted since the last `tell`."""
        found = {key: figure.since(self._told.get(key, Figure())) for key, figure in self._now.items()}
        return {key: figure for key, figure in found.items() if figure}

    def tell(self, told: dict[Key, Figure]) -> None:
        """Note that the cluster knows these increments."""
        for key, figure in told.items():
            self._told.setdefault(key, Figure()).add(figure)


def describe(error: BaseException) -> str:
    """An exception as its type and first line, redacted, at most 200 characters."""
    line = next(iter(str(error).splitlines()), "")
    text = f"{type(error).__name__}: {line}" if line else type(error).__name__
    return str(redact(text))[:MOST_TEXT]
