"""The bare application that ours is measured against: Sanic and asyncpg, and nothing else.

`/empty` answers an empty object. `/agents` runs the very SQL text of our list and sends what comes back: no
token, no limits, no envelope, no validation. One process; start several on one listening socket.
"""

from __future__ import annotations

import argparse
import socket
from typing import Any
from uuid import UUID

import asyncpg
from sanic import HTTPResponse, Request, Sanic, json

from plugins.agents.queries import listing

SQL = listing((), "-created_at")
PAGE = 10


def build(database_url: str, owner: UUID) -> Sanic[Any, Any]:
    """Make the application; `owner` is whose agents are listed."""
    app: Sanic[Any, Any] = Sanic("bare", configure_logging=False)

    @app.before_server_start
    async def connect(app: Sanic[Any, Any]) -> None:
        app.ctx.pool = await asyncpg.create_pool(database_url)

    @app.after_server_stop
    async def disconnect(app: Sanic[Any, Any]) -> None:
        await app.ctx.pool.close()

    @app.get("/empty")
    async def empty(_request: Request) -> HTTPResponse:
        return json({})

    @app.get("/agents")
    async def agents(_request: Request) -> HTTPResponse:
        async with app.ctx.pool.acquire() as connection:
            row = await connection.fetchrow(SQL, owner, PAGE, 0)
        return HTTPResponse(row["items"], content_type="application/json")

    return app


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
