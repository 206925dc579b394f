"""The query parameters of the list, and its pages."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from plugins.calls.schemas.calls import CallItem, CallStatus, ExternalId, PhoneNumber, Seconds, Sentiment
from voicera import Meta, Page, PageSize, Skip, Struct

DateOrTime = Annotated[
    str, Meta(max_length=40, description="A date (2024-01-31; as an end, that day is included) or an RFC 3339 time.")
]
Cursor = Annotated[
    str,
    Meta(max_length=64, description="`next_cursor` of the page before, with the same filters; in place of `skip`."),
]


class CallFilters(Struct, frozen=True, kw_only=True):
    """Which call logs are wanted; the filters given are combined with *and*."""

    campaign_id: UUID | None = None
    agent_id: UUID | None = None
    status: CallStatus | None = None
    sentiment: Sentiment | None = None
    phone_number: PhoneNumber | None = None
    external_id: ExternalId | None = None
    min_duration: Seconds | None = None
    max_duration: Seconds | None = None
    start_date: DateOrTime | None = None
    end_date: DateOrTime | None = None


class CallListing(CallFilters, frozen=True, kw_only=True):
    """Which call logs to list, and which page of them."""

    skip: Skip = 0
    limit: PageSize = 50
    cursor: Cursor | None = None
    total: Annotated[bool, Meta(description="Whether to count all that match; `false` answers null.")] = True


class CallExport(CallFilters, frozen=True, kw_only=True):
    """Which call logs to export."""

    before: Annotated[UUID | None, Meta(description="Go on after this call log: only what comes later.")] = None


class CallPage(Page[CallItem], frozen=True, kw_only=True):
    """A page of call logs; `next_cursor` leads to the next one, null on the last."""

    total: int | None  # type: ignore[assignment]  # null where the client does not want it
    next_cursor: str | None
