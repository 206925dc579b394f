"""The state machine over a real socket: every action in every state, what a launch needs, and who wins a race."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from plugins.campaigns import states
from plugins.campaigns.states import CHANGEABLE, TRANSITIONS
from voicera.testing import Answer, Client, Running

Make = Callable[..., Awaitable[dict[str, Any]]]
# How a draft gets into each state; `completed` is the clock's, so its state is set.
WAYS: dict[str, list[str]] = {
    "draft": [],
    "scheduled": ["schedule"],
    "active": ["launch"],
    "paused": ["launch", "pause"],
    "cancelled": ["stop"],
    "completed": ["launch", "pause"],
}
BY_REQUEST = [each for each in TRANSITIONS if not each.due]
SOON = (datetime.now(UTC) + timedelta(days=1)).isoformat()


async def act(client: Client, campaign: dict[str, Any], action: str) -> Answer:
    return await client.post(f"/campaigns/{campaign['id']}/{action}")


async def shown(client: Client, campaign: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = (await client.get(f"/campaigns/{campaign['id']}")).data
    return data


async def in_state(running: Running, client: Client, make: Make, status: str) -> dict[str, Any]:
    campaign = await make(client, start_time=SOON)
    for action in WAYS[status]:
        assert (await act(client, campaign, action)).status == 200
    if status == "completed":
        async with running.resources.db.connection() as connection:
            sql = "UPDATE campaigns SET status = 'completed' WHERE owner_id = $1 AND id = $2"
            await connection.execute(sql, UUID(client.user["id"]), UUID(campaign["id"]))
    found = await shown(client, campaign)
    assert found["status"] == status
    return found


@pytest.mark.parametrize("status", WAYS)
@pytest.mark.parametrize("transition", BY_REQUEST, ids=lambda each: each.action)
async def test_each_action_is_allowed_from_its_states_alone(
    running: Running, user: Client, make: Make, transition: states.Transition, status: str
) -> None:
    before = await in_state(running, user, make, status)
    answer = await act(user, before, transition.action)
    after = await shown(user, before)
    if status in transition.sources:
        stamp = after[transition.stamp]
        assert (answer.status, answer.data) == (200, after)
        assert after == {**before, "status": transition.to, transition.stamp: stamp, "updated_at": after["updated_at"]}
        assert datetime.fromisoformat(stamp) >= datetime.fromisoformat(before["updated_at"])
    else:
        details = f"it is {status}; {transition.action} is allowed from {', '.join(transition.sources)}"
        assert (answer.status, answer.code, answer.error["details"]) == (409, transition.error.code, details)
        assert after == before


def test_the_table_is_the_contracts() -> None:
    assert {each.action: (each.sources, each.to, each.error.code) for each in BY_REQUEST} == {
        "schedule": (("draft",), "scheduled", "CAMPAIGN_003"),
        "launch": (("draft", "scheduled", "paused"), "active", "CAMPAIGN_002"),
        "pause": (("active",), "paused", "CAMPAIGN_003"),
        "resume": (("paused",), "active", "CAMPAIGN_003"),
        "stop": (("draft", "scheduled", "active", "paused"), "cancelled", "CAMPAIGN_003"),
    }


async def test_launch_and_pause_answer_as_the_reference_shows(user: Client, make: Make) -> None:
    campaign = await make(user)
    launched = (await act(user, campaign, "launch")).data
    assert (launched["id"], launched["status"], launched["paused_at"]) == (campaign["id"], "active", None)
    assert launched["launched_at"] == launched["updated_at"]
    paused = (await act(user, campaign, "pause")).data
    assert (paused["id"], paused["status"], paused["paused_at"]) == (campaign["id"], "paused", paused["updated_at"])


class TestWhatALaunchNeeds:
    @pytest.mark.parametrize(
        ("fields", "details"),
        [
            ({"phone_numbers": []}, "it has no phone number"),
            ({"end_time": None}, "it has no end_time"),
            ({"end_time": "2024-06-30T23:59:59Z"}, "its end_time is in the past"),
        ],
    )
    async def test_the_rule_that_failed_is_named(
        self, user: Client, make: Make, fields: dict[str, Any], details: str
    ) -> None:
        campaign = await make(user, start_time=None, **fields)
        for action, code in (("launch", "CAMPAIGN_002"), ("schedule", "CAMPAIGN_003")):
            answer = await act(user, campaign, action)
            assert (answer.status, answer.code, answer.error["details"]) == (409, code, details)
        assert await shown(user, campaign) == campaign

    @pytest.mark.parametrize("status", ["inactive", "archived"])
    async def test_the_agent_must_be_active_also_to_resume(self, user: Client, make: Make, status: str) -> None:
        campaign = await make(user)
        agent = f"/agents/{campaign['agent_id']}"
        await user.patch(agent, {"status": status})
        refused = await act(user, campaign, "launch")
        expected = ("CAMPAIGN_002", f"its agent is {status}, not active")
        assert (refused.code, refused.error["details"]) == expected
        await user.patch(agent, {"status": "active"})
        assert (await act(user, campaign, "launch")).status == 200
        await act(user, campaign, "pause")
        await user.patch(agent, {"status": status})
        assert (await act(user, campaign, "resume")).code == "CAMPAIGN_003"
        assert (await act(user, campaign, "launch")).code == "CAMPAIGN_002"

    async def test_a_deleted_agent_stays_named_and_cannot_be_launched(self, user: Client, make: Make) -> None:
        campaign = await make(user)
        assert (await user.delete(f"/agents/{campaign['agent_id']}")).status == 204
        refused = await act(user, campaign, "launch")
        assert (refused.code, refused.error["details"]) == ("CAMPAIGN_002", "its agent is deleted, not active")
        assert await shown(user, campaign) == campaign

    @pytest.mark.parametrize(
        ("start", "details"),
        [(None, "it has no start_time"), ("2024-04-01T00:00:00Z", "its start_time is in the past")],
    )
    async def test_a_schedule_needs_a_start_in_the_future(
        self, user: Client, make: Make, start: str | None, details: str
    ) -> None:
        answer = await act(user, await make(user, start_time=start), "schedule")
        assert (answer.status, answer.code, answer.error["details"]) == (409, "CAMPAIGN_003", details)

    async def test_a_launch_does_not_wait_for_the_start(self, user: Client, make: Make) -> None:
        assert (await act(user, await make(user, start_time=SOON), "launch")).data["status"] == "active"


class TestChangesByState:
    @pytest.mark.parametrize("status", WAYS)
    async def test_a_field_changes_in_its_states_alone(
        self, running: Running, user: Client, make: Make, status: str
    ) -> None:
        campaign = await in_state(running, user, make, status)
        other = (await user.post("/agents", {"name": "Other"})).data["id"]
        values: dict[str, Any] = {
            "name": "New",
            "max_concurrent_calls": 7,
            "end_time": "2090-01-01T00:00:00.000Z",
            "agent_id": other,
            "phone_numbers": ["+1987654321"],
            "start_time": "2080-01-01T00:00:00.000Z",
        }
        assert values.keys() == CHANGEABLE.keys()
        for name, value in values.items():
            answer = await user.patch(f"/campaigns/{campaign['id']}", {name: value})
            if status in CHANGEABLE[name]:
                assert (answer.status, answer.data[name]) == (200, value), name
            else:
                details = f"it is {status}; {name} may change in {', '.join(CHANGEABLE[name])}"
                assert (answer.status, answer.code, answer.error["details"]) == (409, "CAMPAIGN_003", details)

    async def test_what_has_the_value_already_does_not_count_as_a_change(
        self, running: Running, user: Client, make: Make
    ) -> None:
        campaign = await in_state(running, user, make, "completed")
        same = {name: campaign[name] for name in CHANGEABLE if name != "phone_numbers"}
        assert (await user.put(f"/campaigns/{campaign['id']}", {**same, "name": "Done"})).data["name"] == "Done"

    @pytest.mark.parametrize(
        ("status", "taken"),
        [("scheduled", {"start_time": None}), ("active", {"end_time": None}), ("paused", {"phone_numbers": []})],
    )
    async def test_a_live_campaign_keeps_what_it_needs(
        self, running: Running, user: Client, make: Make, status: str, taken: dict[str, Any]
    ) -> None:
        campaign = await in_state(running, user, make, status)
        answer = await user.patch(f"/campaigns/{campaign['id']}", taken)
        details = f"it is {status}; then it must have {next(iter(taken))}"
        assert (answer.code, answer.error["details"]) == ("CAMPAIGN_003", details)


class TestRaces:
    async def test_of_twelve_simultaneous_launches_exactly_one_succeeds(self, user: Client, make: Make) -> None:
        for _ in range(5):
            campaign = await make(user)
            answers = await asyncio.gather(*(act(user, campaign, "launch") for _ in range(12)))
            assert sorted(answer.status for answer in answers) == [200, *[409] * 11]
            assert {answer.code for answer in answers} == {None, "CAMPAIGN_002"}
            details = {answer.error["details"] for answer in answers if answer.error}
            assert details == {"it is active; launch is allowed from draft, scheduled, paused"}

    async def test_many_clients_at_once_leave_a_history_that_the_table_allows(self, user: Client, make: Make) -> None:
        campaign = await make(user)
        actions = {each.action: each for each in BY_REQUEST}

        async def client(number: int) -> list[tuple[int, str]]:
            done = []
            for turn in range(15):
                action = ("launch", "pause", "resume")[(number + turn) % 3]
                answer = await act(user, campaign, action)
                assert answer.status == 200 or answer.code == actions[action].error.code, answer.content
                if answer.status == 200:
                    done.append((int(answer.headers["ETag"].strip('"')), action))
            return done

        edges = sorted(edge for done in await asyncio.gather(*map(client, range(32))) for edge in done)
        assert [version for version, _ in edges] == list(range(2, len(edges) + 2))
        status = "draft"
        for _, action in edges:
            assert status in actions[action].sources
            status = actions[action].to
        assert len(edges) > 10
        assert (await shown(user, campaign))["status"] == status

    async def test_an_agent_is_never_gone_under_a_campaign_that_was_launched(self, user: Client, make: Make) -> None:
        outcomes = set()
        for turn in range(12):
            campaign = await make(user)
            path = f"/agents/{campaign['agent_id']}"
            both = [act(user, campaign, "launch"), user.delete(path)]
            first, second = await asyncio.gather(*(both if turn % 2 else both[::-1]))
            launched, deleted = (first, second) if turn % 2 else (second, first)
            outcomes.add((launched.status, deleted.status))
            if launched.status == 200:
                assert (deleted.status, deleted.code) == (409, "CAMPAIGN_003")
            else:
                assert (launched.code, deleted.status) == ("CAMPAIGN_002", 204)
        assert outcomes <= {(200, 409), (409, 204)}

    async def test_an_agent_is_never_gone_under_a_campaign_that_moved_to_it(self, user: Client, make: Make) -> None:
        for _ in range(8):
            campaign = await make(user)
            await act(user, campaign, "launch")
            await act(user, campaign, "pause")
            other = (await user.post("/agents", {"name": campaign["id"]})).data["id"]
            moved, deleted = await asyncio.gather(
                user.patch(f"/campaigns/{campaign['id']}", {"agent_id": other}), user.delete(f"/agents/{other}")
            )
            assert (moved.status, deleted.status) in {(200, 409), (404, 204)}
