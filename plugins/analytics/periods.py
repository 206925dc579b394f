"""Time as the rollups keep it: hours since 1970 UTC, folded into days, into stretches of 16 days, and into all time.

Sixteen days and not months: a range is covered by fewer pieces, and finding a bucket is a division.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

HOUR, DAY, STRETCH, EVER = range(4)
SIZES = (1, 24, 384)
HOUR_MS = 3_600_000
END_MS = (1 << 48) - 1  # no id tells a later time
FIRST, LAST = -(1 << 31), (1 << 31) - 1


class Piece(NamedTuple):
    """Buckets of one level, from `low` up to and without `high`."""

    level: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Span:
    """A range of time: its whole hours, and the edges (milliseconds) where it cuts an hour, newest last.

    `start` and `end` are hours, None where there is no bound; there is no whole hour where they are equal.
    """

    start: int | None
    end: int | None
    edges: tuple[tuple[int, int], ...] = ()

    @property
    def empty(self) -> bool:
        """True where there is no whole hour."""
        return self.start is not None and self.end is not None and self.start >= self.end

    @property
    def low(self) -> int:
        """The first hour, as a number in any case."""
        return FIRST if self.start is None else self.start

    @property
    def high(self) -> int:
        """The hour after the last, as a number in any case."""
        return LAST if self.end is None else self.end

    def pieces(self, top: int = EVER) -> list[Piece]:
        """The fewest buckets that cover the whole hours, oldest first, none above the level `top`."""
        if self.start is None and self.end is None and top == EVER:
            return [Piece(EVER, 0, 1)]
        return list(_cover(self.low, self.high, min(top, STRETCH)))


def span(start: int | None, end: int | None) -> Span:
    """The span from `start` up to and without `end`, both in milliseconds since 1970; None leaves a bound out."""
    first = None if start is None else -(-start // HOUR_MS)
    last = None if end is None else end // HOUR_MS
    if start is not None and end is not None:
        if start >= end:
            return Span(0, 0)
        if -(-start // HOUR_MS) > end // HOUR_MS:  # within one hour
            return Span(0, 0, ((start, end),))
    edges = []
    if start is not None and first is not None and start < first * HOUR_MS:
        edges.append((start, first * HOUR_MS))
    if end is not None and last is not None and last * HOUR_MS < end:
        edges.append((last * HOUR_MS, end))
    return Span(first, last, tuple(edges))


def unfolded(start: int | None, end: int | None) -> Span:
    """The same range as one edge, without a whole hour: for what the rollups do not know."""
    return Span(0, 0, ((start or 0, END_MS if end is None else end),))


def _cover(low: int, high: int, level: int) -> Iterator[Piece]:
    if low >= high:
        return
    if level == HOUR:
        yield Piece(HOUR, low, high)
        return
    size = SIZES[level]
    first = low if low == FIRST else -(-low // size) * size
    last = high if high == LAST else high // size * size
    if first >= last:
        yield from _cover(low, high, level - 1)
        return
    yield from _cover(low, first, level - 1)
    yield Piece(level, first, last)
    yield from _cover(last, high, level - 1)
