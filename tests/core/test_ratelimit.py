"""Rate limits: right to the token, across tasks and processes, and kept up while Valkey is away."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from uuid import uuid4

import pytest

from core.cache import Cache, open_cache
from core.limits import Limit
from core.ratelimit import ANSWER_SECONDS, LocalBuckets, RateLimiter, ended_key
from core.settings import Settings
from voicera.testing import Client, Running, eventually, running_app, settings_for_tests

HUNDRED_AN_HOUR = Limit(100, 3600)
DAY = 86_400
TAKER = """
import asyncio, sys
from core.cache import open_cache
from core.limits import Limit
from core.ratelimit import RateLimiter
from core.settings import load_settings
from voicera.testing import patient

async def main():
    async with open_cache(load_settings(check_unknown=False)) as cache:
        limiter = RateLimiter(cache, {"general": Limit(100, 3600)})
        async def task():
            return sum([(await limiter.take("general", sys.argv[1])).allowed for _ in range(25)])
        print(sum(await asyncio.gather(*[task() for _ in range(8)])))

with patient():
    asyncio.run(main())
"""


async def test_sixteen_tasks_in_two_processes_get_exactly_the_limit(stack: Settings) -> None:
    who = str(uuid4())
    environment = {**settings_for_tests(stack), "PYTHONPATH": "."}
    takers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", TAKER, who, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    granted = [int((await taker.communicate())[0]) for taker in takers]
    assert sum(granted) == 100, granted


async def test_a_bucket_counts_down_and_says_when_it_is_full_again(stack: Settings) -> None:
    async with open_cache(stack) as cache:
        limiter = RateLimiter(cache, {"general": Limit(3, 12 * 3600)})
        who, began = str(uuid4()), time.time()
        verdicts = [await limiter.take("general", who) for _ in range(4)]
    assert [verdict.allowed for verdict in verdicts] == [True, True, True, False]
    assert [verdict.remaining for verdict in verdicts] == [2, 1, 0, 0]
    assert 1 <= verdicts[3].retry_after <= 4 * 3600
    assert began + 12 * 3600 - 60 <= verdicts[3].reset <= time.time() + 12 * 3600 + 2


async def test_a_refused_check_costs_nothing(stack: Settings) -> None:
    async with open_cache(stack) as cache:
        limiter = RateLimiter(cache, {"upload": Limit(1000, 3600)})
        who = str(uuid4())
        assert (await limiter.take("upload", who, cost=600)).allowed
        assert not (await limiter.take("upload", who, cost=600)).allowed
        assert (await limiter.take("upload", who, cost=400)).allowed


async def test_an_ended_session_is_told_in_the_same_step_and_takes_nothing(stack: Settings) -> None:
    async with open_cache(stack) as cache:
        limiter = RateLimiter(cache, {"general": HUNDRED_AN_HOUR})
        owner, session = uuid4(), uuid4()
        first = await limiter.take("general", str(owner), owner=owner, session=session)
        await cache.require().set(ended_key(owner, session), b"1", ex=60)
        second = await limiter.take("general", str(owner), owner=owner, session=session)
        third = await limiter.take("general", str(owner))
    assert (first.ended, second.ended, second.allowed) == (False, True, False)
    assert (first.remaining, third.remaining) == (99, 98)


async def test_checks_that_arrive_together_share_a_round_trip(stack: Settings) -> None:
    async with open_cache(stack) as cache:
        limiter = RateLimiter(cache, {"general": HUNDRED_AN_HOUR})
        await limiter.take("general", str(uuid4()))  # loads the script
        before = await _evaluations(cache)
        await asyncio.gather(*[limiter.take("general", str(uuid4())) for _ in range(50)])
        assert await _evaluations(cache) - before <= 2


async def test_a_cancelled_waiter_does_not_break_the_others(stack: Settings) -> None:
    async with open_cache(stack) as cache:
        limiter = RateLimiter(cache, {"general": HUNDRED_AN_HOUR})
        waiting = [asyncio.create_task(limiter.take("general", str(uuid4()))) for _ in range(10)]
        await asyncio.sleep(0)
        waiting[3].cancel()
        verdicts = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(verdict).__name__ for verdict in verdicts].count("Verdict") == 9


async def test_a_request_over_the_limit_is_429_with_all_headers(stack: Settings) -> None:
    environ = settings_for_tests(
        stack, {"VOICERA_RATE_LIMIT_GENERAL": "5/hour", "VOICERA_TRUSTED_PROXIES": "127.0.0.1"}
    )
    async with running_app(environ, migrated=True) as app:
        client = {"X-Forwarded-For": f"10.{uuid4().int % 250}.{uuid4().int % 250}.7"}
        answers = [await app.client.get("/version", headers=client) for _ in range(6)]
    assert [answer.status for answer in answers] == [200] * 5 + [429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["4", "3", "2", "1", "0", "0"]
    refused = answers[-1]
    assert refused.code == "RATE_001"
    assert refused.headers["X-RateLimit-Limit"] == "5"
    assert int(refused.headers["Retry-After"]) >= 1
    assert int(refused.headers["X-RateLimit-Reset"]) > time.time()


async def test_routes_that_do_not_exist_are_limited_too(stack: Settings) -> None:
    environ = settings_for_tests(
        stack, {"VOICERA_RATE_LIMIT_GENERAL": "2/hour", "VOICERA_TRUSTED_PROXIES": "127.0.0.1"}
    )
    async with running_app(environ, migrated=True) as app:
        client = {"X-Forwarded-For": f"10.{uuid4().int % 250}.{uuid4().int % 250}.8"}
        statuses = [(await app.client.get("/nope", headers=client)).status for _ in range(3)]
    assert statuses == [404, 404, 429]


async def test_a_forged_forwarded_header_is_not_believed(running: Running) -> None:
    first = await running.client.get("/version", headers={"X-Forwarded-For": "198.51.100.1"})
    second = await running.client.get("/version", headers={"X-Forwarded-For": "198.51.100.2"})
    assert int(second.headers["X-RateLimit-Remaining"]) <= int(first.headers["X-RateLimit-Remaining"])


async def test_with_the_cache_away_limits_are_kept_in_the_process(stack: Settings) -> None:
    cache = Cache("redis://127.0.0.1:1/0")
    limiter = RateLimiter(cache, {"general": Limit(3, 3600)})
    verdicts = [await limiter.take("general", "somebody") for _ in range(4)]
    assert [verdict.allowed for verdict in verdicts] == [True, True, True, False]
    assert {verdict.ended for verdict in verdicts} == {None}


async def test_the_service_answers_while_the_cache_is_away_and_readiness_says_so(
    stack: Settings, anonymous: Client
) -> None:
    environ = settings_for_tests(stack, {"VOICERA_REDIS_URL": "redis://127.0.0.1:1/0"})
    async with running_app(environ, migrated=True) as app:
        answer = await app.client.get("/version")
        ready = await app.client.get("/readiness")
    assert answer.status == 200
    assert "X-RateLimit-Remaining" in answer.headers
    assert (ready.status, ready.data["cache"], ready.data["database"]) == (503, "unavailable", "ok")


async def test_a_cache_that_hangs_costs_a_moment_once_and_comes_back(
    stack: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_cache(stack) as cache:
        limiter = RateLimiter(cache, {"general": HUNDRED_AN_HOUR})
        await limiter.take("general", "warm")
        with monkeypatch.context() as impatient, await _standing_still(cache):
            impatient.setattr("core.ratelimit.ANSWER_SECONDS", 0.1)
            verdicts = [await limiter.take("general", str(uuid4())) for _ in range(20)]
        assert {(verdict.allowed, verdict.ended) for verdict in verdicts} == {(True, None)}
        waits = [record for record in caplog.records if record.message.startswith("rate limits fall back")]
        assert len(waits) == 1
        await eventually(lambda: cache.client is not None)
        assert (await limiter.take("general", str(uuid4()))).ended is False


async def test_a_loop_that_was_busy_is_not_taken_for_a_cache_that_is_away(
    stack: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a worker has just started, and makes its storage client while the first request asks the cache.

    A Valkey that stalls at the same time may spoil a try, but not all of them.
    """
    answered = []
    async with open_cache(stack) as cache:
        limiter = RateLimiter(cache, {"general": Limit(10, 60)})
        await limiter.take("general", "warm")
        monkeypatch.setattr("core.ratelimit.ANSWER_SECONDS", ANSWER_SECONDS)
        while True not in answered and len(answered) < 5:
            await eventually(lambda: cache.client is not None)
            waiting = asyncio.create_task(limiter.take("general", uuid4().hex))
            await asyncio.sleep(0)
            await asyncio.sleep(0)  # the question is on its way
            time.sleep(2 * ANSWER_SECONDS)  # noqa: ASYNC251  # that is the point
            answered.append((await waiting).ended is False)
    assert True in answered


