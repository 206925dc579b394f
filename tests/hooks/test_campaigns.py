"""The examples of the campaigns' hooks do what docs/hooks.md says, in a running application."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import asyncpg

from core.database import connect_options
from plugins.campaigns.service import clock
from voicera.testing import Client, Running, a_call

MakeCampaign = Callable[..., Awaitable[dict[str, Any]]]


def after(**parts: float) -> str:
    return (datetime.now(UTC) + timedelta(**parts)).isoformat()


async def test_campaign_launching(user: Client, make_campaign: MakeCampaign) -> None:
    """Premium-rate numbers leave the campaign with the reason, and one that would run too long is not launched."""
    numbers = ["+1234567890", "+19005550100"]
    campaign = await make_campaign(user, "launch", phone_numbers=numbers)
    shown = (await user.get(f"/campaigns/{campaign['id']}")).data
    assert (shown["status"], shown["phone_numbers"]) == ("active", numbers[:1])
    long = await make_campaign(user, end_time=after(days=93))
    refused = await user.post(f"/campaigns/{long['id']}/launch")
    assert (refused.status, refused.code, refused.error["details"]) == (409, "DURATION_001", "92 days at most")
    assert (await user.get(f"/campaigns/{long['id']}")).data["status"] == "draft"


async def test_campaign_moving(app: Running, user: Client, make_campaign: MakeCampaign) -> None:
    """A dialer hears of the transitions that are committed, and not of one that is refused."""
    heard: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    dialer = await asyncpg.connect(**connect_options(app.resources.settings))
    try:
        await dialer.add_listener("campaigns", lambda *said: heard.put_nowait(json.loads(said[-1])))
        long = await make_campaign(user, end_time=after(days=93))
        assert (await user.post(f"/campaigns/{long['id']}/launch")).status == 409
        campaign = await make_campaign(user, "launch", "pause")
        async with asyncio.timeout(10):
            assert [await heard.get(), await heard.get()] == [
                {"id": campaign["id"], "status": "active"},
                {"id": campaign["id"], "status": "paused"},
            ]
    finally:
        await dialer.close()


async def test_campaign_scheduled(app: Running, user: Client, neighbour: Client, make_campaign: MakeCampaign) -> None:
    """The agenda lists whose start is to come, the next one first, for each owner apart."""
    for name, days in (("Summer", 9), ("Spring", 3)):
        await make_campaign(user, "schedule", name=name, start_time=after(days=days))
    await make_campaign(neighbour, "schedule", name="Theirs", start_time=after(days=1))
    await make_campaign(user, name="Draft", start_time=after(days=1))
    await app.settled()
    assert (await user.get("/agenda")).data == ["Spring", "Summer"]


async def test_campaign_launched(app: Running, user: Client, make_campaign: MakeCampaign) -> None:
    """A campaign that was launched waits in the queue of the dialers."""
    cache = app.resources.cache.require()
    await app.settled()
    await cache.delete(["dialer:start"])
    campaign = await make_campaign(user, "launch", max_concurrent_calls=5)
    await app.settled()
    expected = {"id": campaign["id"], "agent": campaign["agent_id"], "at_once": 5}
    assert [json.loads(each) for each in await cache.lrange("dialer:start", 0, -1)] == [expected]


async def test_campaign_paused(app: Running, user: Client, make_campaign: MakeCampaign) -> None:
    """The mark stands in the cache for a campaign that was paused, and for no other."""
    campaigns = [await make_campaign(user, "launch"), await make_campaign(user, "launch", "pause")]
    await app.settled()
    marks = [await app.resources.cache.require().exists([f"dialer:paused:{each['id']}"]) for each in campaigns]
    assert marks == [0, 1]


async def test_campaign_resumed(app: Running, user: Client, neighbour: Client, make_campaign: MakeCampaign) -> None:
    """Each resumption is counted, for each owner apart."""
    await make_campaign(user, "launch", "pause", "resume", "pause", "resume", name="Spring")
    await make_campaign(user, "launch", name="Summer")
    await app.settled()
    assert (await user.get("/resumptions")).data == {"Spring": 2}
    assert (await neighbour.get("/resumptions")).data == {}


async def test_campaign_stopped(app: Running, user: Client, make_campaign: MakeCampaign) -> None:
    """Whoever listens at the cache hears which campaign was cancelled."""
    async with app.resources.cache.require().pubsub(channels=["dialer:hang-up"], subscription_timeout=30) as dialer:
        campaign = await make_campaign(user, "launch", "stop")
        async with asyncio.timeout(10):
            async for message in dialer:
                if message["type"] == "message":
                    break
    assert message["data"] == campaign["id"].encode()


async def test_campaign_completed(app: Running, user: Client, neighbour: Client, make_campaign: MakeCampaign) -> None:
    """When the end has come, the campaign's owner finds its report."""
    end = datetime.now(UTC) + timedelta(days=2)
    campaign = await make_campaign(user, "launch", name="Short", end_time=end.isoformat())
    assert (await user.post("/call-logs", a_call(campaign_id=campaign["id"]))).status == 201
    path = f"/campaign-reports/{campaign['id']}"
    assert (await user.get(path)).data is None
    assert await clock.turn(replace(app.resources, now=lambda: end)) >= 1
    await app.settled()
    assert (await user.get(path)).data == "Short: 1 numbers, 1 calls"
    assert (await neighbour.get(path)).data is None


async def test_campaigns_changed(app: Running, user: Client, make_campaign: MakeCampaign) -> None:
    """The name in the cache follows the campaign."""

    async def name() -> bytes | None:
        await app.settled()
        return await app.resources.cache.require().hget(f"campaign:{campaign['id']}", "name")

    campaign = await make_campaign(user, name="Spring")
    assert await name() == b"Spring"
    assert (await user.patch(f"/campaigns/{campaign['id']}", {"name": "Summer"})).status == 200
    assert await name() == b"Summer"
    assert (await user.delete(f"/campaigns/{campaign['id']}")).status == 204
    assert await name() == b"(deleted)"


async def test_require_agent(without_agents: Running, make_campaign: MakeCampaign) -> None:
    """A campaign may have one of the agents that the plugin knows, and no other."""
    user = await without_agents.client.new_user()
    owner_id = UUID(user.user["user"]["id"])
    made = await make_campaign(user, agent_id=str(uuid5(owner_id, "sales")))
    refused = await user.patch(f"/campaigns/{made['id']}", {"agent_id": str(uuid5(owner_id, "nobody"))})
    assert (refused.status, refused.code) == (404, "STOCK_001")
    assert (await user.get(f"/campaigns/{made['id']}")).data["agent_id"] == made["agent_id"]


async def test_agent_status(without_agents: Running, make_campaign: MakeCampaign) -> None:
    """A campaign whose agent the plugin calls active is launched, and one with a retired agent is not."""
    user = await without_agents.client.new_user()
    owner_id = UUID(user.user["user"]["id"])
    await make_campaign(user, "launch", agent_id=str(uuid5(owner_id, "support")))
    made = await make_campaign(user, agent_id=str(uuid5(owner_id, "sales")))
    refused = await user.post(f"/campaigns/{made['id']}/launch")
    assert (refused.status, refused.code, refused.error["details"]) == (
        409,
        "CAMPAIGN_002",
        "its agent is archived, not active",
    )
