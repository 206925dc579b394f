"""What was acknowledged: an answer that counts less than that is wrong.

Each locust process keeps its own; the workers' are sent to the master, which adds them up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping


class Ledger:
    """Calls that the service has said it recorded, by the e-mail of their owner."""

    def __init__(self) -> None:
        self.created: Counter[str] = Counter()
        self.unsure: Counter[str] = Counter()
        self._unsent: Counter[str] = Counter()
        self._unsent_unsure: Counter[str] = Counter()

    def acknowledge(self, owner: str, calls: int) -> None:
        """Note so many new calls."""
        self.created[owner] += calls
        self._unsent[owner] += calls

    def doubt(self, owner: str, calls: int) -> None:
        """Note so many calls that may have been recorded, or not: no good answer came."""
        self.unsure[owner] += calls
        self._unsent_unsure[owner] += calls

    def report(self) -> dict[str, dict[str, int]]:
        """What was noted since the last report."""
        found = {"created": dict(self._unsent), "unsure": dict(self._unsent_unsure)}
        self._unsent.clear()
        self._unsent_unsure.clear()
        return found

    def add(self, report: Mapping[str, Mapping[str, int]]) -> None:
        """Add the report of another process."""
        self.created.update(report["created"])
        self.unsure.update(report["unsure"])
