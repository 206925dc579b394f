"""What other plugins and the database see: vetoes, events, the agents' and the calls' questions, round trips."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

import pytest

from core.settings import Settings
from plugins.campaigns import states
from plugins.campaigns.hookspecs import CampaignEvent
from plugins.campaigns.queries import campaigns as queries
from plugins.campaigns.queries import moves
from voicera import Connection, PermissionDenied, Resources, hookimpl, uuid7
from voicera.testing import Client, Running, eventually, running_app, settings_for_tests, statements_of

Make = Callable[..., Awaitable[dict[str, Any]]]
PAGE = Path(__file__).parents[3] / "docs" / "campaigns.md"


@pytest.mark.parametrize("table", [states.transitions_table, states.fields_table])
def test_the_page_shows_the_table_that_the_code_goes_by(table: Callable[[], str]) -> None:
    assert table() in PAGE.read_text(), f"paste this into {PAGE.name}:\n{table()}"


def test_every_transition_has_a_hook_and_every_rule_a_sentence() -> None:
    from plugins.campaigns import hookspecs

    assert {each.event for each in states.TRANSITIONS} <= vars(hookspecs).keys()
    assert {rule for each in states.TRANSITIONS for rule in each.rules} == states.RULES.keys() == moves.RULES.keys()


class TestAgentDeleting:
    async def test_an_agent_with_live_campaigns_stays_and_the_answer_names_them(self, user: Client, make: Make) -> None:
        first = await make(user, name="Q1")
        agent = f"/agents/{first['agent_id']}"
        await user.post(f"/campaigns/{first['id']}/launch")
        refused = await user.delete(agent)
        assert (refused.status, refused.error) == (
            409,
            {
                "code": "CAMPAIGN_003",
                "message": "The campaign's state does not allow this",
                "details": "in use by live campaigns: Q1",
            },
        )
        for name in ("Q2", "Q3", "Q4", "Q5"):
            more = await make(
                user,
                name=name,
                agent_id=first["agent_id"],
                start_time="2080-01-01T00:00:00Z",
                end_time="2090-01-01T00:00:00Z",
            )
            await user.post(f"/campaigns/{more['id']}/schedule")
        assert (await user.delete(agent)).error["details"] == "in use by live campaigns: Q1, Q2, Q3 and 2 more"
        assert (await user.get(agent)).status == 200

    async def test_a_draft_and_an_ended_campaign_do_not_keep_their_agent(self, user: Client, make: Make) -> None:
        draft = await make(user)
        ended = await make(user, agent_id=draft["agent_id"])
        await user.post(f"/campaigns/{ended['id']}/launch")
        await user.post(f"/campaigns/{ended['id']}/stop")
        assert (await user.delete(f"/agents/{draft['agent_id']}")).status == 204
        assert (await user.get(f"/campaigns/{ended['id']}")).data["agent_id"] == draft["agent_id"]

    async def test_the_document_says_so(self, running: Running) -> None:
        paths = running.app.ctx.openapi.document["paths"]
        assert "CAMPAIGN_003" in str(paths["/agents/{agent_id}"]["delete"]["responses"]["409"])
        for path, method in (("/campaigns", "post"), ("/campaigns/{campaign_id}", "put")):
            assert "AGENT_001" in str(paths[path][method]["responses"]["404"])


async def test_known_campaigns_are_the_owners_only(
    running: Running, user: Client, neighbour: Client, make: Make
) -> None:
    mine, theirs = UUID((await make(user))["id"]), UUID((await make(neighbour))["id"])
    owner = UUID(user.user["id"])
    async with running.resources.db.connection() as connection:
        for asked, known in (({mine, theirs, uuid4(), uuid7()}, {mine}), (set(), set())):
            found = await running.resources.hooks.first(
                "known_campaigns", connection=connection, owner_id=owner, campaign_ids=frozenset(asked)
            )
            assert found == known


class Listener:
    """A plugin that hears of every transition, and vetoes launches while `veto` is set."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.asked: list[tuple[str, str]] = []
        self.veto = False

    def module(self) -> ModuleType:
        listener, module = self, ModuleType("campaigns_listener")

        @hookimpl
        async def campaign_launching(connection: Connection, campaign: CampaignEvent) -> None:
            listener.asked.append((campaign.action, campaign.status))
            if listener.veto:
                raise PermissionDenied("not today")

        vars(module)["campaign_launching"] = campaign_launching
        for name in {each.event for each in states.TRANSITIONS}:
            vars(module)[name] = hookimpl(self.hears(name))
        return module

    def hears(self, name: str) -> Callable[..., Awaitable[None]]:
        async def hear(resources: Resources, campaign: CampaignEvent) -> None:
            self.heard.append((name, campaign.action))

        return hear


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
async def app(stack: Settings, running: Running, listener: Listener) -> AsyncIterator[Running]:
    async with running_app(settings_for_tests(stack), plugins=[listener.module()], migrated=True) as app:
        yield app


