"""Slow clients are ended, honest ones never; many connections cost little; a stop leaves nobody hanging.

The server is a process of its own with a grace of one second in place of ten.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

RAW_APP = Path(__file__).with_name("raw_app.py")
GRACE = 1.0
PATIENCE = 60.0  # longer than any time limit of the server, also where a machine stands still for a while
MIB = 1 << 20
HEAD = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"
UPLOAD = b"POST %s HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked"


@contextmanager
def server(log: Path, **options: Any) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as sock, log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, RAW_APP, str(sock.fileno()), json.dumps({"grace": GRACE, **options})],
            pass_fds=[sock.fileno()],
            # What is large goes back to the system as soon as it is freed: else glibc may keep it for later.
            env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "1000000"},
            stdout=output,
            stderr=output,
        )
        port: int = sock.getsockname()[1]
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as up:
            up.sendall(HEAD % b"/")
            assert up.recv(100)
        yield port, process
    finally:
        process.terminate()
        status = process.wait(PATIENCE)
    assert status == 0
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with server(tmp_path_factory.mktemp("guarded") / "log", touchup=True) as (port, _):
        yield port


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> bool:
        """Say whether the server still listens."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except (ConnectionError, RuntimeError):  # the second is uvloop's, of a connection that is closed already
            return False
        return not self.reader.at_eof()

    async def drip(self, data: bytes, size: int = 1, every: float = 0.1) -> None:
        """Send slowly until the server has had enough."""
        for at in range(0, len(data), size):
            if not await self.send(data[at : at + size]):
                return
            await asyncio.sleep(every)

    async def rest(self) -> bytes:
        """All that comes until the server closes."""
        data = bytearray()
        try:
            while piece := await self.reader.read(1 << 16):
                data += piece
        except ConnectionError:
            pass
        return bytes(data)

    async def answer(self) -> tuple[int, bytes]:
        head = await self.reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        return int(head.split()[1]), await self.reader.readexactly(size)


@asynccontextmanager
async def connect(port: int, receive_buffer: int = 0) -> AsyncIterator[Connection]:
    sock = socket.socket()
    sock.setblocking(False)
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=1 << 13)
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()


async def get(port: int, path: bytes) -> bytes:
    async with connect(port) as client, asyncio.timeout(PATIENCE):
        await client.send(HEAD % path)
        status, body = await client.answer()
        assert status == 200
        return body


async def stats(port: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await get(port, b"/stats"))
    return found


async def stats_when(port: int, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Ask until the condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition(found := await stats(port)):
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.05)
    return found


async def undisturbed(attempt: Callable[[], Awaitable[None]]) -> None:
    """Do what a client must be in time for; again if it failed while this process itself was held up."""
    for _ in range(9):
        watching = asyncio.create_task(_longest_delay(delays := [0.0]))
        try:
            return await attempt()
        except (AssertionError, TimeoutError, OSError, asyncio.IncompleteReadError):
            if delays[0] < GRACE / 2:
                raise
        finally:
            watching.cancel()
    return await attempt()


async def _longest_delay(found: list[float]) -> None:
    """Note by how much this process was late at most."""
    while True:
        begun = time.monotonic()
        await asyncio.sleep(0.02)
        found[0] = max(found[0], time.monotonic() - begun)


async def slow_sender(port: int, start: bytes, drops: bytes, size: int = 1) -> tuple[float, bytes]:
    """Return how long the server bore it, and what it said."""
    begun = time.monotonic()
    async with connect(port) as client, asyncio.timeout(PATIENCE):
        await client.send(start)
        dripping = asyncio.create_task(client.drip(drops, size))
        said = await client.rest()
        took = time.monotonic() - begun
        await dripping
    return took, said


SLOW = {
    "head": (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"a" * 1000),
    "empty line only": (b"\r\n", b""),
    "body": (UPLOAD % (b"/echo", b"Content-Length: 1000"), b"a" * 1000),
    "streamed body": (UPLOAD % (b"/upload", b"Content-Length: 1000000"), b"a" * 1000),
    "body that never begins": (UPLOAD % (b"/echo", b"Content-Length: 1"), b""),
    "chunk": (UPLOAD % (b"/echo", CHUNKED) + b"3E8\r\n", b"a" * 1000),
    "chunks of one byte": (UPLOAD % (b"/upload", CHUNKED), b"1\r\na\r\n" * 200),
    "chunk size": (UPLOAD % (b"/upload", CHUNKED), b"0" * 15 + b"1;" + b"a" * 100),
    "body that stalls after a good start": (UPLOAD % (b"/upload", b"Content-Length: 9000000") + bytes(4 * MIB), b""),
}


