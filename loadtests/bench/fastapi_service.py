"""A service as many would write it: FastAPI, pydantic and SQLAlchemy's asyncio, on the same tables as ours.

No token, no limits, no duplicates, no rollups: it inserts, lists with a counted total, and aggregates when it is asked.
It runs in an environment of its own (`.venv-bench`), by uvicorn with uvloop and httptools, in one process.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import uvicorn
from fastapi import Depends, FastAPI, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, DateTime, Text, func, insert, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

MICROS = 1_000_000
POOL = 10  # as many connections as a worker of ours holds
Status = Literal["queued", "in_progress", "completed", "failed", "no_answer", "busy", "cancelled"]
Word = Annotated[str, Field(max_length=200)]


class Base(DeclarativeBase):
    """What the tables of this service derive from."""


class CallLog(Base):
    """The table that our service made."""

    __tablename__ = "call_logs"

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    external_id: Mapped[str | None] = mapped_column(Text)
    campaign_id: Mapped[UUID | None]
    agent_id: Mapped[UUID | None]
    phone_number: Mapped[str] = mapped_column(Text)
    direction: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    duration_seconds: Mapped[int | None]
    sentiment: Mapped[str | None] = mapped_column(Text)
    emotions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    key_phrases: Mapped[list[str]] = mapped_column(ARRAY(Text))
    transcript: Mapped[str | None] = mapped_column(Text)
    summary: Mapped[str | None] = mapped_column(Text)
    cost_micros: Mapped[int | None]
    details: Mapped[dict[str, Any] | None] = mapped_column("metadata", JSONB)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class NewCall(BaseModel):
    """A call log as it is sent."""

    model_config = ConfigDict(extra="forbid")

    phone_number: str = Field(pattern=r"^\+[0-9]{7,15}$")
    status: Status
    external_id: str | None = Field(None, min_length=1, max_length=200)
    campaign_id: UUID | None = None
    agent_id: UUID | None = None
    direction: Literal["outbound", "inbound"] | None = None
    duration_seconds: int | None = Field(None, ge=0)
    sentiment: Literal["positive", "neutral", "negative"] | None = None
    emotions: list[Word] = Field([], max_length=32)
    key_phrases: list[Word] = Field([], max_length=100)
    transcript: str | None = Field(None, max_length=1 << 20)
    summary: str | None = Field(None, max_length=10_000)
    cost: float | None = Field(None, ge=0)
    created_at: AwareDatetime
    metadata: dict[str, Any] | None = None


class Item(BaseModel):
    """A call log in a list."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    external_id: str | None
    campaign_id: UUID | None
    agent_id: UUID | None
    phone_number: str
    direction: str | None
    status: str
    duration_seconds: int | None
    sentiment: str | None
    emotions: list[str]
    transcript: str | None
    created_at: datetime


class Page(BaseModel):
    """A page of call logs."""

    total: int
    skip: int
    limit: int
    items: list[Item]


class CallStatistics(BaseModel):
    """Calls in numbers."""

    total_calls: int
    completed_calls: int
    failed_calls: int
    average_duration: int
    success_rate: float
    cost_per_call: float


class Sentiments(BaseModel):
    """How callers felt: calls, and percent of the calls that have a sentiment."""

    positive: int = 0
    neutral: int = 0
    negative: int = 0
    positive_percentage: float = 0
    neutral_percentage: float = 0
    negative_percentage: float = 0


class Phrase(BaseModel):
    """A key phrase, how many calls contain it, and what percent of all that is."""

    phrase: str
    count: int
    frequency: float


def filters(
    *,
    owner_id: UUID,
    agent_id: UUID | None = None,
    campaign_id: UUID | None = None,
    days: int | None = None,
    start_date: AwareDatetime | None = None,
    end_date: AwareDatetime | None = None,
) -> list[ColumnElement[bool]]:
    """The conditions that a query asks for."""
    found = [CallLog.owner_id == owner_id]
    if agent_id is not None:
        found.append(CallLog.agent_id == agent_id)
    if campaign_id is not None:
        found.append(CallLog.campaign_id == campaign_id)
    if days is not None:
        found.append(CallLog.created_at >= datetime.now(UTC) - timedelta(days=days))
    if start_date is not None:
        found.append(CallLog.created_at >= start_date)
    if end_date is not None:
        found.append(CallLog.created_at < end_date)
    return found


Filters = Annotated[Sequence[ColumnElement[bool]], Depends(filters)]


