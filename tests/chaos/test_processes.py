"""Kills, in numbers: every process, at every moment, idle and loaded. What was acknowledged is there afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import psutil
import pytest

from core.embedded import binaries, running_stack
from core.embedded.s3 import Signer, status
from core.settings import load_settings

pytestmark = pytest.mark.chaos


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


service = _load(Path(__file__).parents[1] / "core" / "service.py")
Service, until = service.Service, service.until
RANDOM = random.Random(20_240_129)


def whole(folder: Path, name: str = "service", **environment: str) -> Any:
    """The service with its bundled servers in a folder."""
    flags = {"data_dir": folder / "data"}
    return Service(folder / f"{name}.log", flags, embedded=True, environment=environment)


def stack_of(folder: Path) -> dict[str, Any]:
    stack = running_stack(folder / "data")
    assert stack is not None
    return stack


class Load:
    """Clients that ask all the time, in threads, and count."""

    def __init__(self, ask: Any, clients: int) -> None:
        self.good: list[float] = []
        self.bad: list[tuple[float, str]] = []
        self._over = threading.Event()
        self._ask = ask
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(clients)]

    def _work(self) -> None:
        while not self._over.is_set():
            try:
                self._ask()
                self.good.append(time.monotonic())
            except Exception as error:
                self.bad.append((time.monotonic(), repr(error)))

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join(30)


def test_sigterm_at_sixty_moments_of_the_start_ends_all_in_order(tmp_path: Path) -> None:
    moments = [step * 0.05 for step in range(60)]
    failures: list[str] = []

    def work(mine: list[float]) -> None:
        for moment in mine:
            folder = tmp_path / f"{moment:.2f}"
            folder.mkdir()
            with whole(folder, STUB_MIGRATE_SECONDS="0.3") as it:
                it.says("begun")
                time.sleep(moment)
                began = time.monotonic()
                code = it.end(30)
                took = time.monotonic() - began
                if code != 0 or took > 7 or it.left():
                    failures.append(f"after {moment} s: code {code} in {took:.1f} s, left {it.left()}\n{it.text()}")
            shutil.rmtree(folder)

    threads = [threading.Thread(target=work, args=(moments[first::3],)) for first in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_start_killed_at_twenty_moments_leaves_nothing_and_the_next_one_works(tmp_path: Path) -> None:
    """On one directory throughout: also half-made clusters, half-written files and servers just being born."""
    for round_ in range(20):
        if round_ % 7 == 0:
            shutil.rmtree(tmp_path / "data", ignore_errors=True)
        with whole(tmp_path, f"killed-{round_}") as it:
            it.says("begun")
            time.sleep(RANDOM.uniform(0, 1.5))
            it.relatives()
            it.process.kill()
            until(lambda: not it.left(), 2.0, "all gone")
    with whole(tmp_path, "last") as it:
        assert it.ready().end() == 0


def test_a_worker_killed_twenty_times_under_load(tmp_path: Path) -> None:
    """It is replaced within a second; at most the requests in its hands fail, and none two seconds later."""
    with Service(tmp_path / "log") as it:
        it.ready()
        load = Load(it.get, 8)
        kills = []
        with load.running():
            for _ in range(20):
                time.sleep(RANDOM.uniform(0.9, 1.4))
                victim = RANDOM.choice(it.workers())
                os.kill(victim, signal.SIGKILL)
                kills.append(time.monotonic())
                until(lambda victim=victim: len(set(it.workers()) - {victim}) == 2, 1.0)
        lost = [when for when, _ in load.bad if min(abs(when - kill) for kill in kills) > 2]
        assert lost == [], load.bad
        assert len(load.bad) <= 0.02 * len(load.good)


def test_all_workers_killed_ten_times_under_load(tmp_path: Path) -> None:
    with Service(tmp_path / "log") as it:
        it.ready()
        load = Load(it.get, 8)
        with load.running():
            for _ in range(10):
                time.sleep(1.1)
                for pid in it.workers():
                    os.kill(pid, signal.SIGKILL)
                killed = time.monotonic()
                until(lambda killed=killed: load.good and load.good[-1] > killed, 2.0, "serving again")
                until(lambda: it.workers() and len(it.workers()) == 2)


@pytest.mark.parametrize("loaded", [False, True])
def test_the_supervisor_killed_five_times(tmp_path: Path, loaded: bool) -> None:
    for round_ in range(5):
        with whole(tmp_path, f"{round_}") as it:
            it.ready()
            load = Load(it.get, 4 if loaded else 0)
            with load.running():
                time.sleep(0.2)
                it.relatives()
                it.process.kill()
                until(lambda: not it.left(), 2.0, "all gone")


async def test_postgresql_killed_ten_times_loses_no_acknowledged_row(tmp_path: Path) -> None:
    with whole(tmp_path) as it:
        it.ready()
        url = stack_of(tmp_path)["database_url"]
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE acknowledged (writer int, number int, PRIMARY KEY (writer, number))")
        await connection.close()
        written: set[tuple[int, int]] = set()
        over = asyncio.Event()
        writers = [asyncio.create_task(_insert(url, writer, written, over)) for writer in range(8)]
        for round_ in range(10):
            await asyncio.sleep(RANDOM.uniform(1.1, 1.5))
            victim = await asyncio.to_thread(it.child, "postgres")
            victim.kill()
            killed = time.monotonic()
            await asyncio.to_thread(it.says, "postgresql ready", 10, round_ + 2)
            assert time.monotonic() - killed < 5
        over.set()
        await asyncio.gather(*writers)
        connection = await asyncpg.connect(url)
        found = {tuple(row) for row in await connection.fetch("SELECT writer, number FROM acknowledged")}
        await connection.close()
        assert len(written) > 1000
        assert written <= found
        assert it.end() == 0


async def _insert(url: str, writer: int, written: set[tuple[int, int]], over: asyncio.Event) -> None:
    number = 0
    while not over.is_set():
        try:
            connection = await asyncpg.connect(url, timeout=5)
        except (OSError, asyncpg.PostgresError, TimeoutError):
            await asyncio.sleep(0.05)
            continue
        try:
            while not over.is_set():
                number += 1
                await connection.execute("INSERT INTO acknowledged VALUES ($1, $2)", writer, number, timeout=5)
                written.add((writer, number))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, TimeoutError):
            connection.terminate()
        else:
            await connection.close()


def test_valkey_killed_ten_times_is_back_within_two_seconds(tmp_path: Path) -> None:
    with whole(tmp_path) as it:
        it.ready()
        for round_ in range(10):
            time.sleep(1.1)
            it.child("valkey-server").kill()
            killed = time.monotonic()
            it.says("valkey ready", 10, round_ + 2)
            assert time.monotonic() - killed < 2


def test_seaweedfs_killed_five_times_loses_no_acknowledged_object(tmp_path: Path) -> None:
    with whole(tmp_path) as it:
        it.ready()
        stack = stack_of(tmp_path)
        host = urlsplit(stack["s3_endpoint_url"]).netloc
        signer = Signer(host, stack["s3_access_key_id"], stack["s3_secret_access_key"])
        stored: dict[str, bytes] = {}
        numbers = iter(range(1_000_000))

        def store() -> None:
            path, body = f"/recordings/{next(numbers)}", os.urandom(RANDOM.randrange(1, 20_000))
            if status(_ask(host, signer.request("PUT", path, body))) == 200:
                stored[path] = body
            else:
                time.sleep(0.05)

        load = Load(store, 4)
        with load.running():
            for round_ in range(5):
                until(lambda round_=round_: len(stored) > (round_ + 1) * 300, 60)
                it.child("weed").kill()
                it.says("seaweedfs ready", 20, round_ + 2)
            until(lambda: len(stored) > 2000, 60)
        for path, body in stored.items():
            assert _ask(host, signer.request("GET", path)).partition(b"\r\n\r\n")[2] == body, path


def _ask(host: str, request: bytes) -> bytes:
    import socket

    name, _, port = host.partition(":")
    try:
        with socket.create_connection((name, int(port)), timeout=5) as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(1 << 16), b""))
    except OSError:
        return b""


async def test_everything_killed_three_times_leaves_a_sound_database(tmp_path: Path) -> None:
    settings = load_settings(environ={}, check_unknown=False)
    for round_ in range(3):
        with whole(tmp_path, f"{round_}") as it:
            it.ready(10)
            url = stack_of(tmp_path)["database_url"]
            connection = await asyncpg.connect(url)
            await connection.execute("CREATE TABLE IF NOT EXISTS filled (id int, words text)")
            rows = await connection.fetchval("SELECT count(*) FROM filled")
            assert rows == round_ * 20_000
            await connection.execute(
                "INSERT INTO filled SELECT n, repeat('word ', 20) FROM generate_series(1, 20000) n"
            )
            connection.terminate()
            await asyncio.to_thread(_kill_all, it)
    with whole(tmp_path, "last") as it:
        it.ready(10)
        url = stack_of(tmp_path)["database_url"]
        checker = binaries.postgres_folder(settings) / "pg_amcheck"
        command = [str(checker), "--install-missing", "--heapallindexed", url]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 MiB, of which 100 are taken by a file called ballast."""
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("mounts a small file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m,mode=0755", "none", str(disk)], check=True)
    disk.joinpath("ballast").write_bytes(bytes(100 << 20))
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


