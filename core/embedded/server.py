"""The life of one bundled server: started, asked until it answers, started again when it dies, stopped in order."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from core.backoff import Backoff
from core.embedded.datadir import DataDir
from core.embedded.inheritance import heirs, inherit
from core.embedded.privileges import OtherUser
from core.processes import describe, end_group, spawn, tell
from core.settings import ConfigurationError
from core.steps import Steps, pause

log = logging.getLogger("voicera.supervisor")

FIRST_ATTEMPTS = 3
LOG_LIMIT = 8 << 20  # bytes; one older file of that size is kept beside it
LOG_CHECK = 10.0  # seconds


class StartFailed(Exception):
    """A bundled server could not be started; the message says which, and the end of what it said."""


class Server(ABC):
    """One bundled server. A subclass says how it is prepared, launched, asked and told to stop."""

    name: ClassVar[str]
    patience: ClassVar[float]  # seconds that it may take to answer after its start, crash recovery included
    dies_by: ClassVar[signal.Signals]  # what it gets when the supervisor dies: gone within two seconds, nothing corrupt
    farewells: ClassVar[Sequence[tuple[signal.Signals, float]]]  # signals to stop it, each with seconds of patience

    def __init__(self, home: DataDir) -> None:
        self.home = home
        self.ready = False
        self.served = False
        self.settled = False  # true once somebody was told where it is
        self._ports: dict[str, int] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self._life = self._live()

    @abstractmethod
    def prepare(self, lock: int) -> Steps[None]:
        """Make what must exist before the start. Any process started for it inherits the lock."""

    @abstractmethod
    def launch(self, lock: int) -> subprocess.Popen[bytes]:
        """Start the server."""

    @abstractmethod
    def probe(self) -> Steps[bool]:
        """Whether it answers a real request."""

    @abstractmethod
    def values(self) -> dict[str, str]:
        """The settings that lead to it; from now on it stays at these ports."""

    @property
    def located(self) -> bool:
        """Whether it is known at which ports it is, or will be."""
        return bool(self._ports)

    def step(self) -> None:
        """Do what can be done now. Raises StartFailed if it never came up, ConfigurationError if it must not."""
        next(self._life)

    def stop(self, hurried: Callable[[], bool]) -> Steps[None]:
        """End it politely; less so when its patience is over, or when `hurried`."""
        self._life.close()
        self.ready = False
        if self.process is None:
            return
        for number, seconds in (*self.farewells, (signal.SIGKILL, 10.0)):
            tell(self.process, number)
            until = time.monotonic() + seconds
            while self.process.poll() is None and time.monotonic() < until:
                if hurried() and number is self.farewells[0][0]:
                    break
                yield
        log.info("%s stopped", self.name)

    def ports(self, *names: str) -> dict[str, int]:
        """The ports to use: those of the last time, or where one is taken and nobody was told of it yet, new ones."""
        if not self.settled:
            self._ports = self.home.ports(*names)
        return self._ports

    def spawn(
        self,
        command: Sequence[str],
        lock: int,
        environment: dict[str, str],
        user: OtherUser | None = None,
        stdin: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Start a program of this server: output to its log, in its folder, with few variables and our lock."""
        shorten(self.home.log(self.name))
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        output = os.open(self.home.log(self.name), flags, 0o600)
        try:
            return spawn(
                command,
                dies_by=self.dies_by,
                environment={**plain_environment(), **environment},
                stdin=stdin,
                output=output,
                give=[lock],
                folder=self.home.folder(self.name),
                umask=0o077,
                become=user.become if user else None,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise StartFailed(f"{command[0]} cannot be started: {error}") from None
        finally:
            os.close(output)

    def _live(self) -> Steps[None]:
        backoff = Backoff()
        while True:
            served = 0.0
            try:
                yield from self._start()
            except (StartFailed, ConfigurationError, OSError) as failure:
                # What has served comes back, be it when the disk has room again; what never did says why and ends.
                hopeless = isinstance(failure, ConfigurationError) or backoff.failures + 1 >= FIRST_ATTEMPTS
                if not self.served and hopeless:
                    raise
                log.warning("%s not started: %s", self.name, failure)
            else:
                assert self.process is not None
                served = yield from self._watch(self.process)
                log.error("%s %s; starting it again", self.name, describe(self.process.returncode))
            yield from pause(backoff.delay(served))

    def _start(self) -> Steps[None]:
        began = time.monotonic()
        log.info("starting %s", self.name)
        lock = yield from self._alone()
        try:
            yield from self.prepare(lock)
            self.process = self.launch(lock)
        finally:
            os.close(lock)
        while not (yield from self.probe()):
            if self.process.poll() is not None:
                raise StartFailed(f"{self.name} {describe(self.process.returncode)} at its start; {self.last_words()}")
            if time.monotonic() > began + self.patience:
                end_group(self.process, 1.0)
                raise StartFailed(f"{self.name} did not answer within {self.patience:.0f} s; {self.last_words()}")
            yield
        self.ready = self.served = True
        log.info("%s ready in %.1f s, pid %d", self.name, time.monotonic() - began, self.process.pid)

    def _watch(self, process: subprocess.Popen[bytes]) -> Steps[float]:
        """Wait until it dies, and return for how many seconds it served."""
        began = checked = time.monotonic()
        while process.poll() is None:
            if time.monotonic() > checked + LOG_CHECK:
                shorten(self.home.log(self.name))
                checked = time.monotonic()
            yield
        self.ready = False
        return time.monotonic() - began

    def _alone(self) -> Steps[int]:
        """Wait until no process of an earlier start is left, end those that stay, and return the lock."""
        path = self.home.path / f"{self.name}.lock"
        for number, seconds in ((None, 1.0), (self.dies_by, 10.0), (signal.SIGKILL, 10.0)):
            if number is not None:
                self._end_left(heirs(path), number)
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                lock = inherit(path)
                if lock is not None:
                    return lock
                yield
        raise StartFailed(f"{self.name} of an earlier start cannot be ended; its processes: {heirs(path)}")

    def _end_left(self, pids: Sequence[int], number: signal.Signals) -> None:
        log.warning("ending %s left over from an earlier start, pid %s", self.name, ", ".join(map(str, pids)))
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

    def last_words(self) -> str:
        """The end of what it said, for an error message."""
        path = self.home.log(self.name)
        lines = path.read_text("utf-8", "replace").splitlines()[-8:] if path.exists() else []
        return f"the end of {path}:\n  " + "\n  ".join(lines)


def plain_environment() -> dict[str, str]:
    """What bundled programs get of our environment: nothing that would change their ways or tell them secrets."""
    kept = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")
    return {**{name: os.environ[name] for name in kept if name in os.environ}, "LC_ALL": "C", "TZ": "UTC"}


def shorten(path: Path, limit: int = LOG_LIMIT) -> None:
    """Move a log that is over its limit aside; the writer goes on in the emptied file, which it opened to append."""
    with contextlib.suppress(OSError):
        if path.stat().st_size > limit:
            shutil.copyfile(path, path.with_suffix(".log.1"))
            path.with_suffix(".log.1").chmod(0o600)
            os.truncate(path, 0)
