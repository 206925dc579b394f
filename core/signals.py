"""Signals as facts to look at, in a program of one thread.

The handlers only take note. So a signal never interrupts anything half-way: a child that is just being started is
still known afterwards, and the next look decides what to do.
"""

from __future__ import annotations

import os
import select
import signal
import time
from types import FrameType
from typing import Any, Self

STOP = (signal.SIGTERM, signal.SIGINT)
ONE_EVENT = 0.3  # seconds


def end_on_signal() -> None:
    """Until `Signals` takes over, end on SIGTERM and Ctrl-C at once and in order: nothing has been started yet."""
    for number in STOP:
        signal.signal(number, lambda *_: os._exit(0))


class Signals:
    """Takes note of SIGTERM, SIGINT and SIGHUP while it is entered; `wait` ends when one comes or a child ends."""

    def __init__(self) -> None:
        self.stops = 0
        self.hangups = 0
        self._last_stop = -ONE_EVENT
        self._read, self._write = -1, -1
        self._before: dict[signal.Signals, Any] = {}
        self._wakeup_before = -1

    def __enter__(self) -> Self:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._wakeup_before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in (*STOP, signal.SIGHUP, signal.SIGCHLD):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            # The process is about to end: a late SIGTERM must not change how.
            signal.signal(number, signal.SIG_IGN if number in STOP else handler)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._read)
        os.close(self._write)

    def wait(self, seconds: float) -> None:
        """Sleep for that long, or until a signal comes."""
        if select.select([self._read], [], [], seconds)[0]:
            os.read(self._read, 4096)

    def take_hangup(self) -> bool:
        """Whether a SIGHUP has come since the last call."""
        taken, self.hangups = self.hangups > 0, 0
        return taken

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number in STOP:
            # Terminals and process managers may tell us twice of one and the same event.
            self.stops += time.monotonic() > self._last_stop + ONE_EVENT
            self._last_stop = time.monotonic()
        elif number == signal.SIGHUP:
            self.hangups += 1
