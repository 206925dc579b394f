"""A listener of after-events: bounded, and left alone while it fails.

An after-event never slows the work that it tells of. So each listener hears at most two events at once, keeps at most
256 waiting, and has a time limit; what is beyond is skipped and counted.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

from core.background import Background
from core.breaker import Breaker
from core.listeners import Arguments, Listener

log = logging.getLogger("voicera.hooks")


@dataclass(slots=True)
class Rules:
    """What an after-event's listener may do: seconds a call, calls at once, events waiting.

    A call that holds the event loop longer than `blocked` seconds counts as a failure; `farewell` is how long one
    that is cancelled may clean up.
    """

    seconds: float = 10.0
    at_once: int = 2  # less than the database pool, whatever they hold on to
    waiting: int = 256
    blocked: float = 0.5
    farewell: float = 1.0


class Hearer:
    """A listener of an after-event, with its queue and its circuit breaker."""

    def __init__(self, listener: Listener, rules: Rules, monotonic: Callable[[], float]) -> None:
        self._listener = listener
        self._rules = rules
        self._breaker = Breaker(monotonic)
        self._monotonic = monotonic
        self._waiting: deque[Arguments] = deque()
        self._running = 0
        self._stuck = 0
        self._complained: float | None = None

    @property
    def tripped(self) -> bool:
        """Whether it is left alone for now."""
        return self._breaker.tripped

    def hear(self, background: Background, arguments: Arguments) -> None:
        """Let it hear of an event soon, or skip it."""
        if self._breaker.tripped:
            if not self._stuck and self._breaker.may_try():
                self._spawn(background, arguments, trying=True)
            else:
                self._listener.figure.skipped += 1
        elif self._running < self._rules.at_once:
            self._spawn(background, arguments, trying=False)
        elif len(self._waiting) < self._rules.waiting:
            self._waiting.append(arguments)
        else:
            self._listener.figure.skipped += 1
            self._complain("hook skipped: too many events wait", waiting=len(self._waiting))

    def _spawn(self, background: Background, arguments: Arguments, *, trying: bool) -> None:
        self._running += 1
        name = f"{self._listener.hook}:{self._listener.plugin}"
        background.spawn(name, self._work(arguments, trying=trying))

    async def _work(self, arguments: Arguments, *, trying: bool) -> None:
        """Hear one event, then those that wait."""
        try:
            while True:
                self._judge(await self._hear_one(arguments), trying=trying)
                if not self._waiting:
                    return
                arguments, trying = self._waiting.popleft(), False
        except asyncio.CancelledError:  # the worker stops
            self._skip_waiting()
            raise
        finally:
            self._running -= 1

    def _judge(self, good: bool, *, trying: bool) -> None:  # noqa: FBT001  # the one thing that it takes
        if good:
            if self._breaker.succeeded(trying=trying):
                self._say(logging.WARNING, "hook works again")
        elif self._breaker.failed(trying=trying):
            self._say(logging.ERROR, "hook tripped: it is skipped for now", seconds=self._breaker.pause)
            self._skip_waiting()

    def _skip_waiting(self) -> None:
        self._listener.figure.skipped += len(self._waiting)
        self._waiting.clear()

    async def _hear_one(self, arguments: Arguments) -> bool:
        """Call the listener once, in a task that can be given up; True if all went well."""
        rules, figure, steps = self._rules, self._listener.figure, Steps(partial(self._called, arguments))
        began = time.perf_counter()
        task = asyncio.get_running_loop().create_task(steps.run())
        try:
            await asyncio.wait({task}, timeout=rules.seconds)
        except asyncio.CancelledError:
            await self._give_up(task)
            raise
        took = time.perf_counter() - began
        figure.took(took)
        if steps.longest > rules.blocked:
            figure.blocked += 1
            self._complain("hook blocks the event loop", seconds=round(steps.longest, 3))
        if not task.done() or took > rules.seconds:
            await self._give_up(task)
            figure.timeouts += 1
            figure.last_error = f"TimeoutError: it took longer than {rules.seconds:g} s"
            self._say(logging.ERROR, "hook timed out", seconds=rules.seconds, stuck=not task.done())
            return False
        error = asyncio.CancelledError() if task.cancelled() else task.result()
        if error is not None:
            figure.failed(error)
            self._say(logging.ERROR, "hook failed", error=error)
        return error is None and steps.longest <= rules.blocked

    async def _called(self, arguments: Arguments) -> BaseException | None:
        """Call it, plain or not, and return what it raised: a SystemExit would end the worker."""
        try:
            answer = self._listener.call(arguments)
            if inspect.isawaitable(answer):
                await answer
        except (Exception, SystemExit) as error:
            return error
        return None

    async def _give_up(self, task: asyncio.Task[Any]) -> None:
        """Cancel it and let it clean up; one that does not end is noted as stuck."""
        task.cancel()
        await asyncio.wait({task}, timeout=self._rules.farewell)
        if not task.done():
            self._stuck += 1
            task.add_done_callback(self._came_loose)

    def _came_loose(self, task: asyncio.Task[Any]) -> None:
        del task
        self._stuck -= 1

    def _complain(self, message: str, **extra: Any) -> None:
        """Warn, once a minute."""
        now = self._monotonic()
        if self._complained is None or now - self._complained >= 60:
            self._complained = now
            self._say(logging.WARNING, message, **extra)

    def _say(self, level: int, message: str, *, error: BaseException | None = None, **extra: Any) -> None:
        named = {"plugin": self._listener.plugin, "hook": self._listener.hook}
        log.log(level, message, extra={**named, **extra}, exc_info=error)


class Steps:
    """Runs a coroutine, and measures the longest stretch in which it did not let go of the event loop."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, BaseException | None]]) -> None:
        self._work = work
        self.longest = 0.0

    async def run(self) -> BaseException | None:
        """Make the coroutine and await it."""
        return await self

    def __await__(self) -> Generator[Any, Any, BaseException | None]:
        work = self._work()
        value: Any = None
        thrown: BaseException | None = None
        while True:
            began = time.perf_counter()
            try:
                awaited = work.send(value) if thrown is None else work.throw(thrown)
            except StopIteration as end:
                result: BaseException | None = end.value
                return result
            finally:
                self.longest = max(self.longest, time.perf_counter() - began)
            value = thrown = None
            try:
                value = yield awaited
            except BaseException as error:  # a cancellation, above all: the coroutine's own affair
                thrown = error
