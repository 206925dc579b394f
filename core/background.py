"""Background work of one worker: kept in a registry, and drained when the worker stops.

Sanic's `add_task` hangs its shutdown when a task has asynchronous clean-up, so it is not used.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

log = logging.getLogger("voicera.background")
Result = TypeVar("Result")


class Background:
    """Tasks that outlive the request that started them. `spawn` work that ends, `repeat` work that does not."""

    def __init__(self) -> None:
        self._work: set[asyncio.Task[Any]] = set()
        self._loops: set[asyncio.Task[Any]] = set()

    def spawn(self, name: str, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Start work that will end; a stopping worker waits for it. What it raises is logged."""
        task = self._keep(self._work, name, work)
        task.add_done_callback(_report)
        return task

    def repeat(self, name: str, seconds: float, work: Callable[[], Awaitable[Any]]) -> asyncio.Task[None]:
        """Call `work` every so many seconds until the worker stops; an error is logged and the next turn comes."""
        return self._keep(self._loops, name, _forever(name, seconds, work))

    async def finish(self, name: str, work: Coroutine[Any, Any, Result]) -> Result:
        """Await work that must end even if the awaiting request is cancelled, and return its result."""
        task = self._keep(self._work, name, work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_report)  # nobody is left to hear of an error
            raise

    async def drain(self, seconds: float) -> None:
        """End the loops, wait up to `seconds` for the rest, then cancel what is left."""
        await _cancel(self._loops)
        if self._work:
            await asyncio.wait(self._work, timeout=seconds)
        if self._work:
            log.warning("background work cancelled", extra={"tasks": sorted(t.get_name() for t in self._work)})
            await _cancel(self._work)

    def _keep(
        self, where: set[asyncio.Task[Any]], name: str, work: Coroutine[Any, Any, Result]
    ) -> asyncio.Task[Result]:
        # A context of its own: one inherited from inside a transaction would bring that connection along.
        task = asyncio.get_running_loop().create_task(work, name=name, context=Context())
        where.add(task)
        task.add_done_callback(where.discard)
        return task


async def _forever(name: str, seconds: float, work: Callable[[], Awaitable[Any]]) -> None:
    while True:
        try:
            await work()
        except Exception:
            log.exception("background work failed", extra={"task": name})
        await asyncio.sleep(seconds)


def _report(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("background work failed", extra={"task": task.get_name()}, exc_info=error)


async def _cancel(tasks: set[asyncio.Task[Any]]) -> None:
    pending = list(tasks)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
