"""POST /call-logs/batch: encodings, NDJSON as a stream, and keeping the good ones of a bad batch."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any
from uuid import uuid4

import orjson
import pytest
import zstandard

from voicera.testing import Client

NewCall = Callable[..., dict[str, Any]]
BATCH = "/call-logs/batch"
LINES = {"Content-Type": "application/x-ndjson"}
ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "identity": bytes,
}


def ndjson(logs: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(log) + b"\n" for log in logs)


class TestEncodings:
    @pytest.mark.parametrize("lines", [True, False])
    @pytest.mark.parametrize("encoding", ENCODINGS)
    async def test_an_encoded_batch_is_recorded(self, user: Client, call: NewCall, encoding: str, lines: bool) -> None:
        logs = [call() for _ in range(2000)]
        body = ENCODINGS[encoding](ndjson(logs) if lines else orjson.dumps(logs))
        headers = {**(LINES if lines else {"Content-Type": "application/json"}), "Content-Encoding": encoding}
        answer = await user.request("POST", BATCH, body=body, headers=headers)
        assert (answer.status, answer.data["created"]) == (201, 2000)

    @pytest.mark.parametrize("encoding", ["gzip", "zstd"])
    async def test_several_members_are_one_body(self, user: Client, call: NewCall, encoding: str) -> None:
        body = b"".join(ENCODINGS[encoding](ndjson([call()])) for _ in range(3))
        answer = await user.post(BATCH, body=body, headers={**LINES, "Content-Encoding": encoding})
        assert answer.data["created"] == 3

    @pytest.mark.parametrize("encoding", ["gzip", "zstd"])
    async def test_cut_off_or_broken_data_is_refused(self, user: Client, call: NewCall, encoding: str) -> None:
        body = ENCODINGS[encoding](ndjson([call() for _ in range(50)]))
        for broken in (body[:-5], body[: len(body) // 2], b"nonsense" + body, body + b"x", body[:1]):
            answer = await user.post(BATCH, body=broken, headers={**LINES, "Content-Encoding": encoding})
            assert (answer.status, answer.code) == (400, "REQUEST_001")
        assert (await user.get("/call-logs?limit=1")).data["total"] == 0

    async def test_an_unknown_encoding_is_refused(self, user: Client) -> None:
        answer = await user.post(BATCH, body=b"[]", headers={"Content-Encoding": "br"})
        assert (answer.status, answer.code) == (400, "REQUEST_001")

    @pytest.mark.parametrize("encoding", ["gzip", "zstd"])
    async def test_a_bomb_is_refused_when_it_has_grown_too_large(self, user: Client, encoding: str) -> None:
        body = ENCODINGS[encoding](b" " * (200 << 20))
        answer = await user.post(BATCH, body=body, headers={**LINES, "Content-Encoding": encoding})
        assert (answer.status, answer.code) == (413, "REQUEST_003")


class TestLines:
    async def test_lines_are_cut_anywhere(self, user: Client, call: NewCall) -> None:
        body = ndjson([call(transcript="ä\u2028" * 500) for _ in range(40)])

        async def pieces() -> AsyncIterator[bytes]:
            for at in range(0, len(body), 777):
                yield body[at : at + 777]

        headers = {**LINES, "Authorization": f"Bearer {user.token}"}
        async with user.session.post(user.url + BATCH, data=pieces(), headers=headers) as response:
            assert (await response.json())["data"]["created"] == 40

    async def test_blank_lines_and_a_missing_last_line_feed_are_fine(self, user: Client, call: NewCall) -> None:
        body = b"\n" + ndjson([call()]) + b"\r\n\n" + orjson.dumps(call())
        assert (await user.post(BATCH, body=body, headers=LINES)).data["received"] == 2

    async def test_a_line_that_is_not_json_is_named(self, user: Client, call: NewCall) -> None:
        answer = await user.post(BATCH, body=ndjson([call()]) + b"{oops\n", headers=LINES)
        assert (answer.status, answer.code) == (400, "REQUEST_001")
        assert answer.error["details"].startswith("[1]: the body is not JSON")

    async def test_more_than_ten_thousand_are_refused_while_they_come(self, user: Client) -> None:
        body = b'{"phone_number":"+1234567","status":"busy"}\n' * 10_001
        answer = await user.post(BATCH, body=body, headers=LINES)
        assert (answer.status, answer.code) == (413, "REQUEST_003")
        assert (await user.get("/call-logs?limit=1")).data["total"] == 0


class TestSkip:
    @pytest.mark.parametrize("lines", [True, False])
    async def test_the_good_ones_are_kept_and_the_others_reported(
        self, user: Client, call: NewCall, lines: bool
    ) -> None:
        known = call()
        await user.post("/call-logs", known)
        logs = [
            call(),
            call(status="gone", cost=-1),
            known,
            call(agent_id=str(uuid4())),
            call(created_at="2999-01-01T00:00:00Z"),
            call(transcript="a\0b"),
            {},
            call(),
        ]
        body = ndjson(logs) if lines else orjson.dumps(logs)
        headers = LINES if lines else {"Content-Type": "application/json"}
        answer = await user.post(f"{BATCH}?on_error=skip", body=body, headers=headers)
        assert answer.status == 201
        report = answer.data
        errors = report.pop("errors")
        assert report == {"received": 8, "created": 2, "duplicates": 1, "rejected": 5}
        assert [(error["index"], error["field"]) for error in errors] == [
            (1, "status"),
            (1, "cost"),
            (3, "agent_id"),
            (4, "created_at"),
            (5, "transcript"),
            (6, "phone_number"),
            (6, "status"),
        ]
        assert (await user.get("/call-logs?limit=1")).data["total"] == 3

    async def test_a_line_that_is_not_json_is_skipped_too(self, user: Client, call: NewCall) -> None:
        body = b"{oops\n" + ndjson([call()]) + b"7\n\xff\xfe\n"
        answer = await user.post(f"{BATCH}?on_error=skip", body=body, headers=LINES)
        assert (answer.data["created"], answer.data["rejected"]) == (1, 3)
        assert [error["index"] for error in answer.data["errors"]] == [0, 2, 3]

    async def test_an_unknown_choice_is_refused(self, user: Client) -> None:
        assert (await user.post(f"{BATCH}?on_error=ignore", [])).code == "REQUEST_001"
