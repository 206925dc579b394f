"""What the tests share: a real receiver, an application that may send to it, and no loop that sends by itself."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import pytest
from aiohttp import web
from plugins.calls.hookspecs import CallsRecorded
from plugins.campaigns.hookspecs import CampaignEvent
from voicera import Connection, PermissionDenied, hookimpl
from voicera.testing import Client, Running

from voicera_webhooks.service import courier

ALL_EVENTS = ["call.recorded", "call.changed", "call.deleted"]
DEVELOPMENT = {
    "VOICERA_WEBHOOKS_ALLOW_PRIVATE": "true",
    "VOICERA_WEBHOOKS_ALLOW_HTTP": "true",
    "VOICERA_WEBHOOKS_POLL_SECONDS": "3600",
}
REFUSED = "refuse this"
WRITTEN = "SELECT count(*) FROM webhook_deliveries WHERE owner_id = $1"


@dataclass
class Message:
    """A request that the receiver got."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def signed_by(self, secret: str) -> bool:
        """Verify as the specification says, with code of our own."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        content = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        wanted = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        return wanted in self.headers["webhook-signature"].split(" ")


@dataclass
class Receiver:
    """An HTTP server that answers as `answers` says, one after the other, and then 204."""

    url: str = ""
    received: list[Message] = field(default_factory=list)
    answers: list[web.Response | int] = field(default_factory=list)
    held: asyncio.Event | None = None

    async def take(self, request: web.Request) -> web.Response:
        self.received.append(Message(dict(request.headers), await request.read()))
        answer = self.answers.pop(0) if self.answers else 204
        if self.held is not None:
            await self.held.wait()
        return answer if isinstance(answer, web.Response) else web.Response(status=answer)

    def types(self) -> list[str]:
        return [message.json["type"] for message in self.received]


@pytest.fixture(scope="session")
def voicera_environ() -> Mapping[str, str]:
    return DEVELOPMENT


@pytest.fixture(scope="session")
def voicera_plugins() -> list[ModuleType]:
    """Beside ours another plugin, called after it, that refuses certain calls and campaigns."""

    @hookimpl
    async def calls_recording(connection: Connection, batch: CallsRecorded) -> None:
        if any(call.log.summary == REFUSED for call in batch.calls):
            written = await connection.fetchval(WRITTEN, batch.owner_id)
            raise PermissionDenied(f"{written} deliveries were written")

    @hookimpl
    async def campaign_moving(connection: Connection, campaign: CampaignEvent) -> None:
        if campaign.name == REFUSED:
            raise PermissionDenied(f"{await connection.fetchval(WRITTEN, campaign.owner_id)} deliveries were written")

    veto = ModuleType("veto")
    vars(veto).update(calls_recording=calls_recording, campaign_moving=campaign_moving)
    return [veto]


@pytest.fixture
async def user(user: Client) -> Client:
    """A client with an API key: tests move the clock by days, and a token lives for one."""
    made = await user.post("/auth/api-keys", {"name": "tests", "scopes": ["*"]})
    return replace(user, token=made.data["key"])


@pytest.fixture
async def receiver(voicera_app: Running) -> AsyncIterator[Receiver]:
    """A receiver on a port of its own."""
    found = Receiver()
    app = web.Application()
    app.router.add_post("/hook", found.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield found
    finally:
        if found.held is not None:
            found.held.set()
        await runner.cleanup()


@pytest.fixture
async def subscribe(voicera_app: Running, receiver: Receiver) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """Make a webhook that sends to the receiver. What a test leaves undelivered is taken away."""

    async def make(client: Client, *events: str, url: str | None = None) -> Any:
        made = await client.post("/webhooks", {"url": url or receiver.url, "events": events or ALL_EVENTS})
        assert made.status == 201, made.content
        return made.data

    yield make
    async with voicera_app.resources.db.connection() as connection:
        await connection.execute("DELETE FROM webhook_deliveries")


@pytest.fixture
async def deliver(voicera_app: Running) -> Callable[[], Awaitable[int]]:
    """Let the courier take its turn; how many attempts it made."""
    return lambda: courier.turn(voicera_app.resources)


async def deliveries(client: Client, webhook: Mapping[str, Any], **filters: Any) -> list[dict[str, Any]]:
    """The deliveries of a webhook, newest first, each with its attempts."""
    path = f"/webhooks/{webhook['id']}/deliveries"
    items = (await client.get(path, params=filters)).data["items"]
    return [(await client.get(f"{path}/{item['id']}")).data for item in items]
