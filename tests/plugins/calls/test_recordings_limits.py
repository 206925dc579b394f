"""What a recording may cost: bytes against the rate limit, and memory."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest

from core.settings import Settings
from voicera.testing import Answer, Client, Running, eventually, running_app, settings_for_tests


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


kit = _load(Path(__file__).with_name("recordings_kit.py"))
roomy = kit.roomy
a_call, in_pieces, put, recorded, wav = kit.a_call, kit.in_pieces, kit.put, kit.recorded, kit.wav
NewCall = Callable[..., dict[str, Any]]
MEBIBYTE = 1 << 20
MEMORY = 64 * MEBIBYTE


def file_of(size: int) -> bytes:
    return bytes(wav(size / 16_000 + 1)[:size])


async def chunked(client: Client, call_id: str, file: bytes) -> Answer:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(file), 10_000):
            yield file[at : at + 10_000]

    answer: Answer = await in_pieces(client, call_id, pieces())
    return answer


@pytest.fixture(scope="module")
async def tight(stack: Settings) -> AsyncIterator[Running]:
    """An application that takes 100 kB an hour."""
    environ = settings_for_tests(stack, {"VOICERA_RATE_LIMIT_UPLOAD": "100KB/hour"})
    async with running_app(environ, migrated=True) as app:
        yield app


class TestRateLimit:
    @pytest.mark.parametrize("send", [put, chunked])
    async def test_it_counts_bytes_and_says_so(self, tight: Running, call: NewCall, send: Any) -> None:
        user = await tight.client.new_user()
        call_id = await a_call(user, call)
        for left in (70_000, 40_000, 10_000):
            answer = await send(user, call_id, file_of(30_000))
            assert answer.status in (200, 201)
            assert answer.headers["X-RateLimit-Limit"] == "100000"
            assert left <= int(answer.headers["X-RateLimit-Remaining"]) <= left + 500
        refused = await put(user, call_id, file_of(30_000))
        assert (refused.status, refused.code) == (429, "RATE_001")
        assert 600 < int(refused.headers["Retry-After"]) <= 720
        assert (await user.get(f"/call-recordings/{call_id}")).headers["X-RateLimit-Limit"] != "100000"

    @pytest.mark.parametrize("send", [put, chunked])
    async def test_a_file_beyond_the_whole_bucket_is_taken_once_and_paid_for(
        self, tight: Running, call: NewCall, send: Any
    ) -> None:
        user = await tight.client.new_user()
        call_id, began = await a_call(user, call), time.time()
        answer = await send(user, call_id, file_of(250_000))
        assert (answer.status, answer.headers["X-RateLimit-Remaining"]) == (201, "0")
        assert began + 2.4 * 3600 < int(answer.headers["X-RateLimit-Reset"]) < time.time() + 2.6 * 3600
        refused = await send(user, call_id, file_of(100))
        assert refused.status == 429
        assert 1.4 * 3600 < int(refused.headers["Retry-After"]) < 1.6 * 3600

    async def test_a_chunked_upload_that_is_refused_midway_is_paid_for_too(self, tight: Running, call: NewCall) -> None:
        user = await tight.client.new_user()
        call_id = await a_call(user, call)
        answer = await chunked(user, call_id, file_of(60_000)[:36] + bytes(60_000))
        assert answer.status == 422
        assert int(answer.headers["X-RateLimit-Remaining"]) < 99_990

    async def test_a_call_that_is_not_there_costs_next_to_nothing(self, tight: Running) -> None:
        user = await tight.client.new_user()
        answer = await put(user, kit.NOBODYS, file_of(50_000))
        assert (answer.status, int(answer.headers["X-RateLimit-Remaining"])) == (404, 99_999)


class Peak:
    """The most memory that this process takes, beyond what it took at the start."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss
        self.growth = 0

    async def watch(self) -> None:
        while True:
            self.growth = max(self.growth, self._process.memory_info().rss - self._before)
            await asyncio.sleep(0.005)


async def test_96_mib_up_and_down_take_a_few_mib_of_memory(roomy: Running, call: NewCall) -> None:
    """Client and server are in this one process; either would take it all if it kept what it reads."""
    user = await roomy.client.new_user()
    await recorded(user, call, file_of(17 * MEBIBYTE))  # whatever is loaded once
    call_id, block = await a_call(user, call), bytes(range(256)) * 1024
    expected = hashlib.sha256(wav(0))
    peak = Peak()
    watching = asyncio.create_task(peak.watch())

    async def pieces() -> AsyncIterator[bytes]:
        yield wav(0)
        for _ in range(96 * MEBIBYTE // len(block)):
            expected.update(block)
            yield block

    made = await in_pieces(user, call_id, pieces())
    assert (made.status, made.json["data"]["sha256"]) == (201, expected.hexdigest())
    received, headers = hashlib.sha256(), {"Authorization": f"Bearer {user.token}"}
    async with user.session.get(f"{user.url}/call-recordings/{call_id}/download", headers=headers) as response:
        async for piece in response.content.iter_chunked(MEBIBYTE):
            received.update(piece)
    watching.cancel()
    assert received.hexdigest() == expected.hexdigest()
    assert peak.growth < MEMORY
    assert (await user.delete(f"/call-recordings/{call_id}")).status == 204
    await eventually(lambda: not roomy.resources.background._work)
