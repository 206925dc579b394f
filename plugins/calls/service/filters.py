"""The filters of the list, read: times become moments, and moments become ranges of ids."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec

from plugins.calls.hookspecs import CallQuery
from plugins.calls.schemas.listing import CallFilters
from voicera import BadRequest, FieldError, Meta, lowest, milliseconds_of

LATEST = datetime.max.replace(tzinfo=UTC)
DAY = timedelta(days=1)
MILLISECOND = timedelta(milliseconds=1)
COLUMNS = ("campaign_id", "agent_id", "status", "sentiment", "phone_number", "min_duration", "max_duration")


def query_of(owner_id: UUID, wanted: CallFilters) -> CallQuery:
    """What a client asks for, of one owner; raises BadRequest for a date that is none."""
    return CallQuery(
        owner_id=owner_id,
        campaign_id=wanted.campaign_id,
        agent_id=wanted.agent_id,
        status=wanted.status,
        sentiment=wanted.sentiment,
        phone_number=wanted.phone_number,
        external_id=wanted.external_id,
        min_duration=wanted.min_duration,
        max_duration=wanted.max_duration,
        start=None if wanted.start_date is None else _moment("start_date", wanted.start_date, end=False),
        end=None if wanted.end_date is None else _moment("end_date", wanted.end_date, end=True),
    )


def conditions_of(query: CallQuery) -> list[tuple[str, Any]]:
    """The query as named conditions with their values, the owner first; the external id is not among them."""
    found: list[tuple[str, Any]] = [("owner_id", query.owner_id)]
    found += [(name, value) for name in COLUMNS if (value := getattr(query, name)) is not None]
    if query.start is not None:
        found.append(("from_id", lowest(_ceiling(query.start))))
    if query.end is not None:
        found.append(("to_id", lowest(_ceiling(query.end))))
    return found


def _ceiling(moment: datetime) -> int:
    """The first whole millisecond at or after a moment: calls carry whole ones."""
    return milliseconds_of(moment) + (moment.microsecond % 1000 > 0)


def _moment(name: str, text: str, *, end: bool) -> datetime:
    """Read a date or an RFC 3339 time. As an end, a date means the end of its day, a time that very millisecond."""
    try:
        if len(text) == 10:
            midnight = datetime.combine(datetime.fromisoformat(text).date(), time(), UTC)
            return min(midnight, LATEST - DAY) + DAY if end else midnight
        moment: datetime = msgspec.convert(text, Annotated[datetime, Meta(tz=True)]).astimezone(UTC)
        return min(moment, LATEST - MILLISECOND) + MILLISECOND if end else moment
    except (ValueError, OverflowError, msgspec.ValidationError):
        message = "is neither a date (2024-01-31) nor an RFC 3339 time (2024-01-31T10:30:00Z)"
        raise BadRequest([FieldError(field=name, message=message)]) from None
