"""How deliveries are sent: retries, leases, dead letters, and receivers that behave badly."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from aiohttp import web
from conftest import Receiver, deliveries
from voicera.testing import Client, Clock, Running, eventually

from voicera_webhooks.queries import outbox
from voicera_webhooks.service import courier, sending

Subscribe = Callable[..., Awaitable[dict[str, Any]]]
Deliver = Callable[[], Awaitable[int]]


async def test_a_receiver_that_fails_is_tried_again_later_and_later(
    user: Client, receiver: Receiver, subscribe: Subscribe, deliver: Deliver, make_calls: Any, clock: Clock
) -> None:
    webhook = await subscribe(user)
    receiver.answers = [500, 503, 404]
    await make_calls(user)
    for failures, delay in enumerate((5, 30, 120), 1):
        assert await deliver() == 1
        assert await deliver() == 0
        (delivery,) = await deliveries(user, webhook)
        assert (delivery["state"], delivery["tries"]) == ("waiting", failures)
        wait = (datetime.fromisoformat(delivery["next_try_at"]) - clock.now).total_seconds()
        assert 0.8 * delay <= wait <= 1.2 * delay
        clock.move(seconds=0.79 * delay)
        assert await deliver() == 0
        clock.move(seconds=0.42 * delay)
    failing = (await user.get(f"/webhooks/{webhook['id']}")).data
    assert failing["failing_since"] is not None
    assert await deliver() == 1
    (delivery,) = await deliveries(user, webhook)
    assert (delivery["state"], delivery["tries"], delivery["next_try_at"]) == ("delivered", 4, None)
    assert [(each["status"], each["error"]) for each in delivery["attempts"]] == [
        (500, "the answer is 500, not 2xx"),
        (503, "the answer is 503, not 2xx"),
        (404, "the answer is 404, not 2xx"),
        (204, None),
    ]
    assert (await user.get(f"/webhooks/{webhook['id']}")).data["failing_since"] is None
    first, last = receiver.received[0], receiver.received[-1]
    assert first.headers["webhook-id"] == last.headers["webhook-id"]
    assert first.headers["webhook-timestamp"] != last.headers["webhook-timestamp"]
    assert all(message.signed_by(webhook["secret"]) for message in receiver.received)


async def test_what_fails_to_the_end_is_dead_and_can_be_sent_again(
    user: Client, receiver: Receiver, subscribe: Subscribe, deliver: Deliver, make_calls: Any, clock: Clock
) -> None:
    webhook = await subscribe(user)
    one = f"/webhooks/{webhook['id']}"
    await make_calls(user, 3)
    receiver.answers = [500] * 24
    await until_dead(deliver, clock)
    assert len(receiver.received) == 24
    dead = await deliveries(user, webhook, state="dead")
    assert [(each["tries"], len(each["attempts"])) for each in dead] == [(8, 8)] * 3
    clock.move(days=30)
    assert await deliver() == 0

    resent = await user.post(f"{one}/deliveries/{dead[0]['id']}/resend")
    assert (resent.status, resent.data["state"], resent.data["tries"]) == (202, "waiting", 0)
    assert await deliver() == 1
    assert (await user.get(f"{one}/deliveries/{dead[0]['id']}")).data["state"] == "delivered"
    assert (await user.post(f"{one}/resend-dead")).data == {"resent": 2}
    assert await deliver() == 2
    assert (await user.get(f"{one}/deliveries", params={"state": "delivered"})).data["total"] == 3
    assert (await user.post(f"{one}/resend-dead")).data == {"resent": 0}
    assert (await user.get(f"{one}/deliveries", params={"state": "lost"})).code == "REQUEST_001"


async def until_dead(deliver: Deliver, clock: Clock) -> None:
    """Let all retries come due. A failing webhook gets one at a time, until none is due."""
    for delay in (timedelta(), *sending.DELAYS):
        clock.move(delay * 1.3)
        await deliver()


async def test_a_delivery_whose_worker_died_is_taken_again_after_its_lease(
    user: Client,
    receiver: Receiver,
    subscribe: Subscribe,
    deliver: Deliver,
    make_calls: Any,
    clock: Clock,
    voicera_app: Running,
) -> None:
    webhook = await subscribe(user)
    await make_calls(user)
    receiver.held = asyncio.Event()
    turn = asyncio.create_task(courier.turn(voicera_app.resources))
    await eventually(lambda: receiver.received)
    for task in [turn, *voicera_app.resources.state[courier.STATE].flying]:
        task.cancel()  # nothing is written down, as when the process is killed
    await asyncio.wait([turn])
    receiver.held.set()
    receiver.held = None

    (delivery,) = await deliveries(user, webhook)
    assert (delivery["state"], delivery["tries"], delivery["attempts"]) == ("waiting", 1, [])
    clock.move(courier.LEASE - timedelta(seconds=1))
    assert await deliver() == 0
    clock.move(seconds=1)
    assert await deliver() == 1
    (delivery,) = await deliveries(user, webhook)
    assert (delivery["state"], delivery["tries"]) == ("delivered", 2)
    assert len({message.headers["webhook-id"] for message in receiver.received}) == 1


async def test_who_comes_back_after_the_lease_changes_nothing(
    user: Client, subscribe: Subscribe, deliver: Deliver, make_calls: Any, clock: Clock, voicera_app: Running
) -> None:
    webhook = await subscribe(user)
    await make_calls(user)
    (late,) = await claim(voicera_app, clock)
    clock.move(courier.LEASE)
    assert await deliver() == 1
    async with voicera_app.resources.db.connection() as connection:
        await outbox.finish(
            connection, late, clock.now, state="dead", due_at=clock.now, attempt='{"at": 1}', switch_off=None
        )
    (delivery,) = await deliveries(user, webhook)
    assert (delivery["state"], len(delivery["attempts"])) == ("delivered", 1)


async def test_workers_that_claim_at_once_never_get_the_same_delivery(
    user: Client, subscribe: Subscribe, deliver: Deliver, make_calls: Any, clock: Clock, voicera_app: Running
) -> None:
    await subscribe(user)
    await subscribe(user)
    await make_calls(user, 20)
    found = await asyncio.gather(*(claim(voicera_app, clock) for _ in range(4)))
    claimed = [(each.webhook_id, each.id) for batch in found for each in batch]
    assert len(claimed) == len(set(claimed)) <= 40
    while batch := await claim(voicera_app, clock):
        claimed += [(each.webhook_id, each.id) for each in batch]
    assert len(claimed) == len(set(claimed)) == 40


async def claim(app: Running, clock: Clock, busy: list[UUID] | None = None) -> list[outbox.Claimed]:
    async with app.resources.db.connection() as connection:
        return await outbox.claim(
            connection, clock.now, clock.now + courier.LEASE, busy=busy or [], most=100, most_each=8
        )


async def test_a_slow_receiver_keeps_nobody_elses_waiting(
    user: Client, neighbour: Client, receiver: Receiver, subscribe: Subscribe, make_calls: Any, voicera_app: Running
) -> None:
    """A backlog takes eight of the places a worker has; what others are sent meanwhile passes it by."""
    release = asyncio.Event()
    slow, quick = web.Application(), await subscribe(neighbour)

    async def wait(request: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    slow.router.add_post("/hook", wait)
    runner = web.AppRunner(slow, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await subscribe(user, url=f"http://127.0.0.1:{runner.addresses[0][1]}/hook")
    await make_calls(user, 100)
    await neighbour.post("/call-logs/batch", [{"phone_number": "+1234567890", "status": "busy"}] * 50)
    turn = asyncio.create_task(courier.turn(voicera_app.resources))
    await eventually(lambda: len(receiver.received) == 50)
    flying = list(voicera_app.resources.state[courier.STATE].flying.values())
    assert 0 < len(flying) - flying.count(UUID(quick["id"])) <= courier.MOST_EACH
    release.set()
    assert await asyncio.wait_for(turn, 20) == 150
    await runner.cleanup()


async def test_a_failing_webhook_is_switched_off_after_days(
    user: Client, receiver: Receiver, subscribe: Subscribe, deliver: Deliver, make_calls: Any, clock: Clock
) -> None:
    webhook = await subscribe(user)
    receiver.answers = [500] * 3
    began = clock.now
    for days in (0, 4, 2):
        clock.move(days=days)
        assert (await user.get(f"/webhooks/{webhook['id']}")).data["active"] is True
        await user.post(f"/webhooks/{webhook['id']}/test")
        async with asyncio.timeout(10):
            await deliver()
        if days == 4:
            receiver.answers = [500] * 10
    off = (await user.get(f"/webhooks/{webhook['id']}")).data
    assert off["active"] is False
    assert f"no delivery has succeeded since {began.astimezone(UTC):%Y-%m-%d %H:%M} UTC" in off["reason"]
    assert await deliver() == 0
    calls = len(receiver.received)
    receiver.answers = []
    on = (await user.patch(f"/webhooks/{webhook['id']}", {"active": True})).data
    assert (on["active"], on["reason"], on["failing_since"]) == (True, None, None)
    clock.move(days=2)
    assert await deliver() > 0  # what waited is sent
    assert len(receiver.received) > calls


async def test_410_gone_switches_a_webhook_off_at_once(
    user: Client, receiver: Receiver, subscribe: Subscribe, deliver: Deliver, make_calls: Any
) -> None:
    webhook = await subscribe(user)
    receiver.answers = [410]
    await make_calls(user)
    await deliver()
    off = (await user.get(f"/webhooks/{webhook['id']}")).data
    assert (off["active"], off["reason"]) == (False, "the receiver answered 410 Gone")


async def test_redirects_are_not_followed(
    user: Client, receiver: Receiver, subscribe: Subscribe, deliver: Deliver, make_calls: Any
) -> None:
    webhook = await subscribe(user)
    receiver.answers = [web.Response(status=302, headers={"Location": receiver.url})]
    await make_calls(user)
    await deliver()
    assert len(receiver.received) == 1
    (delivery,) = await deliveries(user, webhook)
    assert delivery["attempts"][0]["error"] == "the answer is 302, not 2xx"


async def test_of_an_answer_only_the_first_kibibyte_is_kept(
    user: Client, receiver: Receiver, subscribe: Subscribe, deliver: Deliver, make_calls: Any
) -> None:
    webhook = await subscribe(user)
    receiver.answers = [
        web.Response(status=400, body=b"\0\xff" + b"x" * 5_000_000),
        web.Response(status=200, body=b"\x1f\x8b" + b"0" * 10, headers={"Content-Encoding": "gzip"}),
    ]
    await make_calls(user, 2)
    await deliver()
    kept = {len(each["attempts"][0]["response"]) for each in await deliveries(user, webhook)}
    assert kept == {1024, 12}


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        ("hangs", "no answer within 10 seconds"),
        ("trickles", "no answer within 10 seconds"),
        ("closes", "the connection broke"),
        ("babbles", "the answer is not HTTP"),
        ("is away", "cannot connect"),
        ("speaks no TLS", "TLS fails: is the certificate valid for this name?"),
    ],
)
async def test_a_receiver_that_misbehaves_is_a_failure_in_plain_words(
    user: Client,
    subscribe: Subscribe,
    deliver: Deliver,
    voicera_app: Running,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: str,
    error: str,
) -> None:
    session = voicera_app.resources.state[courier.STATE].session
    monkeypatch.setattr(session, "_timeout", aiohttp.ClientTimeout(total=0.3))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(100)
            if behaviour in ("babbles", "speaks no TLS"):
                writer.write(b"220 mail.example.com ESMTP\r\n")
            elif behaviour == "trickles":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
                while True:
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(0.05)
            elif behaviour == "hangs":
                await reader.read()
        except ConnectionError:
            pass  # the courier has hung up
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    if behaviour == "is away":
        server.close()
    scheme = "https" if behaviour == "speaks no TLS" else "http"
    webhook = await subscribe(user, url=f"{scheme}://127.0.0.1:{port}/")
    await user.post(f"/webhooks/{webhook['id']}/test")
    assert await deliver() == 1
    (delivery,) = await deliveries(user, webhook)
    (attempt,) = delivery["attempts"]
    assert (delivery["state"], attempt["error"]) == ("waiting", error)
    server.close()


async def test_after_a_rotation_both_secrets_sign_for_a_day(
    user: Client, receiver: Receiver, subscribe: Subscribe, deliver: Deliver, clock: Clock
) -> None:
    webhook = await subscribe(user)
    one = f"/webhooks/{webhook['id']}"
    new = (await user.post(f"{one}/rotate-secret")).data["secret"]
    for _ in range(2):
        await user.post(f"{one}/test")
        await deliver()
        clock.move(hours=25)
    during, after = receiver.received
    assert during.signed_by(new) and during.signed_by(webhook["secret"])
    assert after.signed_by(new) and not after.signed_by(webhook["secret"])


async def test_old_deliveries_are_deleted(
    user: Client, subscribe: Subscribe, deliver: Deliver, make_calls: Any, clock: Clock, voicera_app: Running
) -> None:
    webhook = await subscribe(user)
    await make_calls(user, 3)
    await deliver()
    clock.move(days=20)
    await user.post(f"/webhooks/{webhook['id']}/test")
    assert await courier.forget_old(voicera_app.resources) == 0
    clock.move(days=11)
    assert await courier.forget_old(voicera_app.resources) == 3
    assert [each["type"] for each in await deliveries(user, webhook)] == ["webhook.test"]


async def test_a_delivery_that_waits_can_be_sent_at_once_and_one_under_way_is_left_alone(
    user: Client, receiver: Receiver, subscribe: Subscribe, deliver: Deliver, clock: Clock, voicera_app: Running
) -> None:
    webhook = await subscribe(user)
    delivery = (await user.post(f"/webhooks/{webhook['id']}/test")).data
    path = f"/webhooks/{webhook['id']}/deliveries/{delivery['id']}"
    receiver.answers = [500] * 3
    for delay in (0, 10, 40):
        clock.move(seconds=delay)
        assert await deliver() == 1
    assert await deliver() == 0  # it would wait for two minutes
    assert (await user.post(f"{path}/resend")).status == 202
    (held,) = await claim(voicera_app, clock)
    before: Mapping[str, Any] = (await user.get(path)).data
    assert (await user.post(f"{path}/resend")).data["next_try_at"] == before["next_try_at"]
    assert held.tries == 1