async def test_a_plugin_hears_of_every_transition_and_may_veto_what_makes_a_campaign_active(
    app: Running, make: Make, listener: Listener
) -> None:
    user = await app.client.new_user()
    campaign = await make(user, start_time="2080-01-01T00:00:00Z", end_time="2090-01-01T00:00:00Z")
    path = f"/campaigns/{campaign['id']}"
    listener.veto = True
    refused = await user.post(f"{path}/launch")
    assert (refused.status, refused.error["details"]) == (403, "not today")
    assert (await user.get(path)).data == campaign
    listener.veto = False
    for action in ("schedule", "launch", "pause", "resume", "stop"):
        assert (await user.post(f"{path}/{action}")).status == 200
    await eventually(lambda: len(listener.heard) == 5)
    assert sorted(listener.heard) == [
        ("campaign_launched", "launch"),
        ("campaign_paused", "pause"),
        ("campaign_resumed", "resume"),
        ("campaign_scheduled", "schedule"),
        ("campaign_stopped", "stop"),
    ]
    assert listener.asked == [("launch", "active"), ("launch", "active"), ("resume", "active")]


def about_campaigns(sent: list[str]) -> list[str]:
    """The statements without those of the worker's background work, which may stand between them."""
    return [text for text in sent if " campaigns " in text]


async def test_a_list_is_one_statement_and_pause_and_stop_one_conditional_update(app: Running, make: Make) -> None:
    user = await app.client.new_user()
    campaign = await make(user)
    path = f"/campaigns/{campaign['id']}"
    async with statements_of(app) as sent:
        await user.get(f"/campaigns?search=s&status=draft&agent_id={campaign['agent_id']}")
        assert about_campaigns(sent) == [queries.listing(("agent_id", "status", "search"))]
        sent.clear()
        await user.post(f"{path}/launch")
        assert about_campaigns(sent) == [queries.READ_STATE, moves.moving(states.LAUNCH)]
        for transition in (states.PAUSE, states.STOP):
            sent.clear()
            await user.post(f"{path}/{transition.action}")
            assert about_campaigns(sent) == [moves.moving(transition)]


async def test_without_the_plugin_of_agents_campaigns_go_on(stack: Settings, running: Running) -> None:
    environ = settings_for_tests(stack, {"VOICERA_PLUGINS_DISABLED": "agents"})
    async with running_app(environ, migrated=True) as app:
        user = await app.client.new_user()
        body = {
            "name": "x",
            "agent_id": str(uuid7()),
            "phone_numbers": ["+1234567890"],
            "end_time": "2090-01-01T00:00:00Z",
        }
        made = await user.post("/campaigns", body)
        assert (await user.post(f"{made.headers['Location']}/launch")).data["status"] == "active"


async def test_without_this_plugin_agents_are_deleted_as_before(stack: Settings, running: Running) -> None:
    environ = settings_for_tests(stack, {"VOICERA_PLUGINS_DISABLED": "campaigns"})
    async with running_app(environ, migrated=True) as app:
        user = await app.client.new_user()
        made = await user.post("/agents", {"name": "x"})
        assert (await user.delete(made.headers["Location"])).status == 204
        assert (await user.get("/campaigns")).status == 404
