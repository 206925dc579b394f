"""A clock that a test moves, and that the whole application reads as `resources.now()`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from core.resources import Resources, utc_now


class Clock:
    """A clock that stands still until a test moves it, so that times can be compared exactly.

    It starts at the present, in whole milliseconds, as times in answers are written. Time limits, rate limits and
    PostgreSQL's own `now()` go by the real time.
    """

    def __init__(self, start: datetime | None = None) -> None:
        now = start or utc_now()
        self._now = now.replace(microsecond=now.microsecond // 1000 * 1000)

    def __call__(self) -> datetime:
        """The time, aware, in UTC."""
        return self._now

    @property
    def now(self) -> datetime:
        """The same."""
        return self._now

    @property
    def text(self) -> str:
        """The time as it stands in answers: RFC 3339, milliseconds, `Z`."""
        return self._now.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def move(self, by: timedelta | None = None, **by_parts: float) -> datetime:
        """Go on by a timedelta or its parts, as `move(hours=1)`; return the new time. What is negative goes back."""
        self._now += (by or timedelta()) + timedelta(**by_parts)
        return self._now

    def set(self, moment: datetime) -> datetime:
        """Go to a moment, which carries its time zone; return it in UTC."""
        if moment.tzinfo is None:
            raise ValueError("give a moment with its time zone")
        self._now = moment.astimezone(UTC)
        return self._now


@contextmanager
def clock_of(resources: Resources, clock: Clock | None = None) -> Iterator[Clock]:
    """Let everything that holds these resources read `clock` (a new one, if none is given); on leaving, the real time.

    `Resources` is frozen for the code of plugins. Background work that runs in the same worker reads this clock too.
    """
    ours, theirs = clock or Clock(), resources.now
    _set_now(resources, ours)
    try:
        yield ours
    finally:
        _set_now(resources, theirs)


def _set_now(resources: Resources, now: Any) -> None:
    object.__setattr__(resources, "now", now)
