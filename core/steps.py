"""Work in steps: sequences that wait without blocking, for a program of one thread.

The supervisor watches several processes at once with neither threads nor an event loop. Whatever takes
time is written as a generator: a bare `yield` means "not yet, ask me again". The supervisor asks each of them
about fifty times a second. Closing a generator is how unfinished work is given up; its `finally` clauses run.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Generator
from typing import TypeAlias, TypeVar

from core.processes import end_group

Result = TypeVar("Result")
Steps: TypeAlias = Generator[None, None, Result]

LOOPBACK = "127.0.0.1"


def pause(seconds: float) -> Steps[None]:
    """Wait for that many seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield


def run(process: subprocess.Popen[bytes], seconds: float) -> Steps[int | None]:
    """Wait for a process that ends by itself, and return its exit code; None if it was ended for taking too long.

    A process whose wait is given up is ended too, with its whole session.
    """
    until = time.monotonic() + seconds
    try:
        while process.poll() is None:
            if time.monotonic() > until:
                return None
            yield
        return process.returncode
    finally:
        end_group(process)


def exchange(port: int, request: bytes, *, lines: int, seconds: float) -> Steps[bytes]:
    """Send a request to a loopback port and return what came back once it has that many lines, or has ended.

    Raises OSError if nobody listens, or (TimeoutError) if there is no answer within `seconds`.
    """
    until = time.monotonic() + seconds
    answer = b""
    with socket.create_connection((LOOPBACK, port), timeout=0.1) as connection:
        connection.sendall(request)
        connection.setblocking(False)
        while answer.count(b"\r\n") < lines:
            try:
                received = connection.recv(65536)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise TimeoutError(f"no answer on port {port} within {seconds} s") from None
                yield
            else:
                if not received:
                    break
                answer += received
    return answer
