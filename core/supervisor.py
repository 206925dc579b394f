"""`voicera serve`: one process that starts everything, watches it, replaces what dies, and takes it down in order.

It is plain code in one thread. It binds the API's socket, starts the bundled servers side by side, migrates once,
and runs N workers on that socket. Its own death, however abrupt, is theirs.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from core.embedded.server import StartFailed
from core.embedded.stack import EmbeddedStack
from core.figures import RUN_VARIABLE
from core.processes import raise_file_limit, reap_orphans, spawn
from core.reload import Watcher, plugin_places, project_folders
from core.sdnotify import notify, watchdog_interval
from core.settings import ConfigurationError, Settings, as_environment, with_values
from core.signals import Signals
from core.steps import Steps, run
from core.workerpool import CrashLoop, WorkerPool

log = logging.getLogger("voicera.supervisor")

BUSY = 0.02  # seconds between two looks while something is starting or ending
QUIET = 0.25  # and when all is well; a signal, or a child's end, is seen at once
BACKLOG = 4096
MIGRATION_LIMIT = 3600.0  # seconds
TAKEN = (errno.EADDRINUSE, errno.EACCES)


@dataclass(frozen=True, slots=True)
class Commands:
    """The programs that the supervisor runs, to which it adds arguments and the environment."""

    worker: Sequence[str] = field(default_factory=lambda: [sys.executable, "-m", "core.worker"])
    migrate: Sequence[str] = field(default_factory=lambda: [sys.executable, "-m", "core.migrator"])


class MigrationFailed(Exception):
    """The migration ended with a code other than 0, and so do we."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the migration ended with code {code}; see above")
        self.code = code


def serve(settings: Settings, *, reload: bool = False, commands: Commands | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C, and return the exit code; to be called in the main thread.

    0 after an orderly end, 78 if the settings do not allow a start, a failed migration's own code, else 1. What
    went wrong has been logged.
    """
    raise_file_limit()
    with Signals() as signals:
        try:
            with ExitStack() as closing:
                Supervisor(settings, signals, commands or Commands(), closing, reload=reload).run()
        except ConfigurationError as error:
            log.error("%s", error)  # noqa: TRY400 - the message is for people, a trace would bury it
            return ConfigurationError.exit_code
        except MigrationFailed as error:
            log.error("%s", error)  # noqa: TRY400
            return error.code
        except (StartFailed, CrashLoop, OSError) as error:
            log.error("%s", error)  # noqa: TRY400
            return 1
    return 0


class Supervisor:
    """One run of the service."""

    def __init__(
        self, settings: Settings, signals: Signals, commands: Commands, closing: ExitStack, *, reload: bool
    ) -> None:
        self._signals = signals
        self._commands = commands
        self._watchdog = watchdog_interval()
        self._next_sign = 0.0
        self._pool: WorkerPool | None = None
        self._watcher = Watcher([*project_folders(), *plugin_places()]) if reload else None
        self._stack = EmbeddedStack(settings)
        closing.callback(self._stack.close)
        self._socket = closing.enter_context(listen(settings.host, settings.port))
        self._port: int = self._socket.getsockname()[1]
        self._environment: dict[str, str] = {}

    def run(self) -> None:
        """Start everything, watch over it until told to stop, and stop everything whatever happened."""
        try:
            self._drive(self._start())
            self._drive(self._watch())
        finally:
            self._stop()

    def _start(self) -> Steps[None]:
        while not (self._stack.ready("database") and self._stack.located):
            yield
        settings = self._stack.settings()
        # Port 0 has become a real one, which the workers shall know.
        settings = with_values(settings, {"port": self._port}, settings.source("port"))
        self._environment = {**os.environ, **as_environment(settings), RUN_VARIABLE: secrets.token_hex(8)}
        self._environment.pop("NOTIFY_SOCKET", None)
        yield from self._migrate()
        while not self._stack.ready("database", "cache"):
            yield
        self._stack.publish({"pid": os.getpid(), "host": settings.host, "port": self._port})
        self._pool = WorkerPool(
            self._commands.worker, self._environment, self._socket.fileno(), settings.workers, settings.shutdown_grace
        )
        while not (self._pool.ready and self._stack.ready()):
            yield
        log.info("ready on %s", url(settings.host, self._port))
        notify("READY=1")

    def _migrate(self) -> Steps[None]:
        began = time.monotonic()
        process = spawn(self._commands.migrate, dies_by=signal.SIGKILL, environment=self._environment)
        code = yield from run(process, MIGRATION_LIMIT)
        if code != 0:
            raise MigrationFailed(code if code is not None and code > 0 else 1)
        log.info("migrated in %.1f s", time.monotonic() - began)

    def _watch(self) -> Steps[None]:
        assert self._pool is not None
        while True:
            changed = self._watcher.changed() if self._watcher else None
            if changed:
                log.info("%s has changed", changed)
                yield from self._migrate_again()
            if changed or self._signals.take_hangup():
                yield from self._pool.exchange()
            yield

    def _migrate_again(self) -> Steps[None]:
        try:
            yield from self._migrate()
        except MigrationFailed as error:
            log.error("%s", error)  # noqa: TRY400 - a typing error during development is no reason to end

    def _drive(self, work: Steps[None]) -> None:
        """Advance everything, and `work` with it, until that is done or we are told to stop."""
        try:
            while not self._signals.stops:
                self._look()
                if next(work, self) is self:
                    return
                self._signals.wait(QUIET if self._is_quiet() else BUSY)
        finally:
            work.close()

    def _look(self) -> None:
        self._stack.step()
        if self._pool is not None:
            self._pool.step()
        self._housekeep()

    def _housekeep(self) -> None:
        if os.getpid() == 1:
            reap_orphans()
        if self._watchdog is not None and time.monotonic() >= self._next_sign:
            notify("WATCHDOG=1")
            self._next_sign = time.monotonic() + self._watchdog

    def _is_quiet(self) -> bool:
        return self._pool is not None and self._pool.quiet and self._stack.ready()

    def _stop(self) -> None:
        notify("STOPPING=1")
        log.info("stopping")
        stops = self._signals.stops
        if self._pool is not None:
            self._finish(self._pool.stop(lambda: self._signals.stops > stops))
        self._finish(self._stack.stop(lambda: self._signals.stops > stops))
        log.info("stopped")

    def _finish(self, work: Steps[None]) -> None:
        for _ in work:
            self._housekeep()
            self._signals.wait(BUSY)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there; raises ConfigurationError if it cannot."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {url(host, port)}: {error.strerror}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        hint = " (VOICERA_PORT or --port name another)" if error.errno in TAKEN else ""
        raise ConfigurationError(f"cannot listen on {url(host, port)}: {error.strerror}{hint}") from None
    return listener


def url(host: str, port: int) -> str:
    """Return the address as people type it."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
