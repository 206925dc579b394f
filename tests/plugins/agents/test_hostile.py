"""Values that nobody should send: refused with the field's name or kept as they are, never a 500."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from voicera.testing import Answer, Client

TEXTS = {"description": 2000, "llm_provider": 100, "llm_model": 200, "stt_provider": 100, "tts_provider": 100}
KEPT = ["\u202e", "\U0001f600", "e\u0301", "' OR 1=1 --", "__proto__", "<script>", "\x01", "%00", "\ufffe", "${7*7}"]
OWNED_BY_THE_SERVER = ["id", "user_id", "owner_id", "created_at", "updated_at", "version", "name_key", "role"]


async def send(user: Client, body: bytes) -> Answer:
    return await user.post("/agents", body=body, headers={"Content-Type": "application/json"})


async def fields_refused(user: Client, body: dict[str, Any]) -> list[str]:
    answer = await user.post("/agents", body)
    assert (answer.status, answer.code) == (422, "REQUEST_002"), answer.content
    return [detail["field"] for detail in answer.error["details"]]


@pytest.mark.parametrize("text", KEPT)
async def test_odd_text_is_read_back_equal(user: Client, text: str) -> None:
    sent = {"name": text, "system_prompt": text, "voice_parameters": {text: text, "list": [text]}}
    sent |= dict.fromkeys(TEXTS, text)
    made = await user.post("/agents", sent)
    assert made.status == 201, made.content
    kept = (await user.get(made.headers["Location"])).data
    assert {**kept, "name": text.strip()} == made.data
    assert {name: kept[name] for name in TEXTS} == dict.fromkeys(TEXTS, text)
    assert kept["voice_parameters"] == sent["voice_parameters"]


@pytest.mark.parametrize("field", OWNED_BY_THE_SERVER)
async def test_what_the_server_decides_cannot_be_sent(user: Client, field: str) -> None:
    assert await fields_refused(user, {"name": "x", field: "018d54f1-2d40-7c11-8f5e-0242ac120002"}) == [field]
    made = await user.post("/agents", {"name": "x"})
    answer = await user.put(made.headers["Location"], {field: None})
    assert (answer.status, answer.error["details"][0]["field"]) == (422, field)
    assert (await user.get(made.headers["Location"])).data == made.data


async def test_every_failing_field_is_named_at_once(user: Client) -> None:
    body = {"name": " \t", "description": 5, "status": "gone", "language": "english_us", "extra": 1}
    assert sorted(await fields_refused(user, body)) == ["description", "extra", "language", "name", "status"]
    assert await fields_refused(user, {}) == ["name"]


@pytest.mark.parametrize(("field", "longest"), [("name", 200), *TEXTS.items(), ("system_prompt", 100_000)])
async def test_text_may_be_so_long_and_not_longer(user: Client, field: str, longest: int) -> None:
    assert await fields_refused(user, {"name": "x", field: "é" * (longest + 1)}) == [field]
    made = await user.post("/agents", {"name": "x", field: "\U0001d160" * longest})
    assert (made.status, made.data[field]) == (201, "\U0001d160" * longest)


@pytest.mark.parametrize("field", ["name", *TEXTS, "system_prompt", "language", "status"])
async def test_wrong_types_and_nul_are_refused_by_name(user: Client, field: str) -> None:
    for value in (1, 2**63, True, ["x"], {"a": 1}, 1.5, "a\0b"):
        assert await fields_refused(user, {"name": "x", field: value}) == [field]


@pytest.mark.parametrize("tag", ["en", "pt-BR", "zh-Hant-TW", "multi", "es-419", "de-CH-1996"])
async def test_languages_have_the_form_of_bcp_47(user: Client, tag: str) -> None:
    made = await user.post("/agents", {"name": "x", "language": tag})
    assert made.data["language"] == tag


@pytest.mark.parametrize("tag", ["", "e", "en_US", "en-", "en\n", "-en", "en--US", "ён", "en-" + "a" * 9])
async def test_other_languages_are_refused(user: Client, tag: str) -> None:
    assert await fields_refused(user, {"name": "x", "language": tag}) == ["language"]


async def test_voice_parameters_are_kept_as_they_were_sent(user: Client) -> None:
    text = b'{"speed":1.0,"big":123456789012345678901234567890,"z":1e308,"a":[null,{"deep":{"er":[]}}],"":0}'
    made = await send(user, b'{"name":"x","voice_parameters":' + text + b"}")
    assert made.status == 201
    assert text in (await user.get(made.headers["Location"])).content


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [
        ({"speed": "fast"}, ["voice_parameters.speed"]),
        ({"speed": 0}, ["voice_parameters.speed"]),
        (
            {"speed": True, "tone": 1, "voice_id": []},
            [f"voice_parameters.{key}" for key in ("voice_id", "speed", "tone")],
        ),
        ({"speed": 11}, ["voice_parameters.speed"]),
        ({"text": "x" * 16_384}, ["voice_parameters"]),
        ([], ["voice_parameters"]),
        ("text", ["voice_parameters"]),
    ],
)
async def test_wrong_voice_parameters_are_refused(user: Client, parameters: Any, wrong: list[str]) -> None:
    assert await fields_refused(user, {"name": "x", "voice_parameters": parameters}) == wrong


async def test_voice_parameters_may_fill_16_kib(user: Client) -> None:
    parameters = {"text": "x" * (16_384 - len('{"text":""}'))}
    assert (await user.post("/agents", {"name": "x", "voice_parameters": parameters})).status == 201


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[",
        b"nonsense",
        b'{"name":"a","name":"b"}',
        b'{"name":"x","voice_parameters":{"a":1,"a":2}}',
        b'{"name":"\\ud800"}',
        b'{"name":"\xff"}',
        b'{"name":"x","voice_parameters":{"a":1e400}}',
        b'{"name":"x","voice_parameters":{"a":NaN}}',
        b'{"name":"x","voice_parameters":{"a":' + b"9" * 5000 + b"}}",
        b'{"name":"x"} {}',
    ],
)
async def test_what_is_not_json_is_refused(user: Client, body: bytes) -> None:
    answer = await send(user, body)
    assert (answer.status, answer.code) == (400, "REQUEST_001")


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"1", b"null", b"true"])
async def test_json_that_is_no_object_is_refused(user: Client, body: bytes) -> None:
    answer = await send(user, body)
    assert (answer.status, answer.code) == (422, "REQUEST_002")


@pytest.mark.parametrize("innermost", [b"", b'"\\u0000"', b'{"a":1,"a":2}'])
async def test_no_depth_of_nesting_is_a_500(user: Client, innermost: bytes) -> None:
    plain = Client(user.url, user.session, user.token)  # what checks answers against the document would recurse itself
    for depth in (10, 300, 480, *range(930, 1000, 2), 5000, 100_000):
        nested = b"[" * depth + innermost + b"]" * depth
        answer = await send(plain, b'{"name":"d%d","voice_parameters":{"a":%s}}' % (depth, nested))
        assert answer.status in (201, 400, 413, 422), (depth, answer.content[:300])
        if answer.status == 201:
            assert nested in (await plain.get(answer.headers["Location"])).content


async def test_a_megabyte_is_refused_before_it_is_read(user: Client) -> None:
    for field in ("name", "system_prompt"):
        assert await fields_refused(user, {"name": "x", field: "x" * 1_000_000}) == [field]
    # The service closes a connection whose body it does not read: the next request must not be sent there.
    close = {"Connection": "close"}
    answer = await user.post("/agents", {"name": "x", "system_prompt": "x" * (1 << 20)}, headers=close)
    assert (answer.status, answer.code) == (413, "REQUEST_003")


async def test_a_wrong_content_type_is_refused(user: Client) -> None:
    for media in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx"):
        answer = await user.post("/agents", body=orjson.dumps({"name": "x"}), headers={"Content-Type": media})
        assert (answer.status, answer.code) == (400, "REQUEST_001")
