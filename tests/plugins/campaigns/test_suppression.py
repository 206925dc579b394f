"""Phone numbers that plugins keep from being called, and what plugins hear of changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest

from core.settings import Settings
from plugins.campaigns.hookspecs import CampaignEvent, CampaignNumbers, CampaignsChanged
from plugins.campaigns.queries import campaigns as queries
from plugins.campaigns.queries import moves, numbers
from plugins.campaigns.states import LAUNCH
from voicera import Connection, PermissionDenied, Resources, hookimpl
from voicera.testing import Answer, Client, Running, eventually, running_app, settings_for_tests, statements_of

Make = Callable[..., Awaitable[dict[str, Any]]]
ONE, TWO, THREE = "+1234567890", "+1234567891", "+1234567892"


class Keeper:
    """Two plugins: each says what it is asked about, and suppresses what the test wants."""

    def __init__(self) -> None:
        self.first: dict[str, str] = {}
        self.second: dict[str, str] = {}
        self.asked: list[list[str]] = []
        self.reads, self.veto, self.halted = True, False, False
        self.moved: list[tuple[str, int]] = []
        self.launched: list[CampaignEvent] = []
        self.changed: list[CampaignsChanged] = []

    def modules(self) -> Sequence[ModuleType]:
        keeper, first, second = self, ModuleType("keeper_one"), ModuleType("keeper_two")

        @hookimpl
        async def suppress(connection: Connection, campaign: CampaignEvent, numbers: CampaignNumbers) -> None:
            assert campaign.status == "active"
            if keeper.reads:
                keeper.asked.append(list(await numbers.read()))
            numbers.suppress(keeper.first)

        @hookimpl
        async def suppress_more(connection: Connection, numbers: CampaignNumbers) -> None:
            if keeper.reads:
                keeper.asked.append(list(await numbers.read()))
            numbers.suppress(keeper.second)
            if keeper.veto:
                raise PermissionDenied("not today")

        @hookimpl
        async def campaign_launched(resources: Resources, campaign: CampaignEvent) -> None:
            keeper.launched.append(campaign)

        @hookimpl
        async def campaigns_changed(resources: Resources, event: CampaignsChanged) -> None:
            keeper.changed.append(event)

        @hookimpl
        async def campaign_moving(connection: Connection, campaign: CampaignEvent) -> None:
            keeper.moved.append((campaign.action, campaign.phone_number_count))
            if keeper.halted:
                raise PermissionDenied("not now")

        vars(first).update(campaign_launching=suppress, campaign_launched=campaign_launched)
        vars(first).update(campaign_moving=campaign_moving)
        vars(second).update(campaign_launching=suppress_more, campaigns_changed=campaigns_changed)
        return first, second


@pytest.fixture(scope="module")
def the_keeper() -> Keeper:
    return Keeper()


@pytest.fixture
def keeper(the_keeper: Keeper) -> Keeper:
    Keeper.__init__(the_keeper)
    return the_keeper


@pytest.fixture(scope="module")
async def app(stack: Settings, the_keeper: Keeper) -> AsyncIterator[Running]:
    async with running_app(settings_for_tests(stack), plugins=the_keeper.modules(), migrated=True) as app:
        yield app


async def act(client: Client, campaign: dict[str, Any], action: str) -> Answer:
    return await client.post(f"/campaigns/{campaign['id']}/{action}")


async def dialled(client: Client, campaign: dict[str, Any]) -> list[str]:
    listed: list[str] = (await client.get(f"/campaigns/{campaign['id']}/phone-numbers")).data["items"]
    return listed


async def suppressed(client: Client, campaign: dict[str, Any]) -> dict[str, str]:
    data = (await client.get(f"/campaigns/{campaign['id']}/suppressed-numbers")).data
    assert data["total"] == len(data["items"])
    return {item["phone_number"]: item["reason"] for item in data["items"]}


async def test_nothing_is_suppressed_and_a_neighbours_campaign_is_not_found(
    user: Client, neighbour: Client, make: Make
) -> None:
    campaign = await make(user)
    path = f"/campaigns/{campaign['id']}/suppressed-numbers"
    assert (await user.get(path)).data == {"total": 0, "skip": 0, "limit": 1000, "items": []}
    assert (await neighbour.get(path)).code == "CAMPAIGN_001"


async def test_what_plugins_suppress_is_not_dialled_and_kept_with_the_first_reason(
    app: Running, make: Make, keeper: Keeper
) -> None:
    user = await app.client.new_user()
    campaign = await make(user, phone_numbers=[ONE, TWO, THREE])
    keeper.first = {TWO: " asked in a call ", "+1999999999": "not of this campaign"}
    keeper.second = {TWO: "late", THREE: "y" * 300}
    answer = await act(user, campaign, "launch")
    assert (answer.status, answer.headers["ETag"]) == (200, '"2"')
    assert (answer.data["phone_numbers"], answer.data["phone_number_count"]) == ([ONE], 1)
    assert (await user.get(f"/campaigns/{campaign['id']}")).data == answer.data
    assert keeper.asked == [[ONE, TWO, THREE], [ONE, THREE]]
    assert await dialled(user, campaign) == [ONE]
    assert await suppressed(user, campaign) == {TWO: "asked in a call", THREE: "y" * 200}
    page = (await user.get(f"/campaigns/{campaign['id']}/suppressed-numbers?skip=1&limit=1")).data
    item = {"phone_number": THREE, "reason": "y" * 200, "suppressed_at": answer.data["launched_at"]}
    assert page == {"total": 2, "skip": 1, "limit": 1, "items": [item]}
    await eventually(lambda: keeper.launched)
    assert [event.phone_number_count for event in keeper.launched] == [1]


async def test_resume_asks_again_and_adds_to_what_is_kept(app: Running, make: Make, keeper: Keeper) -> None:
    user = await app.client.new_user()
    campaign = await make(user, phone_numbers=[ONE, TWO, THREE])
    keeper.first = {TWO: "asked in a call"}
    await act(user, campaign, "launch")
    await act(user, campaign, "pause")
    keeper.first = {TWO: "asked again", THREE: "asked by mail"}
    assert (await act(user, campaign, "resume")).data["phone_numbers"] == [ONE]
    assert await suppressed(user, campaign) == {TWO: "asked in a call", THREE: "asked by mail"}


async def test_a_number_that_a_change_gives_again_is_asked_about_again(
    app: Running, make: Make, keeper: Keeper
) -> None:
    user = await app.client.new_user()
    campaign = await make(user, phone_numbers=[ONE, TWO, THREE])
    keeper.first = {TWO: "asked in a call", THREE: "asked by mail"}
    await act(user, campaign, "launch")
    await act(user, campaign, "pause")
    await user.patch(f"/campaigns/{campaign['id']}", {"phone_numbers": [TWO, ONE]})
    assert (await dialled(user, campaign), await suppressed(user, campaign)) == ([TWO, ONE], {THREE: "asked by mail"})
    keeper.first = {}
    assert (await act(user, campaign, "resume")).data["phone_numbers"] == [TWO, ONE]


@pytest.mark.parametrize(("action", "code"), [("launch", "CAMPAIGN_002"), ("resume", "CAMPAIGN_003")])
async def test_with_nobody_left_to_call_it_does_not_become_active(
    app: Running, make: Make, keeper: Keeper, action: str, code: str
) -> None:
    user = await app.client.new_user()
    campaign = await make(user, phone_numbers=[ONE, TWO, THREE])
    if action == "resume":
        await act(user, campaign, "launch")
        await act(user, campaign, "pause")
    before = (await user.get(f"/campaigns/{campaign['id']}")).data
    keeper.first, keeper.second = {ONE: "asked in a call", TWO: "asked in a call"}, {THREE: "abroad"}
    answer = await act(user, campaign, action)
    details = "none of its phone numbers may be called: asked in a call (2), abroad (1)"
    assert (answer.status, answer.code, answer.error["details"]) == (409, code, details)
    assert (await user.get(f"/campaigns/{campaign['id']}")).data == before
    assert await suppressed(user, campaign) == {}
    assert await dialled(user, campaign) == [ONE, TWO, THREE]


@pytest.mark.parametrize("reason", ["", " \0"])
async def test_a_veto_and_a_reason_that_is_empty_leave_the_campaign_as_it_was(
    app: Running, make: Make, keeper: Keeper, reason: str
) -> None:
    user = await app.client.new_user()
    campaign = await make(user, phone_numbers=[ONE, TWO])
    keeper.first, keeper.veto = {ONE: "asked in a call"}, True
    vetoed = await act(user, campaign, "launch")
    assert (vetoed.status, vetoed.code, vetoed.error["details"]) == (403, "AUTH_004", "not today")
    keeper.second = {TWO: reason}
    assert (await act(user, campaign, "launch")).code == "SERVER_001"
    assert (await user.get(f"/campaigns/{campaign['id']}")).data == campaign
    assert await suppressed(user, campaign) == {}


async def test_of_twelve_simultaneous_launches_one_succeeds_and_drops_once(
    app: Running, make: Make, keeper: Keeper
) -> None:
    user = await app.client.new_user()
    campaign = await make(user, phone_numbers=[ONE, TWO])
    keeper.first = {TWO: "asked in a call"}
    answers = await asyncio.gather(*(act(user, campaign, "launch") for _ in range(12)))
    assert sorted(answer.status for answer in answers) == [200, *[409] * 11]
    assert (await dialled(user, campaign), await suppressed(user, campaign)) == ([ONE], {TWO: "asked in a call"})
    assert keeper.asked == [[ONE, TWO], [ONE]]


async def test_of_a_hundred_thousand_all_but_one_are_dropped_in_a_few_statements(
    app: Running, make: Make, keeper: Keeper
) -> None:
    user = await app.client.new_user()
    everything = [f"+1{2_000_000_000 + index}" for index in range(100_000)]
    campaign = await make(user, phone_numbers=everything)
    keeper.first = dict.fromkeys(everything[1:], "asked in a call")
    async with statements_of(app) as sent:
        answer = await act(user, campaign, "launch")
    assert (answer.status, answer.data["phone_number_count"]) == (200, 1), answer.content
    # Background work of the worker may stand between them.
    tables = ("campaigns ", "campaign_phone_numbers ")
    assert [text for text in sent if any(table in text for table in tables) and not text.startswith("COPY")] == [
        *(queries.READ_STATE, moves.moving(LAUNCH), numbers.READ, numbers.DELETE, queries.RECOUNT)
    ]
    path = f"/campaigns/{campaign['id']}/suppressed-numbers?limit=10000"
    page = (await user.get(f"{path}&skip=90000")).data
    assert (page["total"], page["items"][-1]["phone_number"]) == (99_999, everything[-1])


async def test_the_numbers_are_not_read_where_no_plugin_asks_for_them(app: Running, make: Make, keeper: Keeper) -> None:
    user = await app.client.new_user()
    campaign = await make(user)
    keeper.reads = False
    async with statements_of(app) as sent:
        await act(user, campaign, "launch")
    assert numbers.READ not in sent


async def test_plugins_hear_of_creation_change_and_deletion_once_they_are_committed(
    app: Running, make: Make, keeper: Keeper
) -> None:
    user = await app.client.new_user()
    campaign = await make(user, name="Spring")
    path = f"/campaigns/{campaign['id']}"
    await user.patch(path, {"name": "Summer"})
    await user.patch(path, {"name": "Summer"})  # nothing changes
    await user.patch(path, {"end_time": "2000-01-01T00:00:00Z", "start_time": "2000-01-02T00:00:00Z"})  # refused
    await user.delete(path)
    await eventually(lambda: len(keeper.changed) == 3)
    assert {event.owner_id for event in keeper.changed} == {UUID(user.user["id"])}
    told = sorted((change for event in keeper.changed for change in event.changes), key=lambda change: change.action)
    assert {change.id for change in told} == {UUID(campaign["id"])}
    assert [(change.action, change.version) for change in told] == [("changed", 2), ("created", 1), ("deleted", 3)]
    changed, created, deleted = told
    assert (created.campaign, deleted.campaign) == (campaign, None)
    assert changed.campaign is not None
    assert changed.campaign["name"] == "Summer"


async def test_a_plugin_acts_in_the_transaction_of_every_transition_and_its_error_rolls_it_back(
    app: Running, make: Make, keeper: Keeper
) -> None:
    user = await app.client.new_user()
    campaign = await make(user, phone_numbers=[ONE, TWO])
    keeper.first = {TWO: "asked in a call"}
    keeper.halted = True
    refused = await act(user, campaign, "launch")
    assert (refused.status, refused.error["details"]) == (403, "not now")
    assert (await dialled(user, campaign), await suppressed(user, campaign)) == ([ONE, TWO], {})
    keeper.halted = False
    for action in ("launch", "pause", "resume", "stop"):
        assert (await act(user, campaign, action)).status == 200
    assert keeper.moved == [("launch", 1), ("launch", 1), ("pause", 1), ("resume", 1), ("stop", 1)]
