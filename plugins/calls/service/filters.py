"""The filters of the list, read: times become moments, and moments become ranges of ids."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from plugins.calls.hookspecs import CallQuery, ExtraFilters
from plugins.calls.queries.listing import EXTRA
from plugins.calls.schemas.listing import CallFilters
from voicera import ceiling_of, lowest, moment_of

COLUMNS = ("campaign_id", "agent_id", "status", "sentiment", "phone_number", "min_duration", "max_duration")


def query_of(owner_id: UUID, wanted: CallFilters, extra: ExtraFilters = ()) -> CallQuery:
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
        start=None if wanted.start_date is None else moment_of("start_date", wanted.start_date, end=False),
        end=None if wanted.end_date is None else moment_of("end_date", wanted.end_date, end=True),
        extra=extra,
    )


def conditions_of(query: CallQuery) -> list[tuple[str, Any]]:
    """The query as named conditions with their values, the owner first; the external id is not among them."""
    found: list[tuple[str, Any]] = [("owner_id", query.owner_id)]
    found += [(name, value) for name in COLUMNS if (value := getattr(query, name)) is not None]
    if query.start is not None:
        found.append(("from_id", lowest(ceiling_of(query.start))))
    if query.end is not None:
        found.append(("to_id", lowest(ceiling_of(query.end))))
    found += [(EXTRA, each) for each in query.extra]
    return found
