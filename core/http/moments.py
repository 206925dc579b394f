"""Moments in query strings: a date, or an RFC 3339 time."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Annotated

import msgspec

from core.errors import BadRequest, FieldError
from core.ids import MILLISECOND

LATEST = datetime.max.replace(tzinfo=UTC)
DAY = timedelta(days=1)


def moment_of(name: str, text: str, *, end: bool) -> datetime:
    """Read the parameter `name` as a UTC datetime; raises BadRequest that names it.

    As an end, which is exclusive, a date means the end of its day, and a time that very millisecond.
    """
    try:
        if len(text) == 10:
            midnight = datetime.combine(datetime.fromisoformat(text).date(), time(), UTC)
            return min(midnight, LATEST - DAY) + DAY if end else midnight
        moment: datetime = msgspec.convert(text, Annotated[datetime, msgspec.Meta(tz=True)]).astimezone(UTC)
        return min(moment, LATEST - MILLISECOND) + MILLISECOND if end else moment
    except (ValueError, OverflowError, msgspec.ValidationError):
        message = "is neither a date (2024-01-31) nor an RFC 3339 time (2024-01-31T10:30:00Z)"
        raise BadRequest([FieldError(field=name, message=message)]) from None
