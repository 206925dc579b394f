"""The ranges of time that a client asks for: as spans, and cut into hours and days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from plugins.analytics.periods import HOUR_MS
from plugins.analytics.schemas import Filters
from voicera import BadRequest, FieldError, ceiling_of, milliseconds_of, moment_of

DAY = timedelta(days=1)
Range = tuple[int | None, int | None]


def asked(wanted: Filters, now: datetime) -> Range:
    """From when, and up to and without when, in milliseconds since 1970; None where there is no bound.

    Raises BadRequest for a date that is none, and for `days` beside dates.
    """
    if wanted.days is not None:
        if wanted.start_date is not None or wanted.end_date is not None:
            raise BadRequest([FieldError(field="days", message="cannot be given with start_date or end_date")])
        return max(0, milliseconds_of(now) // HOUR_MS - 24 * wanted.days) * HOUR_MS, None
    start = None if wanted.start_date is None else _milliseconds("start_date", wanted.start_date, end=False)
    return start, None if wanted.end_date is None else _milliseconds("end_date", wanted.end_date, end=True)


def bounded(given: Range, now: datetime, days: int, most: int) -> tuple[int, int]:
    """The same with both bounds: up to now where it has no end, so many days of it where it has no beginning.

    Raises BadRequest where it is longer than `most` days.
    """
    start, end = given
    last = milliseconds_of(now) // HOUR_MS * HOUR_MS + HOUR_MS if end is None else end
    first = max(0, last - days * 24 * HOUR_MS) if start is None else start
    if last - first > (most + 1) * 24 * HOUR_MS:
        raise BadRequest(f"a range of at most {most} days can be answered at once")
    return first, last


def hours(first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """The hours of a range: when each begins, and the part of it that lies in the range, in milliseconds."""
    for hour in range(first // HOUR_MS, -(-last // HOUR_MS)):
        began = hour * HOUR_MS
        yield began, max(began, first), min(began + HOUR_MS, last)


def days(first: int, last: int, zone: ZoneInfo) -> Iterator[tuple[date, int, int]]:
    """The local days of a range: the date, and the part of the day that lies in the range, in milliseconds."""
    if first >= last:
        return
    day = datetime.fromtimestamp(first / 1000, zone).date()
    began = first
    while began < last:
        day_after = day + DAY
        ends = min(milliseconds_of(datetime.combine(day_after, time(), zone)), last)
        if ends > began:
            yield day, began, ends
            began = ends
        day = day_after


def zone_of(name: str) -> ZoneInfo:
    """A time zone by its name; raises BadRequest for one that there is not."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # also a folder of the database, and a path
        raise BadRequest([FieldError(field="timezone", message="is not a time zone of the IANA database")]) from None


def _milliseconds(name: str, text: str, *, end: bool) -> int:
    return max(0, ceiling_of(moment_of(name, text, end=end)))
