"""What other plugins and the database see: hooks within the deletion, the owner's wall, round trips, indexes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

import pytest

from core.settings import Settings
from plugins.agents import queries, service
from plugins.campaigns.queries.campaigns import LIVE_OF_AGENT
from voicera import Connection, PermissionDenied, hookimpl, uuid7
from voicera.testing import Client, Running, running_app, settings_for_tests


def listener(seen: list[tuple[UUID, UUID]], keep: set[str]) -> ModuleType:
    """A plugin that hears of deletions, and vetoes those of the names in `keep`."""

    @hookimpl
    async def agent_deleting(connection: Connection, owner_id: UUID, agent_id: UUID) -> None:
        sql = "SELECT name FROM agents WHERE owner_id = $1 AND id = $2"
        if await connection.fetchval(sql, owner_id, agent_id) in keep:
            raise PermissionDenied("it is needed")
        seen.append((owner_id, agent_id))

    module = ModuleType("agents_listener")
    vars(module)["agent_deleting"] = agent_deleting
    return module


@pytest.fixture
async def alone(stack: Settings, running: Running) -> AsyncIterator[Running]:
    """An application of its own with two connections, so that each can be watched."""
    environ = settings_for_tests(stack, {"VOICERA_DATABASE_POOL": "2"})
    async with running_app(environ, migrated=True) as app:
        yield app


async def watch(app: Running) -> list[str]:
    """Every statement that the application's connections will send, apart from the pool's own reset."""
    sent: list[str] = []

    def log(record: Any) -> None:
        if "pg_advisory_unlock_all" not in record.query:
            sent.append(record.query)

    pool = app.resources.db.pool
    async with pool.acquire() as one, pool.acquire() as other:
        for connection in (one, other):
            connection.add_query_logger(log)
    return sent


async def test_a_list_is_one_statement_whatever_its_filters_and_size(alone: Running) -> None:
    user = await alone.client.new_user()
    for number in range(30):
        await user.post("/agents", {"name": f"a{number}"})
    await user.get("/agents")
    sent = await watch(alone)
    for query in ("", "?search=a&status=active&llm_provider=x&language=en&sort=name", "?limit=1000&skip=3"):
        sent.clear()
        assert (await user.get(f"/agents{query}")).status == 200
        assert len(sent) == 1, sent


async def test_each_other_request_is_one_statement_and_a_deletion_three_in_a_transaction(alone: Running) -> None:
    user = await alone.client.new_user()
    sent = await watch(alone)
    made = await user.post("/agents", {"name": "a"})
    path = made.headers["Location"]
    assert sent == [queries.INSERT]
    await user.get(path)
    assert sent[1:] == [queries.GET]
    await user.put(path, {"name": "b"}, headers={"If-Match": '"1"'})
    assert sent[2:] == [queries.UPDATE]
    await user.delete(path)
    assert sent[3:] == ["BEGIN;", queries.LOCK, LIVE_OF_AGENT, queries.DELETE, "COMMIT;"]


async def test_a_plugin_hears_of_a_deletion_and_may_veto_it(stack: Settings, running: Running) -> None:
    seen: list[tuple[UUID, UUID]] = []
    keep = {"Needed"}
    environ = settings_for_tests(stack)
    async with running_app(environ, plugins=[listener(seen, keep)], migrated=True) as app:
        user = await app.client.new_user()
        made = await user.post("/agents", {"name": "Needed"})
        path = made.headers["Location"]
        refused = await user.delete(path)
        assert (refused.status, refused.error["details"]) == (403, "it is needed")
        assert (await user.get(path)).data == made.data
        assert (await user.delete(path, headers={"If-Match": '"9"'})).status == 412
        assert seen == []
        keep.clear()
        assert (await user.delete(path)).status == 204
        assert seen == [(UUID(user.user["id"]), UUID(made.data["id"]))]


async def test_known_agents_are_the_owners_only(running: Running, user: Client, neighbour: Client) -> None:
    mine = UUID((await user.post("/agents", {"name": "a"})).data["id"])
    theirs = UUID((await neighbour.post("/agents", {"name": "a"})).data["id"])
    owner = UUID(user.user["id"])
    async with running.resources.db.connection() as connection:
        found = await service.known(connection, owner, frozenset({mine, theirs, uuid4(), uuid7()}))
        assert found == frozenset({mine})
        assert await service.known(connection, owner, frozenset()) == frozenset()


@pytest.mark.parametrize("order", queries.ORDERS)
async def test_every_order_is_served_by_an_index_that_begins_with_the_owner(running: Running, order: str) -> None:
    async with running.resources.db.tx() as connection:
        await connection.execute("SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off")
        await connection.execute("SET LOCAL enable_bitmapscan = off; SET LOCAL enable_incremental_sort = off")
        rows = await connection.fetch("EXPLAIN " + queries.listing((), order), uuid4(), 10, 0)
    plan = "\n".join(row[0] for row in rows)
    assert "Sort" not in plan, plan
    assert "Index Cond: (owner_id =" in plan, plan
