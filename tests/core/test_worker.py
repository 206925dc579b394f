"""A worker as the supervisor runs it: a process of its own on an inherited socket, told by signals and pipes."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from core.settings import Settings
from voicera.testing import Client, eventually, settings_for_tests
from voicera.testing.patience import PATIENCE

ROOT = Path(__file__).parents[2]
PLUGIN = '''
"""Routes that are slow, that fail, and that show what is left of the request before."""

import asyncio, os
from contextvars import ContextVar
from pathlib import Path

from piccolo_conf import DB
from voicera import Blueprint, hookimpl, public, reply, requires
from voicera.testing import patient

FOLDER = Path(os.environ["SLOWLY_FOLDER"])
patience = patient()  # for as long as the worker lives
patience.__enter__()
blueprint = Blueprint("/slowly")


@blueprint.get("/answer", deadline=300)
@public
async def answer(request):
    """Say that it has begun, and answer when told to."""
    (FOLDER / "begun").touch()
    while not (FOLDER / "go").exists():
        await asyncio.sleep(0.02)
    return reply("answered")


@blueprint.post("/later/{name}")
@public
async def later(request, name: str):
    """Write a file in the background."""
    async def work():
        await asyncio.sleep(0.7)
        (FOLDER / name).write_text("done")
    request.resources.background.spawn("later", work())
    return reply(None)


@blueprint.get("/fail/{how}")
@requires("agents:read")
async def fail(request, how: str):
    """Fail in a transaction."""
    await failing(request, how)


@blueprint.get("/late", deadline=0.3)
@requires("agents:read")
async def late(request):
    """Fail in a transaction by the deadline."""
    await failing(request, "late")


async def failing(request, how: str):
    async with request.resources.db.tx() as connection:
        await connection.execute("SELECT set_config('voicera.mark', 'left over', true)")
        if how == "late":
            await asyncio.Event().wait()
        if how == "database":
            await connection.execute("SELECT 1 / 0")
        raise RuntimeError("boom")


@blueprint.get("/look")
@public
async def look(request):
    """Show what a request finds."""
    async with request.resources.db.connection() as connection:
        mark = await connection.fetchval("SELECT current_setting('voicera.mark', true)")
        inside = connection.is_in_transaction()
    return reply({
        "mark": mark or "", "inside": inside, "current": DB.current_transaction.get() is not None,
        "identity": request.identity is not None, "id": request.request_id,
    })


@hookimpl
def register_blueprints():
    if os.environ.get("SLOWLY_WRONG"):
        wrong = Blueprint("/wrong")
        wrong.get(limit="no such limit")(public(look))
        return [wrong]
    return [blueprint]
'''


class Worker:
    """A worker process, with the other ends of its pipes."""

    def __init__(self, environ: dict[str, str], folder: Path, closing: ExitStack) -> None:
        listening = closing.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.port: int = listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.beats, beat_end = os.pipe()
        life, self.life_end = os.pipe()
        self._log = folder / f"worker-{self.port}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "core.worker"),
                    *("--socket-fd", str(listening.fileno())),
                    *("--beat-fd", str(beat_end), "--life-fd", str(life)),
                ],
                env=environ,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(listening.fileno(), beat_end, life),
            )
        closing.callback(self._end)
        os.close(beat_end)
        os.close(life)

    def _end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        os.close(self.beats)
        if self.life_end >= 0:
            os.close(self.life_end)

    def until_ready(self) -> None:
        assert self.beat(PATIENCE) == b"R", self.said

    def beat(self, seconds: float) -> bytes:
        ready, _, _ = select.select([self.beats], [], [], seconds)
        return os.read(self.beats, 1) if ready else b""

    def end_life(self) -> None:
        os.close(self.life_end)
        self.life_end = -1

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = PATIENCE) -> int:
        return self.process.wait(seconds)

    @property
    def said(self) -> str:
        return self._log.read_text()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.said.splitlines() if line.startswith("{")]

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)


Start = Callable[..., Worker]


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, condition
        time.sleep(0.02)


@contextmanager
def starting(stack: Settings, folder: Path) -> Iterator[Start]:
    """Install the plugin where only the workers started here see it; end them all afterwards."""
    (folder / "voicera_slowly.py").write_text(PLUGIN)
    info = folder / "voicera_slowly-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: voicera-slowly\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[voicera.plugins]\nslowly = voicera_slowly\n")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VOICERA_")}
    own = {"PYTHONPATH": str(folder), "SLOWLY_FOLDER": str(folder), "VOICERA_SHUTDOWN_GRACE": "10"}
    with ExitStack() as closing:
        yield lambda **environ: Worker(settings_for_tests(stack, {**clean, **own, **environ}), folder, closing)


@pytest.fixture
def start(stack: Settings, tmp_path: Path) -> Iterator[Start]:
    with starting(stack, tmp_path) as function:
        yield function


@pytest.fixture(scope="module")
def worker(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """One that runs for all tests that do not end it; those are all `async`, or pytest starts it twice."""
    with starting(stack, tmp_path_factory.mktemp("worker")) as function:
        started = function()
        started.until_ready()
        yield started
        started.terminate()
        assert started.wait() == 0


@pytest.fixture
async def client(worker: Worker) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Client(worker.url, session)


def head(method: str, path: str, *more: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *more, "", ""]).encode()


def read_answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read one answer with Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        assert piece, f"the connection ended after {data!r}"
        data += piece
    top, _, body = data.partition(b"\r\n\r\n")
    first, *lines = top.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    return int(first.split()[1]), headers, body


async def test_a_worker_says_that_it_serves_and_then_beats(worker: Worker) -> None:
    assert {worker.beat(PATIENCE) for _ in range(3)} == {b"."}


def test_sigterm_lets_a_running_request_finish_within_the_grace(start: Start, tmp_path: Path) -> None:
    worker = start(VOICERA_SHUTDOWN_GRACE="60")
    worker.until_ready()
    with worker.connect() as half, worker.connect() as slow, worker.connect() as idle:
        idle.sendall(head("GET", "/health"))
        assert read_answer(idle)[0] == 200
        body = b'{"email": "nobody@example.com", "password": "Wrong-Horse-7"}'
        sent = head("POST", "/auth/login", "Content-Type: application/json", f"Content-Length: {len(body)}")
        half.sendall(sent + body[:20])
        slow.sendall(head("GET", "/slowly/answer"))
        until((tmp_path / "begun").exists)  # and what came before it has been read
        worker.terminate()
        assert idle.recv(100) == b"", "an idle connection is closed at once"
        half.sendall(body[20:])
        assert read_answer(half)[0] == 401
        (tmp_path / "go").touch()
        status, headers, answer = read_answer(slow)
        assert (status, json.loads(answer)["data"]) == (200, "answered")
        assert headers["connection"] == "close"
        assert worker.wait() == 0
    assert {line["status"] for line in worker.lines if line["message"] == "request"} == {200, 401}


def test_a_request_that_does_not_end_is_given_up_after_the_grace(start: Start, tmp_path: Path) -> None:
    worker = start(VOICERA_SHUTDOWN_GRACE="1")
    worker.until_ready()
    with worker.connect() as slow:
        slow.sendall(head("GET", "/slowly/answer"))
        until((tmp_path / "begun").exists)
        worker.terminate()
        assert worker.wait() == 0


def test_a_worker_whose_supervisor_is_gone_drains_its_background_work_and_ends(start: Start, tmp_path: Path) -> None:
    """First nobody reads its heartbeat any more, which is no reason to end; then its life descriptor ends."""
    worker = start()
    worker.until_ready()
    os.close(worker.beats)
    worker.beats = os.open(os.devnull, os.O_RDONLY)
    time.sleep(1.2)  # two heartbeats into a pipe without an end
    with worker.connect() as connection:
        connection.sendall(head("POST", "/slowly/later/file", "Content-Length: 0"))
        assert read_answer(connection)[0] == 200
        worker.end_life()
        assert worker.wait() == 0
    assert (tmp_path / "file").read_text() == "done"


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"VOICERA_WORKERS": "abc"}, "!VOICERA_WORKERS: "),
        ({"VOICERA_TYPO": "x"}, "!unknown setting: VOICERA_TYPO"),
        ({"VOICERA_PLUGINS_DISABLED": "nope"}, "!VOICERA_PLUGINS_DISABLED names no plugin: nope"),
        ({"SLOWLY_WRONG": "1"}, "!slowly.look.get: no plugin declares the rate limit 'no such limit'"),
    ],
)
def test_what_does_not_allow_a_start_ends_with_78_and_the_supervisor_is_told_why(
    start: Start, environ: dict[str, str], said: str
) -> None:
    worker = start(**environ)
    assert worker.wait(20) == 78
    assert os.read(worker.beats, 4096).decode().startswith(said)
    assert worker.said == "", "the supervisor says it, once for all workers"


async def test_nothing_of_a_failed_request_is_left_on_its_connection(worker: Worker, client: Client) -> None:
    """One connection, as of a proxy: a user's request fails in a transaction, then others ask."""
    one, other = await asyncio.gather(client.new_user(), client.new_user())
    with worker.connect() as connection:
        for how, status in (("fail/raises", 500), ("fail/database", 500), ("late", 503)):
            failing = head(
                *("GET", f"/slowly/{how}", f"Authorization: Bearer {one.token}", f"X-Request-Id: of-one-{status}")
            )
            connection.sendall(failing)
            got, headers, _ = await asyncio.to_thread(read_answer, connection)
            assert (got, headers["x-request-id"]) == (status, f"of-one-{status}")
            for _ in range(3):
                connection.sendall(head("GET", "/slowly/look"))
                got, headers, body = await asyncio.to_thread(read_answer, connection)
                seen = json.loads(body)["data"]
                assert got == 200
                assert seen == {
                    "mark": "",
                    "inside": False,
                    "current": False,
                    "identity": False,
                    "id": headers["x-request-id"],
                }
                assert not headers["x-request-id"].startswith("of-one")
                connection.sendall(head("GET", "/auth/me", f"Authorization: Bearer {other.token}"))
                got, headers, body = await asyncio.to_thread(read_answer, connection)
                assert json.loads(body)["data"]["id"] == other.user["id"]
                connection.sendall(head("GET", "/auth/me"))
                assert (await asyncio.to_thread(read_answer, connection))[0] == 401


async def test_the_log_line_of_each_request_names_its_own_caller_and_code(worker: Worker, client: Client) -> None:
    user = await client.new_user()
    with worker.connect() as connection:
        for sent, status in (
            (head("GET", "/agents?limit=0", f"Authorization: Bearer {user.token}", "X-Request-Id: caller-1"), 400),
            (head("GET", "/version", "X-Request-Id: caller-2"), 200),
        ):
            connection.sendall(sent)
            assert (await asyncio.to_thread(read_answer, connection))[0] == status
    await eventually(lambda: "caller-2" in worker.said)
    lines = {line["request_id"]: line for line in worker.lines if line["message"] == "request"}
    assert (lines["caller-1"]["owner"], lines["caller-1"]["code"]) == (user.user["id"], "REQUEST_001")
    assert (lines["caller-2"]["owner"], lines["caller-2"]["code"]) == (None, None)
    assert user.token is not None
    assert user.token not in worker.said
