"""The worker processes: started, watched by their heartbeat, replaced when they die or hang, exchanged one by one."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

from core.backoff import Backoff
from core.processes import describe, spawn, tell
from core.settings import ConfigurationError
from core.steps import Steps

log = logging.getLogger("voicera.supervisor")

READY = b"R"
REFUSED = b"!"  # and behind it why a worker does not start
MOST_REFUSAL = 4000  # bytes: they go into a pipe at once
READY_WITHIN = 30.0  # seconds
SILENCE = 10.0  # seconds without a heartbeat after which a worker hangs
LOOP_LIMIT = 10  # deaths, none of them after having served, at which a start is given up


class CrashLoop(Exception):
    """The workers keep dying before any of them ever served."""


class Worker:
    """One worker process, and what is heard of it."""

    def __init__(self, process: subprocess.Popen[bytes], beats: int) -> None:
        self.process = process
        self.ready = False
        self.killed: str | None = None
        self._ready_since = 0.0
        self._beats = beats
        self._heard = time.monotonic()
        self._refusal: bytes | None = None

    def listen(self) -> None:
        """Take in its heartbeats, and kill it if it has been silent for too long."""
        self._read()
        silence = time.monotonic() - self._heard
        if silence > (SILENCE if self.ready else READY_WITHIN) and self.killed is None:
            self.kill(f"gave no sign of life for {silence:.0f} s" if self.ready else "was not ready in time")

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while beats := os.read(self._beats, 4096):
                self._heard = time.monotonic()
                if self._refusal is not None:
                    self._refusal += beats
                    continue
                beats, refused, why = beats.partition(REFUSED)
                self._refusal = why if refused else None
                if not self.ready and READY in beats:
                    self.ready, self._ready_since = True, self._heard

    @property
    def refusal(self) -> str:
        """Why it did not start, as far as it said so."""
        return (self._refusal or b"").decode(errors="replace")

    def kill(self, reason: str) -> None:
        """End it at once; the reason is told when it has ended."""
        self.killed = reason
        tell(self.process, signal.SIGKILL)

    def ended(self) -> str | None:
        """Say how it ended, once it has."""
        if self.process.poll() is None:
            return None
        self._read()  # what it said last
        how = describe(self.process.returncode)
        how = f"{how} ({self.refusal})" if self.refusal else how
        return f"{self.killed} and was killed" if self.killed else how

    @property
    def served(self) -> float:
        """For how many seconds it has served."""
        return time.monotonic() - self._ready_since if self.ready else 0.0

    def close(self) -> None:
        """Let go of its heartbeat pipe."""
        os.close(self._beats)


class Slot:
    """One worker's place: at most one serves in it, a successor may be getting ready, a predecessor ending."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.current: Worker | None = None
        self.successor: Worker | None = None
        self.leaving: list[tuple[Worker, float]] = []
        self.backoff = Backoff()
        self.not_before = 0.0

    def workers(self) -> list[Worker]:
        """All processes of this place."""
        present = [worker for worker in (self.current, self.successor) if worker is not None]
        return [*present, *(worker for worker, _ in self.leaving)]


