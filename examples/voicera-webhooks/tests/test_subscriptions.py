"""The routes of `/webhooks`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from conftest import Receiver, deliveries
from voicera.testing import Client, Log, Running

Subscribe = Callable[..., Awaitable[dict[str, Any]]]
Deliver = Callable[[], Awaitable[int]]
NEW = {"url": "https://hooks.example.com/voicera", "events": ["call.recorded"]}
VIEW = {"id", "url", "events", "description", "active", "reason", "failing_since", "created_at", "updated_at"}


def routes(webhook: str, delivery: str) -> list[tuple[str, str, Any]]:
    one = f"/webhooks/{webhook}"
    return [
        ("GET", one, None),
        ("PATCH", one, {"active": False}),
        ("POST", f"{one}/rotate-secret", None),
        ("POST", f"{one}/test", None),
        ("GET", f"{one}/deliveries", None),
        ("GET", f"{one}/deliveries/{delivery}", None),
        ("POST", f"{one}/deliveries/{delivery}/resend", None),
        ("POST", f"{one}/resend-dead", None),
        ("DELETE", one, None),
    ]


async def test_anonymous_callers_are_refused(anonymous: Client) -> None:
    for method, path, body in [("GET", "/webhooks", None), ("POST", "/webhooks", NEW), *routes(*[str(uuid4())] * 2)]:
        answer = await anonymous.request(method, path, json=body)
        assert (answer.status, answer.code) == (401, "AUTH_003"), path


async def test_a_neighbours_webhook_answers_as_one_that_is_not_there(
    user: Client, neighbour: Client, subscribe: Subscribe
) -> None:
    webhook = await subscribe(user)
    delivery = (await user.post(f"/webhooks/{webhook['id']}/test")).data
    for (method, path, body), (_, nowhere, _) in zip(
        routes(webhook["id"], delivery["id"]), routes(str(uuid4()), str(uuid4())), strict=True
    ):
        theirs = await neighbour.request(method, path, json=body)
        none = await neighbour.request(method, nowhere, json=body)
        assert theirs.status == none.status == 404, path
        assert theirs.error == none.error
    assert (await neighbour.get("/webhooks")).data["total"] == 0
    assert (await user.get(f"/webhooks/{webhook['id']}")).data["active"] is True
    assert len(await deliveries(user, webhook)) == 1


async def test_the_secret_is_shown_once_and_never_logged(user: Client, voicera_log: Log) -> None:
    made = await user.post("/webhooks", {**NEW, "description": "to the CRM"})
    one = f"/webhooks/{made.data['id']}"
    assert made.status == 201
    assert made.headers["Location"] == one
    secret = made.data["secret"]
    assert secret.startswith("whsec_")
    assert set(made.data) == {*VIEW, "secret"}
    rotated = (await user.post(f"{one}/rotate-secret")).data
    assert rotated["secret"] not in ("", secret)
    others = [await user.get(one), await user.get("/webhooks"), await user.patch(one, {"active": True})]
    assert all(answer.status == 200 and b"whsec_" not in answer.content for answer in others)
    assert others[0].data == {**{name: made.data[name] for name in VIEW}, "updated_at": rotated["updated_at"]}
    assert "whsec_" not in str(voicera_log.lines)
    assert secret[6:] not in str(voicera_log.lines)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**NEW, "url": "ftp://hooks.example.com"}, "url"),
        ({**NEW, "url": "https://user:pass@hooks.example.com"}, "url"),
        ({**NEW, "url": "https://:@hooks.example.com"}, "url"),
        ({**NEW, "url": "https://"}, "url"),
        ({**NEW, "url": "https://hooks.example.com:25/"}, "url"),
        ({**NEW, "url": "https://hooks.example.com:99999/"}, "url"),
        ({**NEW, "url": "https://hooks.example.com\\@127.0.0.1/"}, "url"),
        ({**NEW, "url": "https://hooks.example.com/ x"}, "url"),
        ({**NEW, "url": "https://hooks.example.com/\n"}, "url"),
        ({**NEW, "url": "https://[::1"}, "url"),
        ({**NEW, "url": "https://hooks.example.com/" + "x" * 2000}, "url"),
        ({**NEW, "events": ["call.exploded"]}, "events"),
        ({**NEW, "events": []}, "events"),
        ({**NEW, "description": "a\0b"}, "description"),
        ({"url": NEW["url"]}, "events"),
        ({**NEW, "secret": "whsec_mine"}, "secret"),
    ],
)
async def test_what_cannot_be_a_webhook_is_refused(user: Client, body: Any, field: str) -> None:
    refused = await user.post("/webhooks", body)
    assert (refused.status, refused.code) == (422, "REQUEST_002")
    assert [error["field"].partition("[")[0] for error in refused.error["details"]] == [field]


async def test_an_owner_has_at_most_twenty_however_many_ask_at_once(user: Client) -> None:
    made = await asyncio.gather(*(user.post("/webhooks", NEW) for _ in range(24)))
    assert sorted(answer.status for answer in made) == [201] * 20 + [409] * 4
    assert {answer.code for answer in made if answer.status == 409} == {"WEBHOOK_003"}
    listed = (await user.get("/webhooks", params={"limit": 5})).data
    assert (listed["total"], len(listed["items"])) == (20, 5)


async def test_a_change_sets_the_fields_given(user: Client) -> None:
    made = (await user.post("/webhooks", {**NEW, "description": "old"})).data
    one = f"/webhooks/{made['id']}"
    changed = await user.patch(one, {"events": ["call.deleted", "call.changed", "call.deleted"], "description": None})
    assert changed.status == 200
    assert changed.data["events"] == ["call.changed", "call.deleted"]
    assert changed.data["description"] is None
    assert changed.data["url"] == made["url"]
    assert (await user.patch(one, {"url": "https://127.0.0.1:22/"})).status == 422
    assert (await user.patch(one, {"active": False})).data["active"] is False
    assert (await user.post(f"{one}/test")).code == "WEBHOOK_002"
    assert (await user.post(f"{one}/resend-dead")).code == "WEBHOOK_002"


async def test_with_a_webhook_its_deliveries_go(
    user: Client,
    receiver: Receiver,
    subscribe: Subscribe,
    deliver: Deliver,
    make_calls: Any,
    voicera_app: Running,
) -> None:
    webhook = await subscribe(user)
    await make_calls(user, 3)
    one = f"/webhooks/{webhook['id']}"
    assert (await user.delete(one)).status == 204
    assert (await user.delete(one)).code == "WEBHOOK_001"
    assert (await user.get(f"{one}/deliveries")).code == "WEBHOOK_001"
    await voicera_app.settled()
    async with voicera_app.resources.db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM webhook_deliveries") == 0
    await deliver()
    assert receiver.received == []


async def test_a_test_event_is_sent_whatever_is_subscribed(
    user: Client, receiver: Receiver, subscribe: Subscribe, deliver: Deliver
) -> None:
    webhook = await subscribe(user, "campaign.paused")
    sent = await user.post(f"/webhooks/{webhook['id']}/test")
    assert sent.status == 202
    assert (sent.data["type"], sent.data["state"], sent.data["attempts"]) == ("webhook.test", "waiting", [])
    await deliver()
    (message,) = receiver.received
    assert message.json == sent.data["payload"]
    assert message.json["data"] == {"webhook_id": webhook["id"]}
    assert message.signed_by(webhook["secret"])
