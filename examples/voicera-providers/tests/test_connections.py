"""`/provider-connections`: who has them, and which messages are believed."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest
from conftest import KEY, Send, connect, names, payload
from voicera.testing import Client, Clock, Log, Running

from voicera_providers.signing import retell_signature

NEW = {"provider": "vapi", "name": "production"}
VIEW = {"id", "provider", "name", "events_path", "created_at", "last_used_at"}
STRANGER = {"provider": "vapi", "events_path": f"/provider-connections/{uuid4()}/events", "secret": "vapi_x"}


async def test_anonymous_callers_are_refused(anonymous: Client) -> None:
    one = f"/provider-connections/{uuid4()}"
    for method, path, body in [
        ("GET", "/provider-connections", None),
        ("POST", "/provider-connections", NEW),
        ("GET", one, None),
        ("DELETE", one, None),
        ("POST", f"{one}/events", payload("vapi/completed")),
    ]:
        answer = await anonymous.request(method, path, json=body)
        assert (answer.status, answer.code) == (401, "AUTH_003"), path
        assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a_neighbours_connection_answers_as_one_that_is_not_there(user: Client, neighbour: Client) -> None:
    one = f"/provider-connections/{(await connect(user, 'vapi'))['id']}"
    for method in ("GET", "DELETE"):
        theirs = await neighbour.request(method, one)
        none = await neighbour.request(method, f"/provider-connections/{uuid4()}")
        assert theirs.status == none.status == 404
        assert theirs.error == none.error
    assert (await neighbour.get("/provider-connections")).data["total"] == 0
    assert (await user.get(one)).status == 200


async def test_the_secret_is_shown_once_kept_hashed_and_never_logged(
    user: Client, send: Send, voicera_app: Running, voicera_log: Log
) -> None:
    made = await connect(user, "vapi")
    assert set(made) == {*VIEW, "secret"}
    assert made["secret"].startswith("vapi_")
    one = f"/provider-connections/{made['id']}"
    await send(made, payload("vapi/completed"))
    answers = [await user.get(one), await user.get("/provider-connections"), await connect(user, "retell")]
    assert set(answers[0].data) == VIEW
    assert answers[1].data["items"] == [answers[0].data]
    assert answers[2]["secret"] is None
    async with voicera_app.resources.db.connection() as connection:
        kept = await connection.fetchval("SELECT secret FROM provider_connections WHERE id = $1", made["id"])
    assert made["secret"] not in str([answers[0].json, answers[1].json, kept])
    assert made["secret"][5:] not in str(voicera_log.lines)
    assert KEY not in str([voicera_log.lines, answers[2]])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**NEW, "provider": "bland"}, "provider"),
        ({**NEW, "name": ""}, "name"),
        ({**NEW, "name": "a\0b"}, "name"),
        ({**NEW, "secret": "mine-and-known"}, "secret"),
        ({**NEW, "provider": "retell"}, "secret"),
        ({**NEW, "provider": "retell", "secret": "short"}, "secret"),
        ({**NEW, "provider": "retell", "secret": "with a space"}, "secret"),
        ({**NEW, "url": "https://example.com"}, "url"),
    ],
)
async def test_what_cannot_be_a_connection_is_refused(user: Client, body: Any, field: str) -> None:
    refused = await user.post("/provider-connections", body)
    assert (refused.status, refused.code) == (422, "REQUEST_002")
    assert [error["field"] for error in refused.error["details"]] == [field]


async def test_an_owner_has_at_most_twenty_however_many_ask_at_once(user: Client) -> None:
    made = await asyncio.gather(*(user.post("/provider-connections", NEW) for _ in range(23)))
    assert sorted(answer.status for answer in made) == [201] * 20 + [409] * 3
    assert {answer.code for answer in made if answer.status == 409} == {"PROVIDER_002"}
    assert (await user.get("/provider-connections", params={"limit": 5})).data["total"] == 20


@pytest.mark.parametrize("provider", ["vapi", "retell"])
class TestEvents:
    async def test_a_message_is_recorded_once_for_the_connections_owner(
        self, user: Client, neighbour: Client, send: Send, clock: Clock, provider: str
    ) -> None:
        connection = await connect(user, provider)
        first, again = [await send(connection, payload(f"{provider}/completed")) for _ in range(2)]
        assert (first.status, first.data) == (200, {"received": 1, "created": 1, "duplicates": 0})
        assert (again.status, again.data) == (200, {"received": 1, "created": 0, "duplicates": 1})
        assert (await user.get("/analytics/calls")).data["total_calls"] == 1
        assert (await neighbour.get("/call-logs")).data["total"] == 0
        used = (await user.get(f"/provider-connections/{connection['id']}")).data["last_used_at"]
        assert used == clock.text

    async def test_every_sample_is_answered_well(self, user: Client, send: Send, provider: str) -> None:
        connection = await connect(user, provider)
        answers = [await send(connection, payload(name)) for name in names(provider)]
        assert {answer.status for answer in answers} == {200}
        left_out = {"vapi": 2, "retell": 3}[provider]  # web calls, and what is not final
        assert sum(answer.data["created"] for answer in answers) == len(answers) - left_out

    async def test_no_secret_a_wrong_one_and_no_connection_answer_alike(
        self, user: Client, neighbour: Client, send: Send, clock: Clock, provider: str
    ) -> None:
        connection, message = await connect(user, provider), payload(f"{provider}/completed")
        body, now = json.dumps(message).encode(), int(clock.now.timestamp() * 1000)
        headers: list[dict[str, str]] = [
            {},
            {"X-Vapi-Secret": "vapi_wrong"},
            {"X-Vapi-Secret": ""},
            {"X-Vapi-Secret": KEY},
            {"Authorization": "Bearer vapi_wrong"},
            {"Authorization": f"Bearer {neighbour.token}"},
            {"X-Retell-Signature": "v=1,d=00"},
            {"X-Retell-Signature": retell_signature("another_key", body, now)},
            {"X-Retell-Signature": retell_signature("", body, now), "X-Vapi-Secret": ""},
            {"X-Retell-Signature": "\u00e9" * 64, "X-Vapi-Secret": "\u00e9"},
        ]
        answers = [await send(connection, message, each) for each in headers]
        answers += [await send(STRANGER, message, each) for each in headers]
        answers.append(await send(connection, b"no JSON at all", {}))
        assert {answer.status for answer in answers} == {401}
        assert len({json.dumps(answer.error) for answer in answers}) == 1
        assert len({tuple(sorted(answer.headers.keys())) for answer in answers}) == 1
        assert (await user.get("/call-logs")).data["total"] == 0
        assert (await user.get(f"/provider-connections/{connection['id']}")).data["last_used_at"] is None

    async def test_a_deleted_connection_takes_nothing_more_and_its_calls_stay(
        self, user: Client, send: Send, provider: str
    ) -> None:
        connection = await connect(user, provider)
        await send(connection, payload(f"{provider}/completed"))
        assert (await user.delete(f"/provider-connections/{connection['id']}")).status == 204
        assert (await user.delete(f"/provider-connections/{connection['id']}")).code == "PROVIDER_001"
        assert (await send(connection, payload(f"{provider}/busy"))).status == 401
        assert (await user.get("/call-logs")).data["total"] == 1

    async def test_what_is_signed_and_no_message_is_no_error_of_ours(
        self, user: Client, send: Send, provider: str
    ) -> None:
        connection = await connect(user, provider)
        for body, status in [
            (b"{", 400),
            (b"", 400),
            (b"[1]", 200),
            (b"null", 200),
            (b'{"call": {"call_id": 1}}', 200),
        ]:
            assert (await send(connection, body)).status == status, body

    async def test_a_message_that_is_too_large_is_not_read(self, user: Client, send: Send, provider: str) -> None:
        assert (await send(await connect(user, provider), b" " * ((4 << 20) + 1))).code == "REQUEST_003"

    async def test_a_call_that_begins_in_the_future_is_refused_by_name(
        self, user: Client, send: Send, provider: str
    ) -> None:
        message = payload(f"{provider}/completed")
        message["message" if provider == "vapi" else "call"] |= {
            "startedAt": "2100-01-01T00:00:00Z",
            "start_timestamp": 4102444800000,
        }
        refused = await send(await connect(user, provider), message)
        assert (refused.status, refused.error["details"][0]["field"]) == (422, "[0].created_at")


class TestVapi:
    async def test_the_secret_may_come_as_a_bearer_token(self, user: Client, send: Send) -> None:
        connection = await connect(user, "vapi")
        headers = {"Authorization": f"Bearer {connection['secret']}"}
        assert (await send(connection, payload("vapi/completed"), headers)).data["created"] == 1

    async def test_the_secret_of_another_connection_is_wrong(self, user: Client, neighbour: Client, send: Send) -> None:
        ours, theirs = await connect(user, "vapi"), await connect(neighbour, "vapi")
        headers = {"X-Vapi-Secret": theirs["secret"]}
        assert (await send(ours, payload("vapi/completed"), headers)).status == 401


class TestRetell:
    async def test_a_signature_is_good_for_five_minutes(self, user: Client, send: Send, clock: Clock) -> None:
        connection, body = await connect(user, "retell"), json.dumps(payload("retell/completed")).encode()
        sent = {"X-Retell-Signature": retell_signature(KEY, body, int(clock.now.timestamp() * 1000))}
        for minutes, seconds, status in [(-5, -1, 401), (-5, 0, 200), (5, 0, 200), (5, 1, 401)]:
            start = clock.now
            clock.move(minutes=minutes, seconds=seconds)
            assert (await send(connection, body, sent)).status == status, (minutes, seconds)
            clock.set(start)

    async def test_the_signature_covers_the_body_and_the_time(self, user: Client, send: Send, clock: Clock) -> None:
        connection, body = await connect(user, "retell"), json.dumps(payload("retell/completed")).encode()
        now = int(clock.now.timestamp() * 1000)
        signature = retell_signature(KEY, body, now)
        for changed, header in [
            (body + b" ", signature),
            (body, signature.replace(str(now), str(now + 1))),
            (body, f"{signature} "[:-2]),
            (body, signature.upper()),
            (body, f"{signature},d={'0' * 64}"),
        ]:
            assert (await send(connection, changed, {"X-Retell-Signature": header})).status == 401
        assert (await send(connection, body, {"X-Retell-Signature": signature})).status == 200

    async def test_the_key_of_another_connection_is_wrong(self, user: Client, send: Send, clock: Clock) -> None:
        other = await user.post("/provider-connections", {"provider": "retell", "name": "b", "secret": "key_other_one"})
        body, now = json.dumps(payload("retell/completed")).encode(), int(clock.now.timestamp() * 1000)
        assert (await send(other.data, body, {"X-Retell-Signature": retell_signature(KEY, body, now)})).status == 401
        theirs = {"X-Retell-Signature": retell_signature("key_other_one", body, now)}
        assert (await send(other.data, body, theirs)).status == 200

    def test_the_signature_is_as_their_sdk_makes_it(self) -> None:
        """Made with `printf '{"event":"x"}1748772093000' | openssl dgst -sha256 -hmac key_1234567890abcdef`."""
        digest = "696633baf8bdea9bfbddb33daf3ece46b5f6d18eefe78f1100cba060f105faa5"
        assert retell_signature(KEY, b'{"event":"x"}', 1748772093000) == f"v=1748772093000,d={digest}"