@pytest.mark.parametrize("text", ["100/minute", "10MB/minute", "1/second", "5/day"])
def test_limits_are_read_as_people_write_them(text: str) -> None:
    limit = Limit.parse(text)
    assert Limit.parse(str(limit)) == limit


@pytest.mark.parametrize(
    "text", ["", "0/minute", "-1/minute", "10", "10/fortnight", "1.5/minute", "10mb/minute", "1/0"]
)
def test_other_limits_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="100/minute"):
        Limit.parse(text)


def test_the_local_bucket_refills_evenly() -> None:
    now = [1000.0]
    buckets = LocalBuckets(clock=lambda: now[0])
    limit = Limit(60, 60)
    assert all(buckets.take("k", limit, 1).allowed for _ in range(60))
    assert not buckets.take("k", limit, 1).allowed
    now[0] += 2.5
    assert [buckets.take("k", limit, 1).allowed for _ in range(3)] == [True, True, False]


async def _standing_still(cache: Cache) -> AbstractContextManager[None]:
    """Stop the Valkey process that this leads to, until the context is left."""
    pid: Any = (await cache.require().info("server"))["process_id"]

    @contextmanager
    def stopped() -> Iterator[None]:
        os.kill(int(pid), signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(int(pid), signal.SIGCONT)

    return stopped()


async def _evaluations(cache: Cache) -> int:
    stats = await cache.require().info("commandstats")
    return int(stats.get("cmdstat_evalsha", {}).get("calls", 0)) if isinstance(stats, dict) else 0


@pytest.fixture(params=["valkey", "local"])
async def buckets(request: pytest.FixtureRequest, stack: Settings) -> AsyncIterator[RateLimiter]:
    """A limiter with a bucket of 1,000 units a day: in Valkey, and in the process while that is away."""
    limits = {"upload": Limit(1000, DAY)}
    if request.param == "valkey":
        async with open_cache(stack) as cache:
            yield RateLimiter(cache, limits)
    else:
        yield RateLimiter(Cache("redis://127.0.0.1:1/0"), limits)


async def test_a_cost_beyond_the_bucket_is_allowed_when_it_is_full_and_leaves_a_debt(buckets: RateLimiter) -> None:
    who, began = str(uuid4()), time.time()
    assert (await buckets.take("upload", who)).allowed  # what lets a request in
    verdict = await buckets.spend("upload", who, 2999)
    assert (verdict.allowed, verdict.remaining) == (True, 0)
    assert began + 2.99 * DAY < verdict.reset <= time.time() + 3 * DAY + 1
    refused = await buckets.take("upload", who)
    assert not refused.allowed
    assert 1.99 * DAY < refused.retry_after <= 2.002 * DAY  # until the debt is paid, and one unit is there


async def test_a_cost_within_the_bucket_is_allowed_only_if_it_is_there(buckets: RateLimiter) -> None:
    who = str(uuid4())
    assert (await buckets.spend("upload", who, 600)).remaining == 400
    refused = await buckets.spend("upload", who, 600)
    assert (refused.allowed, refused.remaining) == (False, 400)
    assert 0.19 * DAY <= refused.retry_after <= 0.2 * DAY
    beyond = await buckets.spend("upload", who, 5000)
    assert (beyond.allowed, beyond.remaining) == (False, 400)
    assert (await buckets.spend("upload", who, 400)).remaining == 0


async def test_what_was_used_already_is_taken_whatever_is_left(buckets: RateLimiter) -> None:
    who, began = str(uuid4()), time.time()
    for debt in (1, 2, 3):
        verdict = await buckets.spend("upload", who, 1500, forced=True)
        assert (verdict.allowed, verdict.remaining) == (True, 0)
        assert began + debt * 1.49 * DAY < verdict.reset <= time.time() + debt * 1.5 * DAY + 1
    assert not (await buckets.spend("upload", who, 1)).allowed


async def test_a_debt_of_gigabytes_is_kept_to_the_second(stack: Settings) -> None:
    async with open_cache(stack) as cache:
        limiter = RateLimiter(cache, {"upload": Limit(10_000_000, 60)})
        who, began = str(uuid4()), time.time()
        assert (await limiter.spend("upload", who, 2 << 30)).allowed
        seconds = (2 << 30) * 6 / 1_000_000
        assert began - 3 < (await limiter.take("upload", who)).reset - seconds < time.time() + 3
        lives = await cache.require().pttl(f"voicera:limit:{{{who}}}:upload")
        assert lives > (seconds - 5 - (time.time() - began)) * 1000
