"""The connection protocol of a worker: strict parsing, and one sweep that ends clients which are too slow.

Sanic's time limits begin anew with every byte, so a byte a second keeps a connection for ever, and each
connection has its own timer. Here one task per worker looks at all connections every half second: who has not
sent a head, does not send a body or does not read an answer at a reasonable pace, is ended. Looking from
outside costs a request nothing. A handler that computes is never the guard's business.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from fcntl import ioctl
from termios import TIOCOUTQ
from time import monotonic
from typing import Any

from sanic import Sanic
from sanic.exceptions import RequestCancelled, RequestTimeout
from sanic.http import Stage
from sanic.log import error_logger
from sanic.server.protocols.http_protocol import HttpProtocol

from core.strict_http import StrictHttp

INTERVAL = 0.5
PACE = 16 * 1024  # bytes a second below which a client uses up its grace
READ_AHEAD = 64 * 1024  # bytes taken before a handler asks for them
LINGER = 2.0  # seconds that input is thrown away after a refusal, so that its answer arrives

AnyApp = Sanic[Any, Any]


@dataclass(slots=True, eq=False)
class Clients:
    """The open connections of a worker, and how many were ended for what: head, body, answer, idle."""

    open: set[GuardedProtocol] = field(default_factory=set)
    ended: Counter[str] = field(default_factory=Counter)


def clients_of(app: AnyApp) -> Clients:
    """The worker's connections; kept at the application, so that two of them never share."""
    clients: Clients = app.ctx.__dict__.setdefault("clients", Clients())
    return clients


def watch_clients(app: AnyApp, grace: float = 10.0) -> asyncio.Task[None]:
    """Start the guard; call it in `before_server_start`, and cancel the task in `before_server_stop`.

    Without it a `GuardedProtocol` has no time limits at all: Sanic's own timers are off.
    """
    return asyncio.get_running_loop().create_task(_watch(clients_of(app), grace), name="slow-client guard")


def close_idle_connections(app: AnyApp) -> int:
    """Close the connections that wait for a request, and let the others end with their present answer.

    Call it first thing in `before_server_stop`: on Python 3.12 and later the server's `wait_closed` waits for
    every connection. Returns how many were closed.
    """
    app.config.KEEP_ALIVE = False  # heads that are parsed from now on are answered with `Connection: close`
    for client in clients_of(app).open:
        client.end_after_answer()
    return sum(client.close_if_idle() for client in tuple(clients_of(app).open))


async def _watch(clients: Clients, grace: float) -> None:
    last = monotonic()
    while True:
        await asyncio.sleep(INTERVAL)
        now = monotonic()
        # A worker that was itself stopped or busy for longer does not blame its clients for it.
        sweep(clients, now, min(now - last, 2 * INTERVAL), grace)
        last = now


def sweep(clients: Clients, now: float, passed: float, grace: float) -> None:
    """Look at every connection once; `passed` are the seconds since the last look."""
    for client in tuple(clients.open):
        try:
            fault = client.look(now, passed, grace)
        except Exception:  # one connection in an odd state must not end the guard for the others
            error_logger.exception("slow-client guard")
        else:
            if fault is not None:
                clients.ended[fault] += 1


def _unacknowledged(transport: asyncio.BaseTransport) -> int:
    """Bytes the kernel still holds for the client: written by us, but no progress of its own.

    Its buffer takes megabytes and asks for more in large steps, so without this an honest reader on a slow
    line seems to stand still for minutes.
    """
    if sys.platform != "linux":
        return 0
    sock = transport.get_extra_info("socket")
    try:
        return int.from_bytes(ioctl(sock.fileno(), TIOCOUTQ, bytes(4)), sys.byteorder)
    except (OSError, AttributeError):
        return 0


