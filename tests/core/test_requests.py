"""A request's way: ids, the envelope, errors in one shape, bad input of every kind, deadlines."""

from __future__ import annotations

import asyncio
import json
from types import ModuleType
from typing import Annotated, Any

import pytest

from core.settings import Settings
from voicera import Blueprint, Meta, Request, Struct, hookimpl, public, reply
from voicera.testing import Client, Running, running_app, settings_for_tests
from voicera.testing.patience import PATIENCE


class Inner(Struct, forbid_unknown_fields=True):
    speed: Annotated[float, Meta(gt=0)] = 1.0


class Body(Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    count: Annotated[int, Meta(ge=0, le=1000)] = 0
    tags: list[str] = []
    inner: Inner | None = None


def echo_plugin() -> ModuleType:
    blueprint = Blueprint()

    @blueprint.post("/echo", body=Body, returns=Body)
    @public
    async def echo(request: Request) -> Any:
        """Answer with what was sent."""
        return reply(request.decode(Body))

    @blueprint.get("/slow", deadline=0.2)
    @public
    async def slow(request: Request) -> Any:
        """Take too long."""
        await asyncio.sleep(30)

    module = ModuleType("echo")
    module.register_blueprints = hookimpl(lambda: [blueprint])  # type: ignore[attr-defined]
    return module


@pytest.fixture(scope="module")
async def echo(stack: Settings) -> Any:
    async with running_app(settings_for_tests(stack), plugins=[echo_plugin()]) as app:
        yield app.client


DEEP = b"[" * 100_000
BAD: dict[str, tuple[bytes | None, str, int, str]] = {
    "no body": (None, "application/json", 400, "REQUEST_001"),
    "broken JSON": (b'{"name": ', "application/json", 400, "REQUEST_001"),
    "trailing text": (b'{"name":"a"} x', "application/json", 400, "REQUEST_001"),
    "a wrong content type": (b'{"name":"a"}', "text/plain", 400, "REQUEST_001"),
    "a form": (b"name=a", "application/x-www-form-urlencoded", 400, "REQUEST_001"),
    "invalid UTF-8": (b'{"name":"\xff"}', "application/json", 400, "REQUEST_001"),
    "UTF-16": ('{"name":"a"}'.encode("utf-16"), "application/json", 400, "REQUEST_001"),
    "a lone surrogate": (b'{"name":"\\ud800"}', "application/json", 400, "REQUEST_001"),
    "a raw NUL": (b'{"name":"a\x00b"}', "application/json", 400, "REQUEST_001"),
    "an escaped NUL": (b'{"name":"a\\u0000b"}', "application/json", 422, "REQUEST_002"),
    "duplicate keys": (b'{"name":"a","name":"b"}', "application/json", 400, "REQUEST_001"),
    "deep nesting": (DEEP, "application/json", 400, "REQUEST_001"),
    "deep nesting in a field": (b'{"tags":' + DEEP + b"}", "application/json", 400, "REQUEST_001"),
    "deep nesting in an unknown field": (b'{"x":' + DEEP + b"}", "application/json", 400, "REQUEST_001"),
    "a huge integer": (b'{"name":"a","count":' + b"9" * 5000 + b"}", "application/json", 400, "REQUEST_001"),
    "a large integer": (b'{"name":"a","count":99999999999999999999}', "application/json", 422, "REQUEST_002"),
    "a number out of range": (b'{"name":"a","inner":{"speed":1e400}}', "application/json", 400, "REQUEST_001"),
    "NaN": (b'{"name":"a","inner":{"speed":NaN}}', "application/json", 400, "REQUEST_001"),
    "a wrong type": (b'{"name":1}', "application/json", 422, "REQUEST_002"),
    "null": (b"null", "application/json", 422, "REQUEST_002"),
    "an array": (b"[]", "application/json", 422, "REQUEST_002"),
    "an unknown field": (b'{"name":"a","role":"admin"}', "application/json", 422, "REQUEST_002"),
    "a string of almost a megabyte": (b'{"name":"' + b"a" * 1_040_000 + b'"}', "application/json", 422, "REQUEST_002"),
}


@pytest.mark.parametrize("kind", BAD)
async def test_bad_input_gets_its_error_in_the_one_shape(echo: Client, kind: str) -> None:
    body, media, status, code = BAD[kind]
    answer = await echo.post("/echo", body=body, headers={"Content-Type": media})
    assert (answer.status, answer.code) == (status, code), answer.content[:300]
    assert answer.json.keys() == {"success", "data", "error", "timestamp"}
    assert answer.json["success"] is False
    assert answer.json["data"] is None
    assert answer.error.keys() == {"code", "message", "details"}
    assert answer.headers["Content-Type"] == "application/json"


async def test_an_encoded_body_is_refused_by_its_header(echo: Client) -> None:
    for encoding, status in (("gzip", 400), ("identity", 200), ("Identity", 200)):
        headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
        answer = await echo.post("/echo", body=b'{"name":"a"}', headers=headers)
        assert answer.status == status, encoding
        if status == 400:
            said = "the body must not be encoded: no Content-Encoding is taken here"
            assert (answer.code, answer.error["details"]) == ("REQUEST_001", said)


async def test_every_failing_field_is_named_not_just_the_first(echo: Client) -> None:
    body = {"name": "", "count": -1, "tags": ["a", 1, None], "inner": {"speed": 0, "x": 1}, "y": 2}
    answer = await echo.post("/echo", body)
    assert [entry["field"] for entry in answer.error["details"]] == [
        "name",
        "count",
        "tags[1]",
        "tags[2]",
        "inner.speed",
        "inner.x",
        "y",
    ]


async def test_a_value_that_was_sent_stands_in_no_error(echo: Client) -> None:
    answer = await echo.post("/echo", {"name": ["canary-7f3a"], "count": "canary-7f3a", "inner": "canary-7f3a"})
    assert answer.status == 422
    assert b"canary" not in answer.content


@pytest.mark.parametrize("text", ["a\u202eb", "é", "e\u0301", "\U0001f600", "' OR 1=1 --", "__proto__", "%00"])
async def test_odd_text_comes_back_as_it_was_sent(echo: Client, text: str) -> None:
    assert (await echo.post("/echo", {"name": text})).data["name"] == text


async def test_a_client_may_have_the_bare_body(anonymous: Client) -> None:
    answer = await anonymous.get("/version", headers={"Prefer": "envelope=none"})
    assert answer.json == {"name": "voicera", "version": answer.json["version"]}
    assert answer.headers["Preference-Applied"] == "envelope=none"
    assert "Prefer" in answer.headers["Vary"]


async def test_errors_keep_the_envelope_even_then(anonymous: Client) -> None:
    answer = await anonymous.get("/nope", headers={"Prefer": "envelope=none"})
    assert answer.code == "REQUEST_004"


async def test_errors_can_be_problem_details(anonymous: Client) -> None:
    answer = await anonymous.get("/nope", headers={"Accept": "application/problem+json"})
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json == {
        "type": "/errors#REQUEST_004",
        "title": "No such route",
        "status": 404,
        "code": "REQUEST_004",
    }


async def test_a_sane_request_id_is_kept(anonymous: Client) -> None:
    answer = await anonymous.get("/health", headers={"X-Request-Id": "abc-123"})
    assert answer.headers["X-Request-Id"] == "abc-123"


@pytest.mark.parametrize("sent", ["", "a b", "x" * 129, "<script>", 'a"b'])
async def test_another_request_id_is_replaced(anonymous: Client, sent: str) -> None:
    answer = await anonymous.get("/health", headers={"X-Request-Id": sent})
    assert answer.headers["X-Request-Id"] not in ("", sent)


async def test_a_wrong_method_names_the_right_ones(anonymous: Client) -> None:
    answer = await anonymous.post("/health")
    assert (answer.status, answer.code) == (405, "REQUEST_004")
    assert {"GET", "HEAD"} <= {name.strip() for name in answer.headers["Allow"].split(",")}


async def test_head_answers_like_get_without_a_body(anonymous: Client) -> None:
    head, get = await anonymous.request("HEAD", "/version"), await anonymous.get("/version")
    assert (head.status, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(get.content))


@pytest.mark.parametrize(
    "query", ["?x=%00", "?x=%ff", "?limit=1&limit=2", "?" + "&".join(f"a{i}=1" for i in range(200))]
)
async def test_malformed_query_strings_are_refused(user: Client, query: str) -> None:
    answer = await user.get("/call-logs" + query)
    assert (answer.status, answer.code) == (400, "REQUEST_001")


async def test_every_wrong_parameter_is_named(user: Client) -> None:
    answer = await user.get("/call-logs?limit=0&skip=-1&status=nope&colour=red")
    assert sorted(entry["field"] for entry in answer.error["details"]) == ["colour", "limit", "skip", "status"]
    assert "campaign_id" in json.dumps(answer.error["details"])


async def test_a_request_past_its_deadline_is_503_with_retry_after(echo: Client) -> None:
    answer = await echo.get("/slow")
    assert (answer.status, answer.code) == (503, "SERVER_002")
    assert int(answer.headers["Retry-After"]) >= 1


async def test_a_body_over_the_limit_is_refused_before_it_is_sent(running: Running) -> None:
    host, port = running.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
    writer.close()
    assert head.startswith(b"HTTP/1.1 413 ")


async def test_a_client_that_sends_too_much_can_read_why(echo: Client) -> None:
    host, port = echo.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(40):
        writer.write(b"10000\r\n" + b"a" * 0x10000 + b"\r\n")
    answer = await asyncio.wait_for(reader.read(), PATIENCE)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"REQUEST_003"' in answer


async def test_a_missing_token_is_refused_before_the_body_is_sent(running: Running) -> None:
    host, port = running.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /agents HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
    writer.close()
    assert head.startswith(b"HTTP/1.1 401 ")
    assert b"www-authenticate: bearer" in head.lower()
