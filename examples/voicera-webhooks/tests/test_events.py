"""What is written into the outbox, and when."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from conftest import REFUSED, Receiver, deliveries
from voicera.testing import Client, Running, a_call, statements_of

Subscribe = Callable[..., Awaitable[dict[str, Any]]]
Deliver = Callable[[], Awaitable[int]]
LEFT_OUT = {"recording_url", "updated_at"}  # of a call log, what is not part of what was recorded


async def test_a_recorded_call_is_sent_whole_and_signed(
    user: Client, receiver: Receiver, subscribe: Subscribe, deliver: Deliver, clock: Any
) -> None:
    webhook = await subscribe(user)
    body = {**a_call(cost=0.1), "metadata": {"big": 1 << 70, "nested": [None]}}
    made = await user.post("/call-logs", body=json.dumps(body).encode(), headers={"Content-Type": "application/json"})
    assert made.status == 201, made.content
    log = made.data
    clock.move(seconds=2)
    assert await deliver() == 1
    (message,) = receiver.received
    assert message.signed_by(webhook["secret"])
    assert not message.signed_by("whsec_AAAA")
    assert message.headers["webhook-timestamp"] == str(int(clock.now.timestamp()))
    assert message.headers["Content-Type"] == "application/json"
    payload = message.json
    assert list(payload) == ["id", "type", "created_at", "data"]
    assert payload["id"] == message.headers["webhook-id"]
    assert payload["type"] == "call.recorded"
    whole = (await user.get(f"/call-logs/{log['id']}")).data
    assert payload["data"] == {name: value for name, value in whole.items() if name not in LEFT_OUT}
    (delivery,) = await deliveries(user, webhook)
    assert (delivery["id"], delivery["state"], delivery["tries"]) == (payload["id"], "delivered", 1)
    assert delivery["payload"] == payload
    assert [(each["status"], each["error"]) for each in delivery["attempts"]] == [(204, None)]


async def test_changes_and_deletions_are_sent(
    user: Client, receiver: Receiver, subscribe: Subscribe, deliver: Deliver, make_calls: Any
) -> None:
    await subscribe(user, "call.changed", "call.deleted")
    log = (await make_calls(user, status="in_progress"))[0]
    path = f"/call-logs/{log['id']}"
    await user.patch(path, {"status": "completed", "transcript": "All of it."})
    await user.patch(path, {"status": "completed"})  # changes nothing
    await user.delete(path)
    assert await deliver() == 2
    by_type = {message.json["type"]: message.json["data"] for message in receiver.received}
    assert {kind: (data["id"], data["status"], data["transcript"]) for kind, data in by_type.items()} == {
        "call.changed": (log["id"], "completed", "All of it."),
        "call.deleted": (log["id"], "completed", "All of it."),
    }


async def test_each_transition_of_a_campaign_is_sent(
    user: Client, receiver: Receiver, subscribe: Subscribe, deliver: Deliver, clock: Any
) -> None:
    """They are written by the hook `campaign_moving`, in the transaction of the transition."""
    kinds = [f"campaign.{each}" for each in ("launched", "paused", "resumed", "stopped")]
    await subscribe(user, *kinds)
    campaign = await new_campaign(user, clock, "Autumn")
    for action in ("launch", "pause", "resume", "stop"):
        answer = await user.post(f"/campaigns/{campaign['id']}/{action}")
        assert answer.status == 200, answer.content
        assert (await user.post(f"/campaigns/{campaign['id']}/{action}")).status in (400, 409)  # once is enough
        clock.move(seconds=1)
        await deliver()
    assert receiver.types() == kinds
    facts = receiver.received[0].json["data"]
    assert (facts["id"], facts["status"], facts["phone_number_count"]) == (campaign["id"], "active", 1)
    assert "owner_id" not in facts


async def new_campaign(user: Client, clock: Any, name: str) -> dict[str, Any]:
    agent = (await user.post("/agents", {"name": "Ada"})).data
    body = {
        "name": name,
        "agent_id": agent["id"],
        "phone_numbers": ["+1234567890"],
        "end_time": (clock.now + timedelta(days=1)).isoformat(),
    }
    campaign: dict[str, Any] = (await user.post("/campaigns", body)).data
    return campaign


async def test_a_transition_that_is_rolled_back_writes_nothing(user: Client, subscribe: Subscribe, clock: Any) -> None:
    webhook = await subscribe(user, "campaign.launched")
    campaign = await new_campaign(user, clock, REFUSED)
    refused = await user.post(f"/campaigns/{campaign['id']}/launch")
    assert (refused.code, refused.error["details"]) == ("AUTH_004", "1 deliveries were written")
    assert await deliveries(user, webhook) == []
    assert (await user.get(f"/campaigns/{campaign['id']}")).data["status"] == "draft"


async def test_only_what_is_subscribed_to_is_written_and_only_for_its_owner(
    user: Client, neighbour: Client, receiver: Receiver, subscribe: Subscribe, deliver: Deliver, make_calls: Any
) -> None:
    both, other, off = await subscribe(user), await subscribe(user, "call.deleted"), await subscribe(user)
    await user.patch(f"/webhooks/{off['id']}", {"active": False})
    theirs = await subscribe(neighbour)
    mine = await make_calls(user, 2)
    await make_calls(neighbour, 1)
    assert await deliver() == 3
    assert [len(await deliveries(user, webhook)) for webhook in (both, other, off)] == [2, 0, 0]
    sent = {message.json["data"]["id"] for message in receiver.received if message.signed_by(both["secret"])}
    assert sent == {log["id"] for log in mine}
    assert len(await deliveries(neighbour, theirs)) == 1


async def test_an_event_has_one_id_in_all_webhooks(
    user: Client, receiver: Receiver, subscribe: Subscribe, deliver: Deliver, make_calls: Any
) -> None:
    await subscribe(user)
    await subscribe(user)
    await make_calls(user)
    await deliver()
    assert len(receiver.received) == 2
    assert len({message.headers["webhook-id"] for message in receiver.received}) == 1


async def test_a_log_that_is_sent_again_makes_no_event(user: Client, subscribe: Subscribe, deliver: Deliver) -> None:
    webhook = await subscribe(user)
    log = a_call()
    assert [(await user.post("/call-logs", log)).status for _ in range(2)] == [201, 200]
    assert (await user.post("/call-logs/batch", [log, log])).data["duplicates"] == 2
    assert len(await deliveries(user, webhook)) == 1


async def test_a_batch_that_is_rolled_back_writes_nothing(user: Client, subscribe: Subscribe) -> None:
    """Another plugin refuses the batch after the outbox has been written, in the same transaction."""
    webhook = await subscribe(user)
    refused = await user.post("/call-logs/batch", [a_call(), a_call(summary=REFUSED)])
    assert (refused.code, refused.error["details"]) == ("AUTH_004", "2 deliveries were written")
    assert await deliveries(user, webhook) == []
    assert (await user.post("/call-logs/batch", [a_call()])).status == 201
    assert len(await deliveries(user, webhook)) == 1


async def test_a_batch_costs_one_statement_more_and_with_a_subscription_two(
    user: Client, subscribe: Subscribe, deliver: Deliver, voicera_app: Running
) -> None:
    counts = []
    for prepare in (False, True):
        if prepare:
            webhook = await subscribe(user)
        async with statements_of(voicera_app) as seen:
            assert (await user.post("/call-logs/batch", [a_call() for _ in range(1000)])).status == 201
            await voicera_app.settled()
        counts.append(
            [sum(f" {table}" in text for text in seen) for table in ("webhooks WHERE", "webhook_deliveries (")]
        )
    assert counts == [[1, 0], [1, 1]]
    listed = await user.get(f"/webhooks/{webhook['id']}/deliveries", params={"limit": 1, "state": "waiting"})
    assert listed.data["total"] == 1000


async def test_ten_thousand_calls_with_a_subscription_commit(
    user: Client, subscribe: Subscribe, deliver: Deliver
) -> None:
    webhook = await subscribe(user)
    sent = await user.post("/call-logs/batch", [a_call() for _ in range(10_000)])
    assert (sent.status, sent.data["created"]) == (201, 10_000)
    listed = await user.get(f"/webhooks/{webhook['id']}/deliveries", params={"limit": 1})
    assert listed.data["total"] == 10_000


async def test_four_writers_at_once_lose_no_event(user: Client, subscribe: Subscribe, deliver: Deliver) -> None:
    webhook = await subscribe(user)
    batches = [[a_call() for _ in range(50)] for _ in range(4)]
    answers = await asyncio.gather(
        *(user.post("/call-logs/batch", batch) for batch in batches), *(user.post("/call-logs", a_call()) for _ in "ab")
    )
    assert {answer.status for answer in answers} == {201}
    listed = await user.get(f"/webhooks/{webhook['id']}/deliveries", params={"limit": 1})
    assert listed.data["total"] == 202
