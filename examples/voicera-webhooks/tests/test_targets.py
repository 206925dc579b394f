"""Nobody reaches a private address through a webhook: a real listener must see no connection."""

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from conftest import DEVELOPMENT, deliveries
from voicera import Settings
from voicera.testing import Client, Running, eventually

from voicera_webhooks.queries.outbox import Claimed
from voicera_webhooks.service import sending, signing, targets

GUARDED = {
    **DEVELOPMENT,
    "VOICERA_WEBHOOKS_ALLOW_PRIVATE": "false",
    "VOICERA_WEBHOOKS_POLL_SECONDS": "0.1",
}
# Ways to write this machine: the first ones end at the listener if nothing stops them.
LOCAL = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0x0.0x0.0x1",
    "0x7F.1",
    "017700000001",
    "0177.0.0.1",
    "0177.0.0.01",
    "127.0.0.1.",
    "127.255.255.254",
    "0.0.0.0",
    "0",
    "localhost",
    "LocalHost",
    "localhost.",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "\uff11\uff12\uff17.\uff10.\uff10.\uff11",  # full-width digits
    "127\u30020.0.1",  # an ideographic full stop
    "\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3",  # letters in circles
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "169.254.169.254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "198.18.0.1",
    "203.0.113.7",
    "224.0.0.1",
    "255.255.255.255",
    "100.64.0.1",
]
PRIVATE = [
    *("0.0.0.0", "0.1.2.3", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1", "169.254.0.1"),
    *("172.16.0.0", "172.31.255.255", "192.0.2.1", "192.88.99.1", "192.168.255.255", "198.19.255.255"),
    *("198.51.100.1", "203.0.113.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::2", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"),
    *("100::1", "2001::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:a00:1::", "2002:808:808::"),
    *("3fff::1", "5f00::1", "fc00::1", "fdff::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1"),
]
PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"),
    *("128.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "223.255.255.255"),
    *("2606:4700:4700::1111", "2001:4860:4860::8888", "2a00::1", "::ffff:8.8.8.8", "64:ff9b::808:808"),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not targets.is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_not(address: str) -> None:
    assert targets.is_public(address)


@pytest.fixture
async def guarded(voicera_apps: Any) -> Running:
    """The application as it is without VOICERA_WEBHOOKS_ALLOW_PRIVATE."""
    app: Running = await voicera_apps.get(GUARDED)
    return app


@pytest.fixture
async def listener() -> AsyncIterator[tuple[int, list[Any]]]:
    """A port on which every address of this machine listens, and the connections that came."""
    came: list[Any] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(writer.get_extra_info("peername"))
        writer.close()

    listening = socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    server = await asyncio.start_server(note, sock=listening)
    yield listening.getsockname()[1], came
    server.close()


def claimed(url: str) -> Claimed:
    now = datetime.now(UTC)
    return Claimed(uuid4(), uuid4(), uuid4(), "{}", 1, now, url, signing.new_secret(), None, None, None)


async def post(app: Running, url: str, **options: Any) -> str | None:
    """Send past what is said of the URL, through the connector alone; the error."""
    connector = targets.connector(app.resources.settings)
    for name, value in options.items():
        setattr(connector, name, value)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=5)) as session:
        try:
            await sending._post(session, claimed(url), datetime.now(UTC))
        except (aiohttp.ClientError, OSError, ValueError) as raised:
            return sending._said(raised)
    return None


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", LOCAL)
async def test_no_way_to_write_it_reaches_this_machine(
    guarded: Running, listener: tuple[int, list[Any]], monkeypatch: pytest.MonkeyPatch, host: str, scheme: str
) -> None:
    """The connector alone stops it, and no socket is made."""
    port, came = listener
    made: list[Any] = []
    monkeypatch.setattr(targets.socket, "socket", lambda *of_what: made.append(of_what))
    assert await post(guarded, f"{scheme}://{host}:{port}/") is not None
    assert made == []
    assert came == []


async def test_a_webhook_to_this_machine_cannot_be_made_or_is_never_sent(
    guarded: Running, listener: tuple[int, list[Any]]
) -> None:
    """Through the whole application, by its own loop: either the URL is refused, or every delivery to it fails."""
    port, came = listener
    user = await guarded.client.new_user()
    errors = set()
    for host in LOCAL:
        made = await user.post("/webhooks", {"url": f"http://{host}:{port}/", "events": ["call.recorded"]})
        assert made.status in (201, 422), made.content
        if made.status == 201:
            await user.post(f"/webhooks/{made.data['id']}/test")
            delivery = await eventually(partial(tried, user, made.data))
            (attempt,) = delivery["attempts"]
            assert attempt["status"] is None
            errors.add(attempt["error"])
            await user.delete(f"/webhooks/{made.data['id']}")
    assert errors == {targets.NOT_PUBLIC, "the URL is not valid"}
    assert came == []


async def tried(user: Client, webhook: dict[str, Any]) -> dict[str, Any] | None:
    """The delivery of a webhook that has one, when it has been tried."""
    (delivery,) = await deliveries(user, webhook)
    return delivery if delivery["attempts"] else None


async def test_the_listener_is_reached_where_private_addresses_are_allowed(
    voicera_app: Running, listener: tuple[int, list[Any]]
) -> None:
    port, came = listener
    await post(voicera_app, f"http://127.0.0.1:{port}/")
    assert len(came) == 1


class Rebinding(AbstractResolver):
    """A name server that answers another address each time."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self.answers.pop(0)
        ]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    "answers",
    [
        (["93.184.216.34"], ["127.0.0.1"]),
        (["2606:4700::1"], ["::1"]),
        (["93.184.216.34", "127.0.0.1"], ["127.0.0.1", "93.184.216.34"]),
        (["2606:4700::1", "127.0.0.1"], ["::ffff:127.0.0.1"]),
    ],
)
async def test_a_name_that_is_rebound_to_this_machine_reaches_nothing(
    guarded: Running, listener: tuple[int, list[Any]], monkeypatch: pytest.MonkeyPatch, answers: tuple[list[str], ...]
) -> None:
    """The address that is checked is the one that is connected to, so there is no moment between the two."""
    port, came = listener
    tried: list[str] = []

    def public(where: Any) -> socket.socket:
        """As `open_public`, but what it lets through gets no further: tests stay on this machine."""
        made = targets.open_public(where)
        made.close()
        tried.append(where[4][0])
        raise ConnectionRefusedError("a test sends nothing out")

    resolver = Rebinding(*answers)
    connector = aiohttp.TCPConnector(socket_factory=public, resolver=resolver, use_dns_cache=False)
    async with aiohttp.ClientSession(connector=connector) as session:
        for _ in answers:
            with pytest.raises(aiohttp.ClientError):
                await sending._post(session, claimed(f"http://rebound.example:{port}/"), datetime.now(UTC))
    assert resolver.answers == []
    assert tried
    assert set(tried) <= {"93.184.216.34", "2606:4700::1"}
    assert came == []


async def test_https_is_asked_for_and_private_addresses_are_refused_by_default(guarded: Running) -> None:
    from core.app import discover

    settings: Settings = discover(environ={})[0]
    assert targets.refusal("http://hooks.example.com/", settings) == "must begin with https://"
    assert targets.refusal("https://hooks.example.com/", settings) is None
    assert targets.refusal("https://b\u00fccher.example/", settings) is None
    for host in ("10.1.2.3", "[::1]", "localhost", "a.localhost.", "metadata.google.internal", "printer.local"):
        assert "is not a public address" in (targets.refusal(f"https://{host}/", settings) or ""), host


async def test_settings_that_became_stricter_hold_for_old_webhooks(guarded: Running) -> None:
    """What is sent is checked again: a webhook may be older than the settings."""
    settings = guarded.resources.settings
    async with aiohttp.ClientSession(connector=targets.connector(settings)) as session:
        outcome = await sending.send(session, settings, claimed("https://127.0.0.1/"), datetime.now(UTC))
    assert (outcome.status, outcome.error) == (
        None,
        "must be a public address; 127.0.0.1 is not a public address",
    )