async def test_every_kind_of_slow_sender_is_told_408_and_closed_after_its_grace(port: int) -> None:
    kinds = list(SLOW) * 20
    served = await asyncio.gather(*(slow_sender(port, *SLOW[kind]) for kind in kinds))
    for kind, (took, said) in zip(kinds, served, strict=True):
        assert took >= GRACE, kind
        assert said.startswith(b"HTTP/1.1 408 "), kind
        assert b"connection: close" in said
        assert json.loads(said.partition(b"\r\n\r\n")[2])["error"] == 408


async def test_others_are_served_at_once_while_five_hundred_are_slow(port: int) -> None:
    slow = [asyncio.create_task(slow_sender(port, *list(SLOW.values())[n % 8])) for n in range(500)]
    waits = []
    while not all(task.done() for task in slow):
        begun = time.monotonic()
        await get(port, b"/")
        waits.append(time.monotonic() - begun)
        await asyncio.sleep(0.01)
    assert all(task.result()[1].startswith(b"HTTP/1.1 408 ") for task in slow)
    assert sorted(waits)[len(waits) // 2] < GRACE / 2, "they do not wait for the slow ones to be ended"


async def test_an_honest_upload_takes_as_long_as_it_takes(port: int) -> None:
    async def upload(start: bytes, piece: bytes, end: bytes) -> int:
        async with connect(port) as client, asyncio.timeout(PATIENCE):
            await client.send(start)
            await client.drip(piece * 30, len(piece), every=0.12)  # 33 KiB/s for 3.6 s
            await client.send(end)
            status, _ = await client.answer()
            return status

    body = b"a" * 4096

    async def both() -> None:
        counted = upload(UPLOAD % (b"/upload", b"Content-Length: 122880"), body, b"")
        chunked = upload(UPLOAD % (b"/echo", CHUNKED), b"1000\r\n" + body + b"\r\n", b"0\r\n\r\n")
        assert set(await asyncio.gather(counted, chunked)) == {200}

    await undisturbed(both)


async def test_a_handler_that_reads_slowly_is_not_its_clients_fault(port: int) -> None:
    size = 500_000  # more than the server reads ahead: some of it waits at the client while the handler pauses
    async with connect(port) as client, asyncio.timeout(PATIENCE):
        upload = UPLOAD % (b"/upload?pause=1.8", b"Content-Length: %d" % size)
        sending = asyncio.create_task(client.send(upload + bytes(size)))
        status, body = await client.answer()
        await sending
    assert (status, json.loads(body)) == (200, {"size": size})


async def test_a_handler_that_computes_for_longer_than_the_grace_is_let_alone(port: int) -> None:
    assert await get(port, b"/compute?seconds=3") == b"computed"


async def test_a_handler_that_ignores_its_cancellation_never_takes_half_a_body_for_a_whole_one(port: int) -> None:
    _, said = await slow_sender(port, UPLOAD % (b"/stubborn", b"Content-Length: 1000"), b"abc")
    assert json.loads(said.partition(b"\r\n\r\n")[2]) == {"seen": ["CancelledError", "BadRequest"]}


@pytest.mark.parametrize("path", [b"/big?size=8000000", b"/stream?pieces=400"])
async def test_a_client_that_does_not_read_is_cut_off_and_its_memory_freed(port: int, path: bytes) -> None:
    before = await stats_when(port, lambda now: now["open"] == 1)
    begun = time.monotonic()
    async with AsyncExitStack() as stack:
        for _ in range(20):
            client = await stack.enter_async_context(connect(port, receive_buffer=16_384))
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await client.send(HEAD % path)
        ended = before["ended"].get("answer", 0) + 20
        await stats_when(port, lambda now: now["ended"].get("answer", 0) == ended)
        assert time.monotonic() - begun >= GRACE
        # The clients hold on: it is the server that lets go of the connections, and of the 160 MiB that were waiting.
        await stats_when(port, lambda now: (now["open"], now["tasks"]) == (1, before["tasks"]))
        await stats_when(port, lambda now: now["rss"] - before["rss"] < 48 * MIB)


async def test_an_honest_slow_reader_gets_everything(port: int) -> None:
    """64 KiB a second, for four times the grace, of an answer larger than what the kernel takes from the server."""

    async def read(path: bytes) -> None:
        async with connect(port, receive_buffer=16_384) as client, asyncio.timeout(PATIENCE):
            await client.send(HEAD % path)
            for _ in range(40):
                await client.reader.readexactly(6553)
                await asyncio.sleep(0.1)
            await client.reader.readexactly(8_000_000 - 40 * 6553)

    async def both() -> None:
        await asyncio.gather(read(b"/big?size=8000000"), read(b"/stream?pieces=123"))

    await undisturbed(both)


async def test_the_end_of_a_closed_connections_answer_is_not_cut_off(port: int) -> None:
    """Sanic drops what is not sent some seconds after it has closed (one, in this server)."""

    async def read() -> None:
        async with connect(port, receive_buffer=16_384) as client, asyncio.timeout(PATIENCE):
            await client.send(HEAD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") % b"/big?size=6000000")
            size = 0
            while piece := await client.reader.read(1 << 17):
                size += len(piece)
                await asyncio.sleep(0.02)
        assert size > 6_000_000

    await undisturbed(read)


async def test_a_connection_may_be_idle_for_the_keep_alive_timeout_and_no_longer(tmp_path: Path) -> None:
    with server(tmp_path / "log", keep_alive=1.5) as (port, _):
        async with connect(port) as fresh, connect(port) as used, asyncio.timeout(PATIENCE):
            begun = time.monotonic()
            await used.send(HEAD % b"/compute?seconds=1")
            assert await fresh.rest() == b""
            # The connection is a moment older than `begun`.
            assert time.monotonic() - begun >= 1.4
            assert await used.answer() == (200, b"computed")
            assert await used.rest() == b""
            assert time.monotonic() - begun >= 2.5


async def test_a_worker_that_stood_still_does_not_blame_its_clients(tmp_path: Path) -> None:
    with server(tmp_path / "log", grace=4.0) as (port, process):
        async with connect(port) as client, asyncio.timeout(PATIENCE):
            await client.send(b"GET / HTTP/1.1\r\n")
            await asyncio.sleep(0.7)  # the guard, which looks every half second, has seen it
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(4.5)
            await client.send(b"Host: a\r\n\r\n")  # before it wakes up, so that this process is not to blame either
            process.send_signal(signal.SIGCONT)
            assert await client.answer() == (200, b"ok")


async def test_a_thousand_idle_connections_need_one_task_each_and_all_are_watched(port: int) -> None:
    socks = [socket.create_connection(("127.0.0.1", port)) for _ in range(1000)]
    try:
        found = await stats_when(port, lambda now: now["open"] == 1001)
        assert found["tasks"] < 1010
    finally:
        for sock in socks:
            sock.close()
    await stats_when(port, lambda now: now["open"] == 1)


async def test_a_stop_closes_idle_connections_at_once_and_lets_running_answers_be_the_last(tmp_path: Path) -> None:
    with server(tmp_path / "log", grace=2 * PATIENCE, stop=2 * PATIENCE) as (port, process):
        async with connect(port) as idle, connect(port) as busy, connect(port) as half, asyncio.timeout(PATIENCE):
            await idle.send(HEAD % b"/")
            assert await idle.answer() == (200, b"ok")
            await half.send(b"GET / HTTP/1.1\r\n")
            await busy.send(HEAD % b"/compute?seconds=1.5")
            await stats_when(port, lambda now: now["open"] == 4)
            process.terminate()
            assert await idle.rest() == b"", "although the others have not ended"
            await half.send(b"Host: a\r\n\r\n")
            assert b"connection: close" in await half.rest()
            said = await busy.rest()
            assert said.endswith(b"computed")
            assert b"connection: close" in said
        assert process.wait(PATIENCE) == 0


async def test_a_stop_does_not_wait_longer_than_its_grace_for_who_never_finishes(tmp_path: Path) -> None:
    """The half request is dropped without a traceback, which Sanic's own abort() writes."""
    with server(tmp_path / "log", grace=2 * PATIENCE) as (port, process):
        async with connect(port) as half, asyncio.timeout(PATIENCE):
            await half.send(b"GET / HTTP/1.1\r\n")
            await stats_when(port, lambda now: now["open"] == 2)
            process.terminate()
            assert await asyncio.to_thread(process.wait, PATIENCE) == 0


async def test_a_client_that_leaves_at_any_point_leaves_nothing_behind(port: int) -> None:
    whole = UPLOAD % (b"/upload", CHUNKED) + b"5\r\nhello\r\n0\r\n\r\n"
    for end in range(len(whole) + 1):
        async with connect(port) as client:
            await client.send(whole[:end])
    found = await stats_when(port, lambda now: now["open"] == 1)
    assert found["tasks"] < 6
