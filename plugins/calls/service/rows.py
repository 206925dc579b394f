"""Call logs between their shapes: as sent, as a row of the table, as the resource that clients see."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from plugins.calls.hookspecs import RecordedCall
from plugins.calls.schemas.calls import MICROS, CallStatus, Direction, NewCall, Sentiment
from voicera import Fragment, encode

Row = tuple[Any, ...]


def began(log: NewCall) -> datetime:
    """When the call began, which checking a log fills in."""
    assert log.created_at is not None
    return log.created_at


def micros(cost: float | None) -> int | None:
    """Money in whole millionths, as the table keeps it."""
    return None if cost is None else round(cost * MICROS)


def rows_of(owner_id: UUID, calls: list[RecordedCall], now: datetime) -> list[Row]:
    """The calls as tuples in the order of the table's columns."""
    json = msgspec.json.encode
    return [
        (
            owner_id,
            call.id,
            log.external_id,
            log.campaign_id,
            log.agent_id,
            log.phone_number,
            log.direction,
            log.status,
            log.duration_seconds,
            log.sentiment,
            log.emotions,
            log.key_phrases,
            log.transcript,
            log.summary,
            None if log.cost is None else round(log.cost * MICROS),
            None if log.metadata is None else json(log.metadata).decode(),
            log.created_at,
            now,
        )
        for call in calls
        for log in (call.log,)
    ]


def content_of(log: NewCall) -> Row:
    """All that a client says about a call besides its external id and time, as it is stored."""
    return (
        log.campaign_id,
        log.agent_id,
        log.phone_number,
        log.direction,
        log.status,
        log.duration_seconds,
        log.sentiment,
        log.emotions,
        log.key_phrases,
        log.transcript,
        log.summary,
        micros(log.cost),
        None if log.metadata is None else msgspec.json.encode(log.metadata).decode(),
    )


def call_of(row: Any) -> RecordedCall:
    """The call log of a row of the table."""
    log = NewCall(
        external_id=row["external_id"],
        campaign_id=row["campaign_id"],
        agent_id=row["agent_id"],
        phone_number=row["phone_number"],
        direction=None if row["direction"] is None else Direction(row["direction"]),
        status=CallStatus(row["status"]),
        duration_seconds=row["duration_seconds"],
        sentiment=None if row["sentiment"] is None else Sentiment(row["sentiment"]),
        emotions=row["emotions"],
        key_phrases=row["key_phrases"],
        transcript=row["transcript"],
        summary=row["summary"],
        cost=None if row["cost_micros"] is None else row["cost_micros"] / MICROS,
        metadata=None if row["metadata"] is None else msgspec.json.decode(row["metadata"]),
        created_at=row["created_at"],
    )
    return RecordedCall(UUID(int=row["id"].int), log)


def detail_of(call: RecordedCall, updated_at: datetime) -> bytes:
    """The resource of a call that has no recording yet, as JSON; the same that is read from the table."""
    log = call.log
    resource = {
        "id": call.id,
        "external_id": log.external_id,
        "campaign_id": log.campaign_id,
        "agent_id": log.agent_id,
        "phone_number": log.phone_number,
        "direction": log.direction,
        "status": log.status,
        "duration_seconds": log.duration_seconds,
        "sentiment": log.sentiment,
        "emotions": log.emotions,
        "cost": _plain(None if log.cost is None else round(log.cost * MICROS) / MICROS),
        "created_at": log.created_at,
        "transcript": log.transcript,
        "summary": log.summary,
        "key_phrases": log.key_phrases,
        "recording_url": None,
        # Its integers may be of any size, which `encode` refuses.
        "metadata": None if log.metadata is None else Fragment(msgspec.json.encode(log.metadata)),
        "updated_at": updated_at,
    }
    return encode(resource)


def _plain(cost: float | None) -> float | int | None:
    """A whole amount without its `.0`, as PostgreSQL writes it."""
    return int(cost) if cost is not None and cost.is_integer() else cost
