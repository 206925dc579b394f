"""The clock: scheduled campaigns start, live ones end, by one worker at a time, whatever stands in the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from core.app import discover
from core.database import connect_options
from core.migrations import migrate
from core.settings import Settings
from plugins.campaigns import states
from plugins.campaigns.hookspecs import CampaignEvent, CampaignNumbers
from plugins.campaigns.queries import moves
from plugins.campaigns.service import clock
from voicera import Connection, PermissionDenied, Resources, hookimpl
from voicera.testing import Client, Running, eventually, fresh_database, running_app, settings_for_tests

Make = Callable[..., Awaitable[dict[str, Any]]]
NOW = datetime.now(UTC).replace(microsecond=0)
START, END = NOW + timedelta(days=1), NOW + timedelta(days=2)
TIMES = {"start_time": START.isoformat(), "end_time": END.isoformat()}


class Listener:
    """A plugin that hears of every transition, and vetoes the start of campaigns with some names."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, CampaignEvent]] = []
        self.vetoed: set[str] = set()
        self.broken: set[str] = set()
        self.suppressed: dict[str, str] = {}

    def module(self) -> ModuleType:
        module = ModuleType("campaigns_listener")
        for name in {each.event for each in states.TRANSITIONS}:
            vars(module)[name] = hookimpl(self.hears(name))
        heard = self

        @hookimpl
        async def campaign_launching(connection: Connection, campaign: CampaignEvent, numbers: CampaignNumbers) -> None:
            numbers.suppress(heard.suppressed)
            if campaign.name in heard.vetoed:
                raise PermissionDenied("not today")
            if campaign.name in heard.broken:
                await connection.execute("SELECT 1 / 0")

        vars(module)["campaign_launching"] = campaign_launching
        return module

    def hears(self, name: str) -> Callable[..., Awaitable[None]]:
        async def hear(resources: Resources, campaign: CampaignEvent) -> None:
            self.heard.append((name, campaign))

        return hear


@pytest.fixture(scope="module")
async def database(servers: Settings) -> dict[str, str]:
    """An environment of its own: a clock that is set forward moves campaigns of every owner."""
    environ = settings_for_tests(await fresh_database(servers), {"VOICERA_CAMPAIGN_SCHEDULE_SECONDS": "3600"})
    await migrate(*discover(environ=environ))
    return environ


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
async def app(database: dict[str, str], listener: Listener) -> AsyncIterator[Running]:
    async with running_app(database, plugins=[listener.module()], migrated=True) as running:
        yield running


def at(app: Running, moment: datetime) -> Resources:
    return replace(app.resources, now=lambda: moment)


async def acted(client: Client, campaign: dict[str, Any], *actions: str) -> dict[str, Any]:
    for action in actions:
        answer = await client.post(f"/campaigns/{campaign['id']}/{action}")
        assert answer.status == 200, answer.content
    return campaign


