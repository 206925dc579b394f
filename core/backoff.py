"""How long to wait before the next attempt at something that keeps failing."""

from __future__ import annotations

import time

FIRST = 0.1  # seconds
LONGEST = 5.0
CALM = 30.0  # after so many seconds without a failure all is forgiven


class Backoff:
    """Delays that begin with none and double from 0.1 to 5 seconds, and begin again after a calm half minute."""

    def __init__(self) -> None:
        self.failures = 0
        self._last = 0.0

    def delay(self) -> float:
        """Count a failure, and return the seconds to wait before the next attempt."""
        now = time.monotonic()
        self.failures = self.failures + 1 if now < self._last + CALM else 1
        wait = 0.0 if self.failures == 1 else min(LONGEST, FIRST * 2 ** min(self.failures - 2, 10))
        self._last = now + wait
        return wait
