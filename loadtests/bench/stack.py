"""The bundled servers, databases on them, and the programs that are measured, each one process."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import asyncpg
import psutil

from loadtests.service import GENEROUS, ROOT, child, free_port, service, voicera

ENVIRONMENT = ROOT / ".venv-bench"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
WAIT_SECONDS = 30
MEBIBYTE = 1 << 20
# Everything that recording fills; the lists of an owner are emptied, not what says how far a plugin is.
TABLES = """
SELECT string_agg(quote_ident(relname), ', ') FROM pg_class
WHERE relkind IN ('r', 'p') AND NOT relispartition
    AND obj_description(oid, 'pg_class') IN ('voicera:calls', 'voicera:analytics')
    AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'owner_id')"""


@dataclass(frozen=True, slots=True)
class Program:
    """A running program: where it answers, and its process."""

    url: str
    pid: int


@dataclass(frozen=True, slots=True)
class Stack:
    """PostgreSQL, Valkey and S3, as `voicera serve` started them; its own worker idles on a database of its own."""

    environment: dict[str, str]
    data: str

    def url_of(self, database: str) -> str:
        """The URL of a database on the server."""
        return urlsplit(self.environment["VOICERA_DATABASE_URL"])._replace(path=f"/{database}").geturl()

    async def create(self, database: str, template: str = "template1") -> None:
        """Make a database, empty or as a copy of one that nobody uses."""
        connection = await asyncpg.connect(self.environment["VOICERA_DATABASE_URL"])
        await connection.execute(f"CREATE DATABASE {database} TEMPLATE {template}")
        await connection.close()

    async def drop(self, database: str) -> None:
        """Remove a database that is not needed any more: the large ones fill the disk."""
        connection = await asyncpg.connect(self.environment["VOICERA_DATABASE_URL"])
        await connection.execute(f"DROP DATABASE {database} WITH (FORCE)")
        await connection.close()

    async def empty(self, database: str) -> None:
        """Take all calls away, and let the next round begin without the last one's dirty pages."""
        connection = await asyncpg.connect(self.url_of(database))
        await connection.execute(f"TRUNCATE {await connection.fetchval(TABLES)}")
        await connection.execute("CHECKPOINT")
        await connection.close()

    async def settle(self, database: str) -> None:
        """Vacuum and analyze, as autovacuum will have done with calls that are not from just now."""
        connection = await asyncpg.connect(self.url_of(database))
        await connection.execute("VACUUM (ANALYZE)", timeout=600)
        await connection.execute("CHECKPOINT")
        await connection.close()

    async def count(self, database: str) -> int:
        """How many calls a database holds."""
        connection = await asyncpg.connect(self.url_of(database))
        found: int = await connection.fetchval("SELECT count(*) FROM call_logs")
        await connection.close()
        return found

    def used(self, pid: int) -> tuple[float, float]:
        """The seconds of CPU that a process, and all processes of PostgreSQL together, have used."""
        database = 0.0
        for process in psutil.process_iter(["name", "cwd"]):
            # Every process of PostgreSQL works in its data directory; its first one keeps what the ended ones used.
            if process.info["name"] == "postgres" and (process.info["cwd"] or "").startswith(self.data):
                with contextlib.suppress(psutil.Error):
                    database += sum(process.cpu_times()[:4])
        return sum(psutil.Process(pid).cpu_times()[:2]), database

    def migrate(self, database: str, disabled: str = "") -> None:
        """Bring a database up to date."""
        environment = {**os.environ, **self._variables(database, disabled)}
        command = [*voicera(), "migrate"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"voicera migrate: {done.stderr}")

    @contextlib.contextmanager
    def worker(self, database: str, disabled: str = "", changes: Sequence[str] = ()) -> Iterator[Program]:
        """Run one worker of ours on a database, without the plugins that `disabled` names.

        `changes` are options of `loadtests.bench.changed_worker`, which is run in place of the service's own then.
        """
        with socket.create_server(("127.0.0.1", 0), backlog=4096) as listening:
            descriptor = listening.fileno()
            module = "loadtests.bench.changed_worker" if changes else "core.worker"
            command = [sys.executable, "-m", module, *changes, "--socket-fd", str(descriptor)]
            variables = self._variables(database, disabled)
            with child(command, environment=variables, keep=descriptor) as process:
                program = Program(f"http://127.0.0.1:{listening.getsockname()[1]}", process.pid)
                wait_for(f"{program.url}/health", process)
                yield program

    @contextlib.contextmanager
    def foreign(self, module: str, database: str) -> Iterator[Program]:
        """Run one of the services of other frameworks on a database."""
        port = free_port()
        python = str(environment_of_others() / "bin" / "python")
        command = [python, "-m", f"loadtests.bench.{module}", "--port", str(port)]
        with child([*command, "--database-url", self.url_of(database)]) as process:
            program = Program(f"http://127.0.0.1:{port}", process.pid)
            wait_for(f"{program.url}/health", process)
            yield program

    def _variables(self, database: str, disabled: str) -> dict[str, str]:
        own = {"VOICERA_DATABASE_URL": self.url_of(database), "VOICERA_PLUGINS_DISABLED": disabled}
        return {**self.environment, **GENEROUS, **own}


@contextlib.contextmanager
def started() -> Iterator[Stack]:
    """Start the servers on a fresh data directory."""
    with tempfile.TemporaryDirectory(prefix="voicera-bench-") as folder:
        data = Path(folder) / "data"
        with service(data, 1):
            command = [*voicera(), "env", "--data-dir", str(data)]
            text = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, cwd=ROOT).stdout
            exports = (word.partition("=") for word in shlex.split(text) if "=" in word)
            environment = {name: value for name, _, value in exports} | {"VOICERA_DATA_DIR": str(data)}
            yield Stack(environment, str(data))


def environment_of_others() -> Path:
    """The virtual environment of the foreign services, made anew where its requirements have changed."""
    stamp = ENVIRONMENT / ".installed"
    if not stamp.exists() or stamp.read_text() != REQUIREMENTS.read_text():
        uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
        if uv is None:
            raise SystemExit("uv is needed to install the other frameworks")
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(ENVIRONMENT)], check=True)
        into = ["--quiet", "--python", str(ENVIRONMENT / "bin" / "python"), "--compile-bytecode", "--no-deps"]
        subprocess.run([uv, "pip", "install", *into, "--requirement", str(REQUIREMENTS)], check=True)
        stamp.write_text(REQUIREMENTS.read_text())
    return ENVIRONMENT


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a program answers."""
    until = time.monotonic() + WAIT_SECONDS
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(url, timeout=2).read()  # noqa: S310  # loopback
            return
        time.sleep(0.05)
    raise SystemExit(f"{url} does not answer (exit code {process.poll()})")


class Memory:
    """Watches how much memory a process has, in MiB, 20 times a second: `first` what it had, `most` the peak."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.first = self.most = self._process.memory_info().rss / MEBIBYTE
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            self.most = max(self.most, self._process.memory_info().rss / MEBIBYTE)
