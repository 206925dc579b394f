"""Group commit: single calls of an owner that arrive while a transaction is under way share the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from plugins.calls.hookspecs import RecordedCall
from plugins.calls.schemas.calls import NewCall
from voicera import LOST, InvalidFields, Resources

STATE = "calls.recorder"
MOST_TOGETHER = 500


class Recorded(NamedTuple):
    """A call, and when it was recorded (UTC)."""

    call: RecordedCall
    at: datetime


Outcome = Recorded | InvalidFields | None
RecordTogether = Callable[[Resources, UUID, list[NewCall]], Awaitable[list[Outcome]]]


@dataclass(slots=True)
class Waiter:
    """A call that waits to be recorded."""

    log: NewCall
    outcome: asyncio.Future[Outcome]


class Recorder:
    """Hands over what waits, one transaction an owner at a time; nobody waits for a timer."""

    def __init__(self, resources: Resources, record_together: RecordTogether) -> None:
        self._resources = resources
        self._record_together = record_together
        self._waiting: dict[UUID, list[Waiter]] = {}

    async def record(self, owner_id: UUID, log: NewCall) -> Outcome:
        """Record a call with whatever else is waiting; returns after the commit. Raises what that raised."""
        waiter = Waiter(log, asyncio.get_running_loop().create_future())
        queue = self._waiting.get(owner_id)
        if queue is None:
            self._waiting[owner_id] = [waiter]
            self._resources.background.spawn("recording of single calls", self._work_off(owner_id))
        else:
            queue.append(waiter)
        return await waiter.outcome

    async def _work_off(self, owner_id: UUID) -> None:
        while queue := self._waiting[owner_id]:
            taken, self._waiting[owner_id] = queue[:MOST_TOGETHER], queue[MOST_TOGETHER:]
            await self._commit(owner_id, [waiter for waiter in taken if not waiter.outcome.done()])
        del self._waiting[owner_id]

    async def _commit(self, owner_id: UUID, waiters: list[Waiter]) -> None:
        if not waiters:
            return
        try:
            async with asyncio.timeout(self._resources.settings.request_deadline or None):
                outcomes = await self._record_together(self._resources, owner_id, [waiter.log for waiter in waiters])
        except (*LOST, asyncio.CancelledError) as error:
            self._resources.hooks.timed_out(error)  # its clients may have been answered already
            _fail(waiters, error)
            if isinstance(error, asyncio.CancelledError):
                raise
        except Exception as error:
            if len(waiters) == 1:
                _fail(waiters, error)
            for waiter in waiters if len(waiters) > 1 else ():  # one that is refused must not refuse its neighbours
                await self._commit(owner_id, [waiter])
        else:
            for waiter, outcome in zip(waiters, outcomes, strict=True):
                if not waiter.outcome.done():  # its client may have gone away
                    waiter.outcome.set_result(outcome)


def recorder_of(resources: Resources, record_together: RecordTogether) -> Recorder:
    """The recorder of this worker."""
    recorder: Recorder | None = resources.state.get(STATE)
    if recorder is None:
        recorder = resources.state[STATE] = Recorder(resources, record_together)
    return recorder


def _fail(waiters: list[Waiter], error: BaseException) -> None:
    for waiter in waiters:
        if not waiter.outcome.done():
            waiter.outcome.set_exception(
                ConnectionError("the worker is stopping") if isinstance(error, asyncio.CancelledError) else error
            )
