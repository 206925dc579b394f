"""What other plugins hear of agents."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import FrozenInstanceError
from types import ModuleType
from uuid import UUID

import pytest

from core.settings import Settings
from plugins.agents import service
from plugins.agents.hookspecs import AgentsChanged
from voicera import Connection, PermissionDenied, Resources, hookimpl
from voicera.testing import Client, Running, eventually, running_app, settings_for_tests


def listener(heard: list[AgentsChanged]) -> ModuleType:
    """A plugin that hears of agents, and keeps those called Veto from being deleted."""

    @hookimpl
    async def agents_changed(resources: Resources, event: AgentsChanged) -> None:
        heard.append(event)

    @hookimpl
    async def agent_deleting(connection: Connection, owner_id: UUID, agent_id: UUID) -> None:
        sql = "SELECT name FROM agents WHERE owner_id = $1 AND id = $2"
        if await connection.fetchval(sql, owner_id, agent_id) == "Veto":
            raise PermissionDenied

    module = ModuleType("hears_of_agents")
    vars(module).update(agents_changed=agents_changed, agent_deleting=agent_deleting)
    return module


@pytest.fixture
def heard() -> list[AgentsChanged]:
    return []


@pytest.fixture
async def listening(stack: Settings, running: Running, heard: list[AgentsChanged]) -> AsyncIterator[Client]:
    """A client of a user, in an application with the listener."""
    async with running_app(settings_for_tests(stack), plugins=[listener(heard)], migrated=True) as app:
        yield await app.client.new_user()


async def test_each_creation_change_and_deletion_is_heard_once_with_the_agent_as_it_is_then(
    listening: Client, heard: list[AgentsChanged]
) -> None:
    made = await listening.post("/agents", {"name": "Ada"})
    path = f"/agents/{made.data['id']}"
    await eventually(lambda: len(heard) == 1)
    changed = await listening.put(path, {"name": "Grace"})
    await eventually(lambda: len(heard) == 2)
    assert (await listening.delete(path)).status == 204
    await eventually(lambda: len(heard) == 3)
    assert {event.owner_id for event in heard} == {UUID(listening.user["user"]["id"])}
    changes = [change for event in heard for change in event.changes]
    assert {str(change.id) for change in changes} == {made.data["id"]}
    assert [(change.action, change.version) for change in changes] == [("created", 1), ("changed", 2), ("deleted", 2)]
    assert [change.agent for change in changes] == [made.data, changed.data, None]
    with pytest.raises(FrozenInstanceError):
        heard[0].owner_id = UUID(int=0)  # type: ignore[misc]  # what is tested


async def test_what_was_refused_is_not_heard(listening: Client, heard: list[AgentsChanged]) -> None:
    made = await listening.post("/agents", {"name": "Veto"})
    path = f"/agents/{made.data['id']}"
    await eventually(lambda: len(heard) == 1)
    assert (await listening.post("/agents", {"name": "Veto"})).status == 409
    assert (await listening.put(path, {"name": "x"}, headers={"If-Match": '"9"'})).status == 412
    assert (await listening.delete(path)).status == 403
    assert (await listening.put(path, {"description": "last"})).status == 200
    await eventually(lambda: len(heard) == 2)
    assert [change.action for event in heard for change in event.changes] == ["created", "changed"]


async def test_where_nobody_listens_nothing_is_built(user: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "AgentsChanged", None)
    made = await user.post("/agents", {"name": "Ada"})
    path = f"/agents/{made.data['id']}"
    assert (made.status, (await user.put(path, {"name": "B"})).status, (await user.delete(path)).status) == (
        *(201, 200),
        204,
    )
