"""The bare application that ours is measured against: Sanic and asyncpg, and nothing else.

`/empty` answers an empty object. `/agents` runs the very SQL text of our list and sends what comes back, `GET
/call-logs` reads 50 rows and serializes them: no token, no limits, no envelope, no validation, no total. `POST
/call-logs` inserts one call and commits it, on the one connection that it has for this. One process; start several on
one listening socket.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from sanic import HTTPResponse, Request, Sanic, json

from plugins.agents.queries import listing
from voicera import uuid7

SQL = listing((), "-created_at")
PAGE = 10
CALLS = """
SELECT id, external_id, campaign_id, agent_id, phone_number, direction, status, duration_seconds, sentiment, emotions,
    left(transcript, 200) AS transcript, created_at
FROM call_logs WHERE owner_id = $1 ORDER BY id DESC OFFSET $2 LIMIT $3"""
INSERT = """
INSERT INTO call_logs (id, owner_id, campaign_id, agent_id, phone_number, direction, status, duration_seconds,
    sentiment, emotions, key_phrases, transcript, summary, cost_micros, metadata, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, now())"""
NAMES = ("campaign_id", "agent_id", "phone_number", "direction", "status", "duration_seconds", "sentiment")


def build(database_url: str, owner: UUID) -> Sanic[Any, Any]:
    """Make the application; `owner` is whose agents are listed."""
    app: Sanic[Any, Any] = Sanic("bare", configure_logging=False)

    @app.before_server_start
    async def connect(app: Sanic[Any, Any]) -> None:
        app.ctx.pool = await asyncpg.create_pool(database_url)
        app.ctx.single = await asyncpg.connect(database_url)
        app.ctx.turn = asyncio.Lock()

    @app.after_server_stop
    async def disconnect(app: Sanic[Any, Any]) -> None:
        await app.ctx.pool.close()
        await app.ctx.single.close()

    @app.get("/empty")
    async def empty(_request: Request) -> HTTPResponse:
        return json({})

    @app.get("/health")
    async def health(_request: Request) -> HTTPResponse:
        return json({})

    @app.get("/agents")
    async def agents(_request: Request) -> HTTPResponse:
        async with app.ctx.pool.acquire() as connection:
            row = await connection.fetchrow(SQL, owner, PAGE, 0)
        return HTTPResponse(row["items"], content_type="application/json")

    @app.get("/call-logs")
    async def calls(request: Request) -> HTTPResponse:
        whose, skip, limit = (request.args.get(name, 0) for name in ("owner_id", "skip", "limit"))
        async with app.ctx.pool.acquire() as connection:
            rows = await connection.fetch(CALLS, whose, int(skip), int(limit))
        return HTTPResponse(orjson.dumps(list(map(dict, rows)), default=str), content_type="application/json")

    @app.post("/call-logs")
    async def record(request: Request) -> HTTPResponse:
        row = row_of(owner, orjson.loads(request.body))
        async with app.ctx.turn:
            await app.ctx.single.execute(INSERT, uuid7(), *row)
        return json({}, 201)

    return app


def row_of(owner: UUID, call: dict[str, Any]) -> tuple[Any, ...]:
    """The parameters of INSERT after the id; the ids of agent and campaign stay text, which asyncpg takes."""
    metadata = call.get("metadata")
    return (
        owner,
        *(call.get(name) for name in NAMES),
        call.get("emotions", []),
        call.get("key_phrases", []),
        call.get("transcript"),
        call.get("summary"),
        round(call.get("cost", 0) * 1_000_000),
        None if metadata is None else orjson.dumps(metadata).decode(),
        datetime.fromisoformat(call["created_at"]),
    )


def main() -> None:
    """Serve on an inherited listening socket until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket-fd", type=int, required=True, help="the listening socket")
    parser.add_argument("--database-url", required=True, help="the database of the measured service")
    parser.add_argument("--owner", type=UUID, required=True, help="whose agents are listed")
    options = parser.parse_args()
    app = build(options.database_url, options.owner)
    app.prepare(sock=socket.socket(fileno=options.socket_fd), single_process=True, access_log=False, motd=False)
    Sanic.serve_single(primary=app)


if __name__ == "__main__":
    main()