class WorkerPool:
    """So many workers on one listening socket."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], socket: int, count: int, grace: float
    ) -> None:
        self._command = command
        self._environment = environment
        self._socket = socket
        self._grace = grace
        self._slots = [Slot(number + 1) for number in range(count)]
        self._served = False
        self._deaths = 0
        # Nobody writes to this pipe: its end, when the supervisor has died, is the message.
        self._life, self._life_end = os.pipe()

    @property
    def ready(self) -> bool:
        """Whether a worker serves in every place."""
        return all(slot.current is not None and slot.current.ready for slot in self._slots)

    @property
    def quiet(self) -> bool:
        """Whether nothing is being started or ended, so that it is enough to look seldom."""
        return self.ready and not any(slot.successor or slot.leaving for slot in self._slots)

    def step(self) -> None:
        """Hear all workers and replace what has died.

        Raises CrashLoop if none ever came to serve, ConfigurationError if the first says that nothing can start so.
        """
        for slot in self._slots:
            for worker in slot.workers():
                self._hear(slot, worker)
            self._end_late(slot)
            if slot.current is None and time.monotonic() >= slot.not_before:
                slot.current, slot.successor = slot.successor or self._start(slot), None

    def exchange(self) -> Steps[None]:
        """Replace the workers one by one: each goes when its successor serves. A successor that fails ends it."""
        for slot in self._slots:
            successor = slot.successor = self._start(slot)
            while successor is not None and slot.successor is successor and not successor.ready:
                yield
            if successor is None or (not successor.ready and slot.current is not successor):
                log.error("the new worker %d failed: the old ones go on", slot.number)
                return
            if slot.successor is successor:
                old, slot.current, slot.successor = slot.current, successor, None
                if old is not None:
                    self._dismiss(slot, old)
            while slot.leaving:
                yield
        log.info("all workers exchanged")

    def stop(self, hurried: Callable[[], bool]) -> Steps[None]:
        """Ask all workers to end, and kill those that have not within the grace, or when `hurried`."""
        until = time.monotonic() + self._grace
        remaining = [(slot, worker) for slot in self._slots for worker in slot.workers()]
        for _, worker in remaining:
            tell(worker.process, signal.SIGTERM)
        while remaining:
            for slot, worker in list(remaining):
                if worker.ended() is not None:
                    worker.close()
                    remaining.remove((slot, worker))
                elif (hurried() or time.monotonic() > until) and worker.killed is None:
                    log.warning("worker %d, pid %d, is killed: it did not end", slot.number, worker.process.pid)
                    worker.kill("did not end")
            yield
        os.close(self._life)
        os.close(self._life_end)

    def _start(self, slot: Slot) -> Worker | None:
        """Start a worker; None if the system cannot just now (no processes, no descriptors, no memory)."""
        beats, beat_end = os.pipe()
        os.set_blocking(beats, False)
        arguments = ["--socket-fd", self._socket, "--beat-fd", beat_end, "--life-fd", self._life]
        try:
            process = spawn(
                [*self._command, *map(str, arguments)],
                # A hung worker would not hear anything politer, and would keep the listening socket open.
                dies_by=signal.SIGKILL,
                environment=self._environment,
                give=[self._socket, beat_end, self._life],
            )
        except (OSError, subprocess.SubprocessError) as error:
            os.close(beats)
            delay = slot.backoff.delay()
            slot.not_before = time.monotonic() + delay
            log.error("worker %d cannot be started: %s", slot.number, error)  # noqa: TRY400
            return None
        finally:
            os.close(beat_end)
        log.info("worker %d started, pid %d", slot.number, process.pid)
        return Worker(process, beats)

    def _hear(self, slot: Slot, worker: Worker) -> None:
        was_ready = worker.ready
        worker.listen()
        if worker.ready and not was_ready:
            self._served = True
            log.info("worker %d ready, pid %d", slot.number, worker.process.pid)
        how = worker.ended()
        if how is not None:
            worker.close()
            self._bury(slot, worker, how)

    def _bury(self, slot: Slot, worker: Worker, how: str) -> None:
        if worker is slot.successor:
            slot.successor = None
            log.error("worker %d, pid %d, %s before it replaced the old one", slot.number, worker.process.pid, how)
        elif worker is slot.current:
            slot.current = None
            self._count_death(slot, worker, how)
        else:
            slot.leaving = [(other, until) for other, until in slot.leaving if other is not worker]

    def _count_death(self, slot: Slot, worker: Worker, how: str) -> None:
        if worker.process.returncode == ConfigurationError.exit_code and not self._served:
            raise ConfigurationError(worker.refusal or "the workers refuse to start; see above")
        delay = slot.backoff.delay(worker.served)
        slot.not_before = time.monotonic() + delay
        log.error("worker %d, pid %d, %s; a new one in %.1f s", slot.number, worker.process.pid, how, delay)
        if self._served:
            return
        self._deaths += 1
        if self._deaths >= LOOP_LIMIT:
            raise CrashLoop(f"{self._deaths} workers died and none ever served; see above")

    def _dismiss(self, slot: Slot, worker: Worker) -> None:
        slot.leaving.append((worker, time.monotonic() + self._grace))
        tell(worker.process, signal.SIGTERM)

    def _end_late(self, slot: Slot) -> None:
        for worker, until in slot.leaving:
            if time.monotonic() > until and worker.killed is None:
                worker.kill("did not end within its grace")
