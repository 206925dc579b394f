"""A small server for test_strict_http.py and test_protocol.py, in a process of its own as in production.

Run as `raw_app.py FD OPTIONS`: FD is a listening socket, OPTIONS a JSON object (touchup, plain, grace, keep_alive).
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import psutil
from sanic import HTTPResponse, Request, Sanic
from sanic import json as reply
from sanic.response import text
from sanic.server.protocols.http_protocol import HttpProtocol

from core.protocol import Clients, GuardedProtocol, clients_of, close_idle_connections, sweep, watch_clients


def serve(sock: socket.socket, options: dict[str, Any]) -> None:
    """Serve until SIGTERM."""
    app: Sanic[Any, Any] = Sanic("raw", configure_logging=False)
    app.config.update(
        TOUCHUP=options.get("touchup", False),
        ACCESS_LOG=False,
        AUTO_EXTEND=False,
        MOTD=False,
        REQUEST_MAX_SIZE=1 << 20,
        KEEP_ALIVE_TIMEOUT=options.get("keep_alive", 60),
        GRACEFUL_SHUTDOWN_TIMEOUT=options.get("stop", 3.0),
        GRACEFUL_TCP_CLOSE_TIMEOUT=1.0,
    )
    add_routes(app)
    add_uploads(app)
    add_answers(app)
    if not options.get("plain"):
        guard(app, options.get("grace", 10.0))
    protocol = HttpProtocol if options.get("plain") else GuardedProtocol
    app.prepare(sock=sock, single_process=True, protocol=protocol, backlog=4096, access_log=False, motd=False)
    Sanic.serve_single(primary=app)


def guard(app: Sanic[Any, Any], grace: float) -> None:
    """Start and stop the guard as the kernel does."""

    @app.before_server_start
    async def start(app: Sanic[Any, Any]) -> None:
        app.ctx.guard = watch_clients(app, grace)

    @app.before_server_stop
    async def stop(app: Sanic[Any, Any]) -> None:
        close_idle_connections(app)
        app.ctx.guard.cancel()
        await asyncio.wait([app.ctx.guard])


def add_routes(app: Sanic[Any, Any]) -> None:
    """Routes that show what the server understood."""

    @app.exception(Exception)
    async def failed(request: Request, error: Exception) -> HTTPResponse:
        return reply(
            {"error": getattr(error, "status_code", 500), "detail": str(error)}, getattr(error, "status_code", 500)
        )

    @app.route("/", methods=["GET", "OPTIONS"])
    async def index(request: Request) -> HTTPResponse:
        return text("ok")

    @app.route("/echo", methods=["GET", "POST", "PUT"])
    async def echo(request: Request) -> HTTPResponse:
        body = request.body.decode("latin-1")
        return reply(
            {
                "method": request.method,
                "path": request.path,
                "query": request.query_string,
                "body": body,
                "headers": [list(pair) for pair in request.headers.items()],
            }
        )


def add_uploads(app: Sanic[Any, Any]) -> None:
    """Routes that read the body themselves."""

    @app.post("/upload", stream=True)
    async def upload(request: Request) -> HTTPResponse:
        """Read slowly if told so, as a handler does that stores what it reads."""
        size, pause = 0, float(request.args.get("pause", 0))
        stream: Any = request.stream
        async for piece in stream:
            size += len(piece)
            await asyncio.sleep(pause)
        return reply({"size": size})

    @app.post("/stubborn", stream=True)
    async def stubborn(request: Request) -> HTTPResponse:
        """Go on reading whatever happens."""
        stream: Any = request.stream
        seen: list[str] = []
        while len(seen) < 2:
            try:
                if await stream.read() is None:
                    seen.append("end")
            except (asyncio.CancelledError, Exception) as error:
                seen.append(type(error).__name__)
        return reply({"seen": seen})


def add_answers(app: Sanic[Any, Any]) -> None:
    """Routes for those who read slowly, and what the server says about itself."""

    @app.get("/compute")
    async def compute(request: Request) -> HTTPResponse:
        await asyncio.sleep(float(request.args.get("seconds", 0)))
        return text("computed")

    @app.get("/big")
    async def big(request: Request) -> HTTPResponse:
        return HTTPResponse(bytes(int(request.args.get("size", 0))))

    @app.get("/stream")
    async def stream(request: Request) -> None:
        response = await request.respond()
        for _ in range(int(request.args.get("pieces", 0))):
            await response.send(bytes(1 << 16))
        await response.eof()

    @app.get("/stats")
    async def stats(request: Request) -> HTTPResponse:
        clients = clients_of(app)
        begun = time.perf_counter()
        sweep(Clients(clients.open), time.monotonic(), 0.0, 10.0)  # apart from the guard's own count
        took = time.perf_counter() - begun
        process = psutil.Process()
        return reply(
            {
                "open": len(clients.open),
                "ended": dict(clients.ended),
                "sweep": took,
                "tasks": len(asyncio.all_tasks()),
                "rss": process.memory_info().rss,
                "fds": process.num_fds(),
            }
        )


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), json.loads(sys.argv[2]))
    os._exit(0)
