"""A circuit breaker: what fails again and again is left alone for a while, then tried once."""

from __future__ import annotations

from collections.abc import Callable

IN_A_ROW = 5
FIRST_PAUSE = 30.0  # seconds
LONGEST_PAUSE = 300.0


class Breaker:
    """Trips after five failures in a row; tried again after 30 s, then after twice as long, up to five minutes."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._streak = 0
        self._pause = FIRST_PAUSE
        self._until: float | None = None
        self._trying = False

    @property
    def tripped(self) -> bool:
        """Whether calls are to be skipped."""
        return self._until is not None

    @property
    def pause(self) -> float:
        """Seconds from a failed try to the next."""
        return self._pause

    def may_try(self) -> bool:
        """While tripped: True if this call may go through, to see whether it works again; one at a time."""
        if self._until is None or self._trying or self._monotonic() < self._until:
            return False
        self._trying = True
        return True

    def succeeded(self, *, trying: bool) -> bool:
        """Note a good call; True if that closes it. While it is tripped only the try counts."""
        if self._until is not None and not trying:
            return False
        closed = self._until is not None
        self._streak, self._pause, self._until, self._trying = 0, FIRST_PAUSE, None, False
        return closed

    def failed(self, *, trying: bool) -> bool:
        """Note a failed call; True if that trips it."""
        if trying:
            self._trying = False
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
            self._until = self._monotonic() + self._pause
            return False
        self._streak += 1
        if self._until is not None or self._streak < IN_A_ROW:
            return False
        self._until = self._monotonic() + self._pause
        return True
