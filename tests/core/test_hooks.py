"""The four verbs: what is measured, and how an after-event's listener is timed, bounded and left alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from types import FunctionType, ModuleType
from typing import Any

import pluggy
import pytest

from core import hookspecs
from core.background import Background
from core.breaker import FIRST_PAUSE, IN_A_ROW, LONGEST_PAUSE, Breaker
from core.errors import PreconditionFailed
from core.figures import Figure, describe
from core.hooks import Hooks, culprit
from voicera import hookimpl, hookspec
from voicera.testing import eventually


@hookspec
async def heard(event: Any) -> None:
    """Hear."""


@hookspec
async def asked(event: Any) -> Any:
    """Answer."""


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Fixture:
    """Hooks of their own, with one listener a plugin, a clock, and background work."""

    def __init__(self, **listeners: Any) -> None:
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        specifications = ModuleType("specifications")
        specifications.heard, specifications.asked = heard, asked  # type: ignore[attr-defined]
        manager.add_hookspecs(specifications)
        for plugin, function in listeners.items():
            module = ModuleType(plugin)
            for hook in ("heard", "asked"):
                copy = FunctionType(
                    function.__code__, function.__globals__, hook, function.__defaults__, function.__closure__
                )
                setattr(module, hook, hookimpl(copy))
            manager.register(module, name=plugin)
        self.clock = Clock()
        self.hooks = Hooks(manager, monotonic=self.clock)
        self.background = Background()

    def tell(self, event: Any = None, times: int = 1) -> None:
        for _ in range(times):
            self.hooks.after(self.background, "heard", event=event)

    async def settled(self) -> None:
        await eventually(lambda: not self.background._work)

    async def tell_and_wait(self, event: Any = None, times: int = 1) -> None:
        for _ in range(times):
            self.tell(event)
            await self.settled()

    def figure(self, plugin: str, hook: str = "heard") -> Figure:
        return self.hooks.figures.of(plugin, hook)


def said(caplog: pytest.LogCaptureFixture, message: str) -> list[tuple[str, str]]:
    return [(r.__dict__["plugin"], r.__dict__["hook"]) for r in caplog.records if r.message.startswith(message)]


class TestFigures:
    async def test_every_call_is_counted_and_timed(self) -> None:
        async def answers(event: Any) -> Any:
            await asyncio.sleep(0.01)
            return event

        it = Fixture(answers=answers)
        assert await it.hooks.first("asked", event=7) == 7
        await it.hooks.within("asked", event=None)
        figure = it.figure("answers", "asked")
        assert (figure.calls, figure.failures, figure.last_error) == (2, 0, None)
        assert figure.seconds > 0.015  # the loop's clock and ours differ by a little

    async def test_a_plain_function_may_answer_and_act_too(self) -> None:
        def plain(event: Any) -> Any:
            return event

        it = Fixture(plain=plain)
        assert await it.hooks.first("asked", event=7) == 7
        await it.hooks.within("asked", event=None)
        assert it.figure("plain", "asked").calls == 2

    async def test_an_exception_is_a_failure_and_carries_the_name_of_the_plugin_and_the_hook(self) -> None:
        async def fails(event: Any) -> Any:
            raise ValueError("first line\nsecond")

        it = Fixture(fails=fails)
        with pytest.raises(ValueError, match="first line") as caught:
            await it.hooks.within("asked", event=None)
        assert culprit(caught.value) == ("fails", "asked")
        assert caught.value.__notes__ == ["in the hook asked of the plugin fails"]
        figure = it.figure("fails", "asked")
        assert (figure.failures, figure.last_error) == (1, "ValueError: first line")

    async def test_of_two_hooks_within_each_other_the_inner_one_is_named(self) -> None:
        async def outer(event: Any) -> Any:
            if event == "outer":
                await it.hooks.within("heard", event="inner")
            raise ValueError

        it = Fixture(outer=outer)
        with pytest.raises(ValueError) as caught:  # noqa: PT011  # which one is told by the culprit
            await it.hooks.within("asked", event="outer")
        assert culprit(caught.value) == ("outer", "heard")

    async def test_an_api_error_is_an_answer_and_no_failure(self) -> None:
        async def vetoes(event: Any) -> Any:
            raise PreconditionFailed

        it = Fixture(vetoes=vetoes)
        with pytest.raises(PreconditionFailed) as caught:
            await it.hooks.within("asked", event=None)
        figure = it.figure("vetoes", "asked")
        assert (figure.calls, figure.failures, culprit(caught.value)) == (1, 0, None)

    def test_the_last_error_is_short_and_holds_no_secrets(self) -> None:
        assert describe(ValueError("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.x of a@example.com")) == (
            "ValueError: token [token] of [email]"
        )
        assert len(describe(ValueError("x" * 1000))) == 200
        assert describe(ValueError()) == "ValueError"

    def test_what_has_been_told_is_not_told_again(self) -> None:
        it = Fixture()
        figure = it.figure("a")
        figure.took(1.0)
        first = it.hooks.figures.untold()
        figure.took(0.5)
        it.hooks.figures.tell(first)
        assert it.hooks.figures.untold() == {("a", "heard"): Figure(calls=1, seconds=0.5)}
        it.hooks.figures.tell(it.hooks.figures.untold())
        assert it.hooks.figures.untold() == {}


class TestAfter:
    async def test_a_plain_function_hears_too(self) -> None:
        events: list[Any] = []

        def plain(event: Any) -> None:
            events.append(event)

        it = Fixture(plain=plain)
        await it.tell_and_wait(1)
        assert events == [1]

    async def test_a_listener_that_hangs_is_given_up_after_the_time_limit(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        ended = asyncio.Event()

        async def hangs(event: Any) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        it = Fixture(hangs=hangs)
        it.hooks.rules.seconds = 0.05
        await it.tell_and_wait()
        figure = it.figure("hangs")
        assert (figure.calls, figure.failures, figure.timeouts) == (1, 0, 1)
        assert figure.last_error == "TimeoutError: it took longer than 0.05 s"
        assert ended.is_set()
        assert said(caplog, "hook timed out") == [("hangs", "heard")]

    async def test_a_listener_that_does_not_end_when_cancelled_is_not_waited_for_nor_tried_again_meanwhile(
        self,
    ) -> None:
        let_go = asyncio.Event()

        async def stubborn(event: Any) -> None:
            while not let_go.is_set():
                try:
                    await let_go.wait()
                except asyncio.CancelledError:
                    continue

        it = Fixture(stubborn=stubborn)
        it.hooks.rules.seconds = it.hooks.rules.farewell = 0.02
        await it.tell_and_wait(times=IN_A_ROW)
        assert it.hooks.tripped() == {("stubborn", "heard")}
        it.clock.now += FIRST_PAUSE
        await it.tell_and_wait()
        assert (it.figure("stubborn").calls, it.figure("stubborn").skipped) == (IN_A_ROW, 1)
        let_go.set()
        await eventually(lambda: not it.hooks._hearers["stubborn", "heard"]._stuck)
        await it.tell_and_wait()
        assert it.hooks.tripped() == set()

    async def test_a_timeout_of_its_own_is_a_failure_and_no_time_out_of_ours(self) -> None:
        async def fails(event: Any) -> None:
            raise TimeoutError

        it = Fixture(fails=fails)
        await it.tell_and_wait()
        assert (it.figure("fails").failures, it.figure("fails").timeouts) == (1, 0)

    @pytest.mark.parametrize("error", [SystemExit(1), asyncio.CancelledError()])
    async def test_a_listener_that_ends_the_program_or_cancels_itself_is_contained(self, error: BaseException) -> None:
        async def fails(event: Any) -> None:
            raise error

        it = Fixture(fails=fails)
        await it.tell_and_wait(times=2)
        assert (it.figure("fails").calls, it.figure("fails").failures) == (2, 2)

    async def test_what_waits_is_bounded_and_the_rest_is_skipped(self, caplog: pytest.LogCaptureFixture) -> None:
        gate, at_once, most = asyncio.Event(), 0, 0

        async def slow(event: Any) -> None:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await gate.wait()
            at_once -= 1

        it = Fixture(slow=slow)
        it.hooks.rules.waiting = 3
        it.tell(times=10)
        await eventually(lambda: at_once == 2)
        gate.set()
        await it.settled()
        assert (it.figure("slow").calls, it.figure("slow").skipped, most) == (5, 5, 2)
        assert said(caplog, "hook skipped") == [("slow", "heard")], "once a minute"

    async def test_a_listener_that_blocks_the_loop_is_measured_and_named(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def blocks(event: Any) -> None:
            await asyncio.sleep(0)
            time.sleep(0.03)  # noqa: ASYNC251  # that is what it is about
            await asyncio.sleep(0)

        it = Fixture(blocks=blocks)
        it.hooks.rules.blocked = 0.02
        await it.tell_and_wait(times=IN_A_ROW)
        figure = it.figure("blocks")
        assert (figure.calls, figure.blocked, figure.failures) == (IN_A_ROW, IN_A_ROW, 0)
        assert said(caplog, "hook blocks the event loop") == [("blocks", "heard")], "once a minute"
        assert it.hooks.tripped() == {("blocks", "heard")}

    async def test_waiting_is_not_blocking(self) -> None:
        async def waits(event: Any) -> None:
            await asyncio.sleep(0.5)

        it = Fixture(waits=waits)
        it.hooks.rules.blocked = 0.4
        await it.tell_and_wait()
        assert (it.figure("waits").calls, it.figure("waits").blocked) == (1, 0)

    async def test_a_worker_that_stops_gives_up_what_still_runs_and_counts_what_waits(self) -> None:
        async def hangs(event: Any) -> None:
            await asyncio.Event().wait()

        it = Fixture(hangs=hangs)
        it.tell(times=5)
        await it.background.drain(0.02)
        assert it.figure("hangs").skipped == 3
        assert not it.background._work

    async def test_what_a_listener_awaits_works_as_without_us(self) -> None:
        results: list[Any] = []

        async def awaits(event: Any) -> None:
            async def piece(n: int) -> int:
                await asyncio.sleep(0)
                return n

            async def pieces() -> AsyncIterator[int]:
                for n in range(3):
                    yield await piece(n)

            results.append(await asyncio.gather(piece(1), piece(2)))
            results.append([n async for n in pieces()])
            try:
                async with asyncio.timeout(0.01):
                    await asyncio.Event().wait()
            except TimeoutError:
                results.append("timed out")

        it = Fixture(awaits=awaits)
        await it.tell_and_wait()
        assert results == [[1, 2], [0, 1, 2], "timed out"]


class TestBreaker:
    async def test_after_five_failures_in_a_row_it_is_skipped_and_after_a_pause_tried_once(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        broken = True
        gate = asyncio.Event()

        async def fails(event: Any) -> None:
            if broken:
                raise RuntimeError("boom")
            await gate.wait()

        it = Fixture(fails=fails)
        await it.tell_and_wait(times=IN_A_ROW)
        assert it.hooks.tripped() == {("fails", "heard")}
        await it.tell_and_wait(times=3)
        assert (it.figure("fails").calls, it.figure("fails").skipped) == (IN_A_ROW, 3)
        it.clock.now += FIRST_PAUSE
        broken = False
        it.tell(times=3)  # one tries, two are skipped
        await asyncio.sleep(0)
        assert it.hooks.tripped()
        gate.set()
        await it.settled()
        assert (it.figure("fails").calls, it.figure("fails").skipped, it.hooks.tripped()) == (IN_A_ROW + 1, 5, set())
        assert said(caplog, "hook tripped") == said(caplog, "hook works again") == [("fails", "heard")]

    async def test_what_waited_when_it_tripped_is_skipped(self) -> None:
        async def fails(event: Any) -> None:
            raise RuntimeError

        it = Fixture(fails=fails)
        it.tell(times=20)
        await it.settled()
        figure = it.figure("fails")
        assert figure.calls + figure.skipped == 20
        assert figure.calls <= IN_A_ROW + 1

    async def test_it_is_each_plugins_own(self) -> None:
        events: list[Any] = []

        async def fails(event: Any) -> None:
            raise RuntimeError

        async def hears(event: Any) -> None:
            events.append(event)

        it = Fixture(fails=fails, hears=hears)
        await it.tell_and_wait(times=IN_A_ROW + 2)
        assert it.hooks.tripped() == {("fails", "heard")}
        assert len(events) == IN_A_ROW + 2

    def test_a_good_call_ends_the_row(self) -> None:
        breaker = Breaker(Clock())
        for _ in range(3):
            for _ in range(IN_A_ROW - 1):
                assert not breaker.failed(trying=False)
            assert not breaker.succeeded(trying=False)
        assert not breaker.tripped

    def test_the_pause_doubles_up_to_five_minutes_and_starts_anew(self) -> None:
        clock = Clock()
        breaker = Breaker(clock)
        assert [breaker.failed(trying=False) for _ in range(IN_A_ROW)][-1]
        pauses = []
        for _ in range(6):
            pauses.append(breaker.pause)
            clock.now += breaker.pause - 1
            assert not breaker.may_try()
            clock.now += 1
            assert breaker.may_try()
            assert not breaker.may_try(), "one at a time"
            assert not breaker.failed(trying=True)
        assert pauses == [30, 60, 120, 240, 300, LONGEST_PAUSE]
        clock.now += breaker.pause
        assert breaker.may_try()
        assert breaker.succeeded(trying=True)
        assert (breaker.tripped, breaker.pause) == (False, FIRST_PAUSE)

    def test_while_tripped_only_the_try_counts(self) -> None:
        breaker = Breaker(Clock())
        for _ in range(IN_A_ROW):
            breaker.failed(trying=False)
        assert not breaker.succeeded(trying=False), "a call from before"
        assert not breaker.failed(trying=False)
        assert breaker.tripped


async def test_they_are_called_in_order_of_registration_but_for_those_that_ask_to_be_first_or_last() -> None:
    heard_of: list[str] = []
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    specifications = ModuleType("specifications")
    specifications.asked = asked  # type: ignore[attr-defined]
    manager.add_hookspecs(specifications)
    for plugin, options in {"last": {"trylast": True}, "one": {}, "first": {"tryfirst": True}, "two": {}}.items():
        module = ModuleType(plugin)

        async def says(event: Any, plugin: str = plugin) -> None:
            heard_of.append(plugin)

        says.__name__ = "asked"
        module.asked = hookimpl(**options)(says)  # type: ignore[attr-defined]
        manager.register(module, name=plugin)
    await Hooks(manager).within("asked", event=None)
    assert heard_of == ["first", "one", "two", "last"]
