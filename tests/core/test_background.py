"""Background work: kept, contained, drained; and it never inherits the connection of whoever started it."""

from __future__ import annotations

import asyncio
import logging
from contextvars import ContextVar
from typing import Any

import pytest

from core.background import Background
from voicera.testing.patience import PATIENCE

REQUEST: ContextVar[str] = ContextVar("request", default="none")


async def test_a_stopping_worker_waits_for_work_that_ends() -> None:
    background, done = Background(), asyncio.Event()

    async def work() -> str:
        await asyncio.sleep(0.05)
        done.set()
        return "made"

    task = background.spawn("work", work())
    await background.drain(PATIENCE)
    assert done.is_set()
    assert task.result() == "made"


async def test_work_that_does_not_end_is_cancelled_after_the_grace_and_named(caplog: pytest.LogCaptureFixture) -> None:
    background, cleaned = Background(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # asynchronous clean-up is waited for too
            cleaned.set()

    background.spawn("endless", work())
    await asyncio.sleep(0)
    await background.drain(0.05)
    assert cleaned.is_set()
    assert [record.__dict__["tasks"] for record in caplog.records] == [["endless"]]


async def test_what_spawned_work_raises_is_logged_with_its_name(caplog: pytest.LogCaptureFixture) -> None:
    background = Background()

    async def fails() -> None:
        raise RuntimeError("boom")

    background.spawn("fails", fails())
    await background.drain(PATIENCE)
    await asyncio.sleep(0)
    (record,) = caplog.records
    assert (record.levelno, record.message, record.__dict__["task"]) == (
        *(logging.ERROR, "background work failed", "fails"),
    )
    assert record.exc_info is not None


async def test_repeated_work_goes_on_after_an_error_and_ends_with_the_worker(caplog: pytest.LogCaptureFixture) -> None:
    background, turns, third = Background(), [0], asyncio.Event()

    async def work() -> None:
        turns[0] += 1
        if turns[0] == 1:
            raise RuntimeError("boom")
        if turns[0] == 3:
            third.set()

    task = background.repeat("loop", 0.001, work)
    await asyncio.wait_for(third.wait(), PATIENCE)
    await background.drain(PATIENCE)
    assert task.cancelled()
    assert [record.__dict__["task"] for record in caplog.records] == ["loop"]


async def test_what_must_finish_does_so_though_the_client_went_away(caplog: pytest.LogCaptureFixture) -> None:
    background, begun, go, done = Background(), asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await go.wait()
        done.set()
        raise RuntimeError("nobody is left to hear")

    request = asyncio.create_task(background.finish("commit", work()))
    await begun.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert not done.is_set()
    go.set()
    await background.drain(PATIENCE)
    await asyncio.sleep(0)
    assert done.is_set()
    assert [record.__dict__["task"] for record in caplog.records] == ["commit"]


async def test_finish_gives_back_the_result_or_the_error() -> None:
    background = Background()

    async def answers(value: Any) -> Any:
        if isinstance(value, Exception):
            raise value
        return value

    assert await background.finish("fine", answers(7)) == 7
    with pytest.raises(RuntimeError, match="boom"):
        await background.finish("fails", answers(RuntimeError("boom")))


async def test_work_does_not_inherit_the_context_of_the_request_that_started_it() -> None:
    background = Background()

    async def who() -> str:
        return REQUEST.get()

    token = REQUEST.set("somebody's")
    try:
        assert await background.spawn("spawned", who()) == "none"
        assert await background.finish("finished", who()) == "none"
    finally:
        REQUEST.reset(token)


async def test_nothing_is_kept_of_work_that_has_ended() -> None:
    background = Background()
    for _ in range(100):
        background.spawn("short", asyncio.sleep(0))
    await background.drain(PATIENCE)
    await asyncio.sleep(0)
    assert not background._work
    assert not background._loops
