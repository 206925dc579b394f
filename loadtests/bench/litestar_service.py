"""The list and the figures once more, as Litestar, msgspec and asyncpg give them, each by plain SQL.

The total of a page is counted by a second query, the figures are aggregated when they are asked for.

No token and no limits. It runs in an environment of its own (`.venv-bench`), by uvicorn with uvloop and httptools, in
one process.
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import uvicorn
from litestar import Litestar, get
from litestar.datastructures import State
from litestar.di import Provide

POOL = 10
COUNT = "SELECT count(*) FROM call_logs WHERE owner_id = $1"
PAGE = """
SELECT id, external_id, campaign_id, agent_id, phone_number, direction, status, duration_seconds, sentiment, emotions,
    left(transcript, 200) AS transcript, created_at
FROM call_logs WHERE owner_id = $1 ORDER BY id DESC OFFSET $2 LIMIT $3"""


STATISTICS = """
SELECT count(*), count(*) FILTER (WHERE status = 'completed'),
    count(*) FILTER (WHERE status IN ('failed', 'no_answer', 'busy')),
    coalesce(round(avg(duration_seconds) FILTER (WHERE status = 'completed')), 0)::int,
    coalesce(sum(cost_micros), 0)::bigint
FROM call_logs WHERE {where}"""
SENTIMENT = """
SELECT sentiment, count(*) FROM call_logs WHERE {where} AND sentiment IS NOT NULL GROUP BY sentiment"""
TOTAL = "SELECT count(*) FROM call_logs WHERE {where}"
PHRASES = """
SELECT phrase, count(*) FROM call_logs, unnest(key_phrases) AS phrase WHERE {where}
GROUP BY phrase ORDER BY count(*) DESC, phrase LIMIT 20"""
MICROS = 1_000_000
Wanted = tuple[str, list[Any]]


class Item(msgspec.Struct):
    """A call log in a list."""

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


class Page(msgspec.Struct):
    """A page of call logs."""

    total: int
    skip: int
    limit: int
    items: list[Item]


class CallStatistics(msgspec.Struct):
    """Calls in numbers."""

    total_calls: int
    completed_calls: int
    failed_calls: int
    average_duration: int
    success_rate: float
    cost_per_call: float


class Sentiments(msgspec.Struct):
    """How callers felt: calls, and percent of the calls that have a sentiment."""

    positive: int
    neutral: int
    negative: int
    positive_percentage: float
    neutral_percentage: float
    negative_percentage: float


class Phrase(msgspec.Struct):
    """A key phrase, how many calls contain it, and what percent of all that is."""

    phrase: str
    count: int
    frequency: float


@get("/health")
async def health() -> dict[str, str]:
    """Say that we live."""
    return {"status": "ok"}


@get("/call-logs")
async def list_calls(state: State, owner_id: UUID, skip: int = 0, limit: int = 50) -> Page:
    """List call logs, newest first."""
    async with state.pool.acquire() as connection:
        total = await connection.fetchval(COUNT, owner_id)
        rows = await connection.fetch(PAGE, owner_id, skip, limit)
    return Page(total, skip, limit, [Item(*row) for row in rows])


def filters(
    *,
    owner_id: UUID,
    agent_id: UUID | None = None,
    campaign_id: UUID | None = None,
    days: int | None = None,
    start_date: datetime | None = None,
    end_date: datetime | None = None,
) -> Wanted:
    """The conditions that are asked for, and their parameters."""
    since = datetime.now(UTC) - timedelta(days=days) if days is not None else None
    asked: list[tuple[str, Any]] = [
        ("owner_id =", owner_id),
        ("agent_id =", agent_id),
        ("campaign_id =", campaign_id),
        ("created_at >=", since or start_date),
        ("created_at <", end_date),
    ]
    given = [(condition, value) for condition, value in asked if value is not None]
    where = " AND ".join(f"{condition} ${place}" for place, (condition, _) in enumerate(given, 1))
    return where, [value for _, value in given]


@get("/analytics/calls")
async def call_statistics(state: State, wanted: Wanted) -> CallStatistics:
    """Count calls, and say how they ended, how long they took and what they cost."""
    where, values = wanted
    async with state.pool.acquire() as connection:
        row = await connection.fetchrow(STATISTICS.format(where=where), *values)
    total, good, failed, duration, cost = row
    success, each = (round(100 * good / total, 1), round(cost / MICROS / total, 2)) if total else (0.0, 0.0)
    return CallStatistics(total, good, failed, duration, success, each)


@get("/analytics/sentiment")
async def sentiment(state: State, wanted: Wanted) -> Sentiments:
    """Say how callers felt."""
    where, values = wanted
    async with state.pool.acquire() as connection:
        found = dict(await connection.fetch(SENTIMENT.format(where=where), *values))
    counts = [found.get(word, 0) for word in ("positive", "neutral", "negative")]
    known = sum(counts) or 1
    return Sentiments(*counts, *(round(100 * count / known, 1) for count in counts))


@get("/analytics/top-phrases")
async def top_phrases(state: State, wanted: Wanted) -> list[Phrase]:
    """List the commonest key phrases."""
    where, values = wanted
    async with state.pool.acquire() as connection:
        total = await connection.fetchval(TOTAL.format(where=where), *values)
        found = await connection.fetch(PHRASES.format(where=where), *values)
    return [Phrase(phrase, count, round(100 * count / total, 1)) for phrase, count in found]


def build(database_url: str) -> Litestar:
    """Make the application."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with asyncpg.create_pool(database_url, min_size=POOL, max_size=POOL) as app.state.pool:
            yield

    return Litestar(
        [health, list_calls, call_statistics, sentiment, top_phrases],
        lifespan=[lifespan],
        openapi_config=None,
        dependencies={"wanted": Provide(filters, sync_to_thread=False)},
    )


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