async def test_a_full_disk_ends_nothing_and_is_forgotten_when_there_is_room_again(
    tmp_path: Path, small_disk: Path
) -> None:
    with Service(tmp_path / "log", {"data_dir": small_disk / "data"}, embedded=True) as it:
        it.ready()
        url = stack_of(small_disk)["database_url"]
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE filled (words text)")
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await _grow(connection)
        connection.terminate()
        _fill(small_disk / "more")
        it.child("valkey-server").kill()
        it.child("weed").kill()
        it.says("starting valkey", count=2)
        assert it.get().isdigit()
        for name in ("more", "ballast"):
            (small_disk / name).unlink()
        connection = await _connect(url)
        await connection.execute("TRUNCATE filled")
        await connection.close()
        it.says("valkey ready", 30, 2)
        it.says("seaweedfs ready", 30, 2)
        assert it.end(40) == 0


async def _grow(connection: Any) -> None:
    while True:
        await connection.execute(
            "INSERT INTO filled SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 9000)"
            " CROSS JOIN generate_series(1, 20) g GROUP BY g"
        )


def _kill_all(it: Any) -> None:
    """Kill a service and all that belongs to it, at once."""
    it.relatives()
    it.process.kill()
    for child in it.left():
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    until(lambda: not it.left(), 2.0)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            return


async def _connect(url: str) -> Any:
    end = time.monotonic() + 30
    while True:
        try:
            return await asyncpg.connect(url)
        except (OSError, asyncpg.PostgresError):
            assert time.monotonic() < end
            await asyncio.sleep(0.1)
