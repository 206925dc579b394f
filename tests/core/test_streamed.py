"""Answers that are sent as they come, and bodies that are paid for by the byte."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any

import aiohttp
import pytest

from core.settings import Settings
from voicera import Blueprint, Limit, Reply, Request, hookimpl, metered, public, reply, streamed
from voicera.testing import Client, Running, eventually, running_app, settings_for_tests

PIECE = bytes(100_000)
ended: list[str] = []


async def pieces(count: int, then: str = "") -> AsyncIterator[bytes]:
    try:
        for _ in range(count):
            yield PIECE
            await asyncio.sleep(0)
        if then:
            raise RuntimeError(then)
    finally:
        ended.append(then)


def plugin() -> ModuleType:
    blueprint = Blueprint()

    @blueprint.get("/flow/{how}", reply_media="application/octet-stream")
    @public
    async def flow(request: Request, how: str) -> Reply:
        """Stream; `measured` says how much comes."""
        headers = {"Content-Length": str(10 * len(PIECE))} if how == "measured" else {}
        then = {"broken": "canary", "for-ever": ""}.get(how, "")
        return streamed(pieces(10**6 if how == "for-ever" else 10, then), "application/octet-stream", headers=headers)

    @blueprint.post("/count", streamed_body=bytes, media=("application/octet-stream",), returns=int, limit="bytes")
    @public
    async def count(request: Request) -> Reply:
        """Count what comes."""
        async with metered(request, 50_000) as body:
            return reply(sum([len(piece) async for piece in body]))

    module = ModuleType("flow")
    module.register_blueprints = hookimpl(lambda: [blueprint])  # type: ignore[attr-defined]
    module.register_rate_limits = hookimpl(lambda: {"bytes": Limit(10**6, 3600)})  # type: ignore[attr-defined]
    return module


@pytest.fixture(scope="module")
async def app(stack: Settings) -> AsyncIterator[Running]:
    async with running_app(settings_for_tests(stack), plugins=[plugin()]) as running:
        yield running


@pytest.fixture
def client(app: Running) -> Client:
    ended.clear()
    return app.client


async def test_pieces_arrive_whole_with_and_without_a_length(client: Client) -> None:
    for how, name, value in (("measured", "Content-Length", "1000000"), ("free", "Transfer-Encoding", "chunked")):
        answer = await client.get(f"/flow/{how}")
        assert (answer.status, answer.content) == (200, PIECE * 10)
        assert answer.headers[name] == value
        assert "X-Request-Id" in answer.headers
    assert ended == ["", ""]


async def test_head_is_answered_without_asking_for_a_piece(client: Client) -> None:
    answer = await client.request("HEAD", "/flow/measured")
    assert (answer.status, answer.content, answer.headers["Content-Length"]) == (200, b"", "1000000")
    assert ended == []


async def test_an_answer_that_breaks_off_is_seen_to_be_cut_short(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "voicera"), pytest.raises(aiohttp.ClientError):
        await client.get("/flow/broken")
    assert ended == ["canary"]
    assert [record.message for record in caplog.records] == ["an answer broke off"]
    assert "canary" not in caplog.text
    assert (await client.get("/flow/free")).status == 200


async def test_a_client_that_goes_away_ends_the_stream(client: Client) -> None:
    async with client.session.get(f"{client.url}/flow/for-ever") as response:
        await response.content.readexactly(1_000_000)
        response.close()
    await eventually(lambda: ended == [""])


async def test_a_metered_body_is_paid_for_announced_or_not(client: Client) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield bytes(10_000)

    url, media = f"{client.url}/count", {"Content-Type": "application/octet-stream"}
    lefts = []
    for body in (bytes(40_000), chunks(), b""):
        async with client.session.post(url, data=body, headers=media) as response:
            size: Any = (await response.json())["data"]
            lefts.append((size, round(int(response.headers["X-RateLimit-Remaining"]) / 10_000)))
    assert lefts == [(40_000, 96), (40_000, 92), (0, 92)]
    for body in (bytes(50_001), b"x" * 60_000):
        answer = await client.post("/count", body=body, headers=media)
        assert (answer.status, answer.code) == (413, "REQUEST_003")


async def test_the_document_says_that_the_body_is_binary(client: Client) -> None:
    document = (await client.get("/openapi.json")).json
    body = document["paths"]["/count"]["post"]["requestBody"]["content"]["application/octet-stream"]
    assert body["schema"] == {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
    assert "422" not in document["paths"]["/count"]["post"]["responses"]