async def session(request: Request) -> AsyncIterator[AsyncSession]:
    """A session for a request."""
    async with request.app.state.sessions() as made:
        yield made


Session = Annotated[AsyncSession, Depends(session)]


def build(database_url: str) -> FastAPI:
    """Make the application."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        url = database_url.replace("postgresql://", "postgresql+asyncpg://", 1)
        engine = create_async_engine(url, pool_size=POOL, max_overflow=0)
        app.state.sessions = async_sessionmaker(engine, expire_on_commit=False)
        yield
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/call-logs/batch", status_code=201)
    async def record_batch(calls: list[NewCall], owner_id: UUID, session: Session) -> dict[str, int]:
        await session.execute(insert(CallLog), [_row(owner_id, call) for call in calls])
        await session.commit()
        return {"received": len(calls), "created": len(calls)}

    @app.get("/call-logs")
    async def list_calls(
        owner_id: UUID, session: Session, skip: int = 0, limit: Annotated[int, Query(ge=1, le=1000)] = 50
    ) -> Page:
        here = select(CallLog).where(CallLog.owner_id == owner_id)
        total = await session.scalar(select(func.count()).select_from(here.subquery()))
        found = await session.scalars(here.order_by(CallLog.id.desc()).offset(skip).limit(limit))
        items = [Item.model_validate(call) for call in found]
        return Page(total=total or 0, skip=skip, limit=limit, items=items)

    @app.get("/analytics/calls")
    async def call_statistics(wanted: Filters, session: Session) -> CallStatistics:
        completed = CallLog.status == "completed"
        query = select(
            func.count(),
            func.count().filter(completed),
            func.count().filter(CallLog.status.in_(("failed", "no_answer", "busy"))),
            func.coalesce(func.avg(CallLog.duration_seconds).filter(completed), 0),
            func.coalesce(func.sum(CallLog.cost_micros), 0),
        ).where(*wanted)
        total, good, failed, duration, cost = (await session.execute(query)).one()
        return CallStatistics(
            total_calls=total,
            completed_calls=good,
            failed_calls=failed,
            average_duration=round(duration),
            success_rate=round(100 * good / total, 1) if total else 0,
            cost_per_call=round(float(cost) / MICROS / total, 2) if total else 0,
        )

    @app.get("/analytics/sentiment")
    async def sentiment(wanted: Filters, session: Session) -> Sentiments:
        felt = CallLog.sentiment
        query = select(felt, func.count()).where(*wanted, felt.is_not(None)).group_by(felt)
        found = dict((await session.execute(query)).tuples().all())
        known = sum(found.values())
        shares = {f"{word}_percentage": round(100 * count / known, 1) for word, count in found.items()}
        return Sentiments(**found, **shares)

    @app.get("/analytics/top-phrases")
    async def top_phrases(wanted: Filters, session: Session, limit: int = 20) -> list[Phrase]:
        total = await session.scalar(select(func.count()).select_from(CallLog).where(*wanted)) or 0
        said = select(func.unnest(CallLog.key_phrases).label("phrase")).where(*wanted).subquery()
        count = func.count()
        query = select(said.c.phrase, count).group_by(said.c.phrase).order_by(count.desc(), said.c.phrase).limit(limit)
        return [
            Phrase(phrase=phrase, count=number, frequency=round(100 * number / total, 1))
            for phrase, number in await session.execute(query)
        ]

    return app


def _row(owner_id: UUID, call: NewCall) -> dict[str, Any]:
    values = call.model_dump(exclude={"cost", "metadata"})
    cost = None if call.cost is None else round(call.cost * MICROS)
    made = {"owner_id": owner_id, "id": _uuid7(call.created_at), "updated_at": datetime.now(UTC)}
    return {**values, **made, "cost_micros": cost, "details": call.metadata}


def _uuid7(moment: datetime) -> UUID:
    """An id whose first 48 bits are the milliseconds since 1970 (RFC 9562)."""
    milliseconds = int(moment.timestamp() * 1000)
    chance = int.from_bytes(os.urandom(10), "big") & ~(0xF << 76) & ~(0x3 << 62)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | 0x2 << 62 | chance)


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="where to listen, on 127.0.0.1")
    parser.add_argument("--database-url", required=True, help="a database with our tables")
    options = parser.parse_args()
    app = build(options.database_url)
    uvicorn.run(app, port=options.port, loop="uvloop", http="httptools", access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