class GuardedProtocol(HttpProtocol):
    """A connection with a strict parser, that counts what it sends and can be looked at by the guard."""

    HTTP_CLASS = StrictHttp
    __slots__ = ("_clients", "_drained", "_got", "_input_left", "_mark", "_output_left", "sent")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._http: StrictHttp | None = None
        self._clients = clients_of(self.app).open
        self.sent = 0
        self._mark: tuple[int, bool] | None = None  # which head or body the guard is timing
        self._got = 0
        self._input_left = 0.0
        self._drained = 0
        self._output_left: float | None = None  # None: the write buffer was empty

    def connection_made(self, transport: Any) -> None:
        """Let the guard know the connection."""
        super().connection_made(transport)  # type: ignore[no-untyped-call]
        self._clients.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the guard forget it; a running handler is cancelled."""
        self._clients.discard(self)
        super().connection_lost(exc)  # type: ignore[no-untyped-call]

    def data_received(self, data: bytes) -> None:
        """Take input, and only a little ahead of whoever reads it."""
        # As Sanic's, without asking the configuration for the limit each time, which is slow.
        self._time = monotonic()
        self.recv_buffer += data
        if len(self.recv_buffer) >= READ_AHEAD and self.transport is not None:
            self.transport.pause_reading()
        self._data_received.set()

    def check_timeouts(self) -> None:
        """Sanic's timer of each connection; the sweep does its work."""

    def close(self, timeout: float | None = None) -> None:  # noqa: ARG002  # Sanic's signature
        """Close once everything is sent.

        Sanic gives up after five seconds, which cuts honest downloads; the guard does when the client stops reading.
        """
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()

    def abort(self) -> None:
        """Drop the connection."""
        # Sanic also sets the transport to None, and its http1() then logs the URL of a request that may not exist.
        if self.transport is not None:
            self.transport.abort()

    async def send(self, data: bytes) -> None:
        """Write with back-pressure, and count; Sanic's signal `http.lifecycle.send` is left out."""
        if not self._can_write.is_set():
            await self._can_write.wait()
        transport = self.transport
        if transport is None or transport.is_closing():
            raise RequestCancelled
        transport.write(data)
        self.sent += len(data)
        self._time = monotonic()

    async def linger(self) -> None:
        """Half-close, and throw away what still arrives for a while (RFC 9112 9.6).

        Closing a socket with unread input resets the connection, and the client may lose the answer.
        """
        transport = self.transport
        if transport is None or transport.is_closing() or not transport.can_write_eof():
            return
        transport.write_eof()
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while True:
                    self.recv_buffer.clear()
                    await self.receive_more()  # type: ignore[no-untyped-call]

    def end_after_answer(self) -> None:
        """Let the answer that is being made be the connection's last."""
        if self._http is not None and self._http.stage is not Stage.IDLE:
            self._http.keep_alive = False

    def close_if_idle(self) -> bool:
        """Close if no request is being sent, received or waiting in the buffer; say whether it was so."""
        if self._http is None or (self._http.stage is Stage.IDLE and not self.recv_buffer):
            self.close()
            return True
        return False

    def look(self, now: float, passed: float, grace: float) -> str | None:
        """Judge the client once; return what it was ended for, or None."""
        transport = self.transport
        if transport is None:
            return None
        waiting = transport.get_write_buffer_size()
        if waiting:
            self._time = now
            if self._stalls(waiting, passed, grace):
                transport.abort()
                return "answer"
        else:
            self._output_left = None
        http = self._http
        if http is None or transport.is_closing():
            return None
        if http.request_body or http.stage is Stage.REQUEST:
            return self._look_at_input(http, passed, grace)
        if http.stage is Stage.IDLE and now - self._time > self.keep_alive_timeout:
            self.close()
            return "idle"
        return None

    def _stalls(self, waiting: int, passed: float, grace: float) -> bool:
        """Whether the client has read slower than PACE for longer than its grace."""
        assert self.transport is not None
        drained = self.sent - waiting - _unacknowledged(self.transport)
        if self._output_left is None:
            self._output_left = grace
        else:
            self._output_left = min(grace, self._output_left - passed + (drained - self._drained) / PACE)
        self._drained = drained
        return self._output_left < 0

    def _look_at_input(self, http: StrictHttp, passed: float, grace: float) -> str | None:
        """Time a head by the clock, and a body by how far it falls behind PACE while it is waited for."""
        in_body = bool(http.request_body)
        got = (http.request_bytes or 0) - (http.request_bytes_left or 0) if in_body else 0
        if self._mark != (http.heads, in_body):
            self._mark, self._got, self._input_left = (http.heads, in_body), got, grace
            return None
        # When the handler does not read, the client cannot send: that is not held against it.
        held = passed if not self._data_received.is_set() else 0.0
        self._input_left = min(grace, self._input_left - held + (got - self._got) / PACE)
        self._got = got
        if self._input_left >= 0:
            return None
        return self._time_out(http, "body" if in_body else "head", grace)

    def _time_out(self, http: StrictHttp, what: str, grace: float) -> str:
        """Answer 408 through the application's error handler; who does not let go after that is cut off."""
        if http.refused or self._task is None:
            self.abort()
        else:
            http.refused = True
            http.keep_alive = False
            http.exception = RequestTimeout(f"The request's {what} took too long to arrive.")
            self._input_left = grace
            self._task.cancel()
        return what
