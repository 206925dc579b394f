"""How long to wait before the next attempt at something that keeps failing."""

from __future__ import annotations

FIRST = 0.1  # seconds
LONGEST = 5.0
CALM = 1.0  # what has served for so many seconds did not die young


class Backoff:
    """Delays that begin with none and double from 0.1 to 5 seconds while the deaths are young ones."""

    def __init__(self) -> None:
        self.failures = 0

    def delay(self, served: float = 0.0) -> float:
        """Count a death after so many seconds of service, and return the seconds to wait before the next attempt."""
        self.failures = 1 if served >= CALM else self.failures + 1
        return 0.0 if self.failures == 1 else min(LONGEST, FIRST * 2.0 ** min(self.failures - 2, 10))