async def shown(client: Client, campaign: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = (await client.get(f"/campaigns/{campaign['id']}")).data
    return data


def written(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def test_a_start_asks_whom_not_to_call_and_stays_scheduled_while_nobody_is_left(
    app: Running, make: Make, listener: Listener
) -> None:
    user = await app.client.new_user()
    numbers = ["+1234567890", "+1234567891"]
    campaign = await acted(user, await make(user, **TIMES, phone_numbers=numbers), "schedule")
    path = f"/campaigns/{campaign['id']}"
    listener.suppressed = dict.fromkeys(numbers, "asked not to be called")
    assert await clock.turn(at(app, START)) == 0
    assert (await shown(user, campaign))["status"] == "scheduled"
    assert (await user.get(f"{path}/suppressed-numbers")).data["items"] == []
    del listener.suppressed[numbers[0]]
    assert await clock.turn(at(app, START)) == 1
    active = await shown(user, campaign)
    assert (active["status"], active["phone_numbers"], active["phone_number_count"]) == ("active", numbers[:1], 1)
    kept = {"phone_number": numbers[1], "reason": "asked not to be called", "suppressed_at": written(START)}
    assert (await user.get(f"{path}/suppressed-numbers")).data["items"] == [kept]
    await acted(user, campaign, "stop")


async def test_a_scheduled_campaign_starts_at_its_time_and_ends_at_its_time(
    app: Running, make: Make, listener: Listener
) -> None:
    user = await app.client.new_user()
    campaign = await acted(user, await make(user, **TIMES), "schedule")
    assert await clock.turn(at(app, START - timedelta(milliseconds=1))) == 0
    assert (await shown(user, campaign))["status"] == "scheduled"
    assert await clock.turn(at(app, START)) == 1
    active = await shown(user, campaign)
    assert (active["status"], active["launched_at"]) == ("active", written(START))
    assert await clock.turn(at(app, END - timedelta(milliseconds=1))) == 0
    assert await clock.turn(at(app, END)) == 1
    done = await shown(user, campaign)
    assert (done["status"], done["completed_at"]) == ("completed", written(END))
    assert await clock.turn(at(app, END + timedelta(days=9))) == 0
    await eventually(lambda: len(listener.heard) == 3)
    told = [(name, event.action, event.status, event.at) for name, event in listener.heard]
    assert told[1:] == [
        ("campaign_launched", "start", "active", START),
        ("campaign_completed", "complete", "completed", END),
    ]
    assert listener.heard[1][1] == CampaignEvent(
        owner_id=UUID(user.user["id"]),
        id=UUID(campaign["id"]),
        action="start",
        at=START,
        status="active",
        name="Spring",
        agent_id=UUID(campaign["agent_id"]),
        phone_number_count=1,
        start_time=START,
        end_time=END,
        max_concurrent_calls=None,
    )


async def test_a_paused_campaign_completes_and_one_that_never_started_is_cancelled(app: Running, make: Make) -> None:
    user = await app.client.new_user()
    paused = await acted(user, await make(user, **TIMES), "launch", "pause")
    late = await acted(user, await make(user, **TIMES), "schedule")
    draft = await make(user, **TIMES)
    assert await clock.turn(at(app, END)) == 2
    assert (await shown(user, paused))["status"] == "completed"
    expired = await shown(user, late)
    assert (expired["status"], expired["cancelled_at"], expired["launched_at"]) == ("cancelled", written(END), None)
    assert (await shown(user, draft)) == draft


async def test_who_cannot_start_waits_and_does_not_stand_in_the_way(
    app: Running, make: Make, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "BATCH", 2)
    user = await app.client.new_user()
    listener.vetoed.add("Vetoed")
    listener.broken.add("Broken")
    waiting = [await acted(user, await make(user, **TIMES, name=name), "schedule") for name in ("Vetoed", "Broken")]
    idle = await acted(user, await make(user, **TIMES), "schedule")
    await user.patch(f"/agents/{idle['agent_id']}", {"status": "inactive"})
    good = [await acted(user, await make(user, **TIMES), "schedule") for _ in range(4)]
    assert await clock.turn(at(app, START)) == 4
    assert {(await shown(user, each))["status"] for each in good} == {"active"}
    assert {(await shown(user, each))["status"] for each in (*waiting, idle)} == {"scheduled"}
    listener.vetoed.clear()
    listener.broken.clear()
    await user.patch(f"/agents/{idle['agent_id']}", {"status": "active"})
    assert await clock.turn(at(app, START)) == 3
    assert await clock.turn(at(app, END)) == 7


async def test_of_many_clocks_one_does_the_work_and_no_campaign_is_moved_twice(
    app: Running, make: Make, listener: Listener
) -> None:
    user = await app.client.new_user()
    agent_id = (await user.post("/agents", {"name": "One"})).data["id"]
    for _ in range(20):
        await acted(user, await make(user, **TIMES, agent_id=agent_id), "schedule")
    assert sum(await asyncio.gather(*(clock.turn(at(app, START)) for _ in range(6)))) == 20
    answer = await user.get("/campaigns?status=active&limit=100")
    assert answer.data["total"] == 20
    await app.settled()
    events = [event.id for name, event in listener.heard if name == "campaign_launched"]
    assert len(set(events)) == len(events) == 20
    assert await clock.turn(at(app, END)) == 20


async def test_a_clock_that_dies_leaves_the_work_to_the_next(app: Running, make: Make) -> None:
    user = await app.client.new_user()
    campaign = await acted(user, await make(user, **TIMES), "schedule")
    leader: Any = await asyncpg.connect(**connect_options(app.resources.settings))
    await leader.transaction().start()
    assert await moves.lead(leader)
    assert await clock.turn(at(app, START)) == 0
    async with app.resources.db.connection() as killer:
        await killer.execute("SELECT pg_terminate_backend($1)", leader.get_server_pid())
    leader.terminate()
    await eventually(lambda: clock.turn(at(app, START)))
    assert (await shown(user, campaign))["status"] == "active"
    await clock.turn(at(app, END))


async def test_a_worker_runs_the_clock_by_itself(database: dict[str, str], make: Make) -> None:
    async with running_app({**database, "VOICERA_CAMPAIGN_SCHEDULE_SECONDS": "0.1"}, migrated=True) as app:
        user = await app.client.new_user()
        soon = datetime.now(UTC) + timedelta(seconds=3)  # long enough to schedule it on a busy machine
        times = {"start_time": soon.isoformat(), "end_time": (soon + timedelta(seconds=1)).isoformat()}
        campaign = await acted(user, await make(user, **times), "schedule")

        async def completed() -> bool:
            return bool((await shown(user, campaign))["status"] == "completed")

        await eventually(completed)
        assert (await shown(user, campaign))["launched_at"] >= written(soon)


@pytest.mark.parametrize("transition", [each for each in states.TRANSITIONS if each.due], ids=lambda each: each.action)
async def test_what_is_due_is_found_by_an_index(app: Running, transition: states.Transition) -> None:
    async with app.resources.db.tx() as connection:
        await connection.execute("SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off")
        await connection.execute("SET LOCAL enable_bitmapscan = off; SET LOCAL plan_cache_mode = force_generic_plan")
        rows = await connection.fetch("EXPLAIN " + moves.finding(transition), NOW, *moves.FIRST, 10)
    plan = "\n".join(row[0] for row in rows)
    assert "Sort" not in plan, plan
    assert "Index Cond" in plan, plan
