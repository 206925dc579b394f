"""The list once more, as Litestar, msgspec and asyncpg give it: the page, and its total counted by a second query.

No token and no limits. It runs in an environment of its own (`.venv-bench`), by uvicorn with uvloop and httptools, in
one process.
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec
import uvicorn
from litestar import Litestar, get
from litestar.datastructures import State

POOL = 10
COUNT = "SELECT count(*) FROM call_logs WHERE owner_id = $1"
PAGE = """
SELECT id, external_id, campaign_id, agent_id, phone_number, direction, status, duration_seconds, sentiment, emotions,
    left(transcript, 200) AS transcript, created_at
FROM call_logs WHERE owner_id = $1 ORDER BY id DESC OFFSET $2 LIMIT $3"""


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


def build(database_url: str) -> Litestar:
    """Make the application."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with asyncpg.create_pool(database_url, min_size=POOL, max_size=POOL) as app.state.pool:
            yield

    return Litestar([health, list_calls], lifespan=[lifespan], openapi_config=None)


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
