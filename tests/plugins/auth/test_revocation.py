"""The end of a session: at once, everywhere, and still after the cache has lost its memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from core.cache import open_cache
from core.settings import Settings, with_values
from plugins.auth.queries import sessions as queries
from plugins.auth.service import operators
from plugins.auth.service.revocation import SENTINEL, Publisher, forget_expired
from voicera import Connection, ended_key
from voicera.testing import Client, Running, eventually, running_app, settings_for_tests

NOWHERE = "redis://127.0.0.1:1/0"


async def is_dead(auth: Any, token: str) -> bool:
    answer = await auth.me(token)
    assert answer.status in {200, 401}
    return bool(answer.code == "AUTH_003")


class TestLogout:
    async def test_without_a_token_it_is_refused(self, anonymous: Client) -> None:
        assert (await anonymous.post("/auth/logout")).code == "AUTH_003"

    async def test_the_neighbours_session_goes_on(self, user: Client, neighbour: Client) -> None:
        assert (await user.post("/auth/logout")).status == 204
        assert (await neighbour.get("/auth/me")).status == 200

    async def test_the_session_and_its_refresh_token_are_dead_at_once(self, auth: Any, user: Client) -> None:
        assert (await user.get("/auth/me")).status == 200
        answer = await user.post("/auth/logout")
        assert (answer.status, answer.content) == (204, b"")
        assert await is_dead(auth, user.token or "")
        assert (await user.post("/auth/logout")).code == "AUTH_003"
        assert (await auth.refresh(user.user["refresh_token"])).code == "AUTH_003"

    async def test_another_session_of_the_same_user_goes_on(self, auth: Any, user: Client) -> None:
        other = (await auth.log_in(user.user["email"])).data
        await user.post("/auth/logout")
        assert (await auth.me(other["token"])).status == 200
        assert (await auth.refresh(other["refresh_token"])).status == 200

    async def test_what_was_refreshed_from_it_dies_with_it(self, auth: Any, user: Client) -> None:
        fresh = (await auth.refresh(user.user["refresh_token"])).data
        await user.post("/auth/logout")
        assert await is_dead(auth, fresh["token"])


@pytest.mark.parametrize("redis", [None, NOWHERE])
async def test_a_session_ended_here_is_dead_in_another_worker_with_its_cache_or_without(
    stack: Settings, auth: Any, user: Client, redis: str | None
) -> None:
    environ = {"VOICERA_REDIS_URL": redis} if redis else {}
    async with running_app(settings_for_tests(stack, environ), migrated=True) as other:
        there = auth.at(other.client)
        assert (await there.me(user.token)).status == 200
        await user.post("/auth/logout")
        assert await is_dead(there, user.token or "")
        assert (await there.log_in(user.user["email"])).status == 200


async def test_a_session_ended_where_the_cache_is_away_is_dead_elsewhere_soon(
    stack: Settings, auth: Any, user: Client
) -> None:
    async with running_app(settings_for_tests(stack, {"VOICERA_REDIS_URL": NOWHERE}), migrated=True) as other:
        assert (await other.client.post("/auth/logout", token=user.token)).status == 204
        assert await is_dead(auth.at(other.client), user.token or "")

    async def dead() -> bool:
        return await is_dead(auth, user.token or "")

    await eventually(dead)


@pytest.fixture
async def apart(stack: Settings) -> AsyncIterator[Running]:
    """An application with a Valkey database of its own: those of other PostgreSQL databases have one sentinel too."""
    assert stack.redis_url is not None
    url = urlsplit(stack.redis_url.get_secret_value())._replace(path="/7").geturl()
    async with running_app(settings_for_tests(stack, {"VOICERA_REDIS_URL": url}), migrated=True) as app:
        yield app


@pytest.mark.parametrize("lost", ["the last second", "everything"])
async def test_a_cache_that_lost_its_memory_does_not_bring_a_session_back(apart: Running, auth: Any, lost: str) -> None:
    user = await apart.client.new_user()
    cache, session = apart.resources.cache.require(), await session_of(apart, user)
    await user.post("/auth/logout")
    await apart.resources.db.pool.execute(
        "UPDATE sessions SET ended_at = ended_at - $2::interval WHERE id = $1",
        session,
        timedelta(hours=1 if lost == "everything" else 0),
    )
    key = ended_key(user.user["id"], session)
    assert await cache.delete([key, *([SENTINEL] if lost == "everything" else [])])

    async def known() -> bool:
        return bool(await cache.exists([key]))

    await eventually(known)
    assert await is_dead(auth.at(apart.client), user.token or "")
    assert 86_000 < await cache.ttl(key) <= 86_460


async def test_a_cache_that_loses_its_memory_while_it_is_told_is_told_everything_next(
    running: Running, user: Client, stack: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stack.redis_url is not None
    url = urlsplit(stack.redis_url.get_secret_value())._replace(path="/8").geturl()
    session = await session_of(running, user)
    await user.post("/auth/logout")
    await running.resources.db.pool.execute(
        "UPDATE sessions SET ended_at = ended_at - interval '1 hour' WHERE id = $1", session
    )
    key = ended_key(user.user["id"], session)
    async with open_cache(with_values(stack, {"redis_url": url}, "environment")) as cache:
        publisher = Publisher(replace(running.resources, cache=cache))  # nobody else tells this database
        await publisher.turn()
        ended_since = queries.ended_since

        async def losing(connection: Connection, moment: datetime) -> Any:
            await cache.require().flushdb()
            return await ended_since(connection, moment)

        with monkeypatch.context() as during:
            during.setattr(queries, "ended_since", losing)
            await publisher.turn()
        assert not await cache.require().exists([key, SENTINEL])
        await publisher.turn()
        assert await cache.require().exists([key, SENTINEL]) == 2


async def session_of(running: Running, user: Client) -> Any:
    return await running.resources.db.pool.fetchval("SELECT id FROM sessions WHERE owner_id = $1", user.user["id"])


class TestAccountsThatGo:
    async def test_a_disabled_account_is_out_soon_and_back_when_enabled(
        self, running: Running, auth: Any, user: Client
    ) -> None:
        email = user.user["email"]
        assert await operators.set_disabled(running.resources, email.upper(), disabled=True)

        async def dead() -> bool:
            return await is_dead(auth, user.token or "")

        await eventually(dead)
        assert (await auth.log_in(email)).code == "AUTH_001"
        assert (await auth.refresh(user.user["refresh_token"])).code == "AUTH_003"
        assert await operators.set_disabled(running.resources, email, disabled=False)
        assert (await auth.log_in(email)).status == 200
        assert await is_dead(auth, user.token or "")

    async def test_nobody_cannot_be_disabled(self, running: Running, auth: Any) -> None:
        assert not await operators.set_disabled(running.resources, auth.email(), disabled=True)

    @pytest.mark.parametrize(
        "statement", ["DELETE FROM users WHERE id = $1", "UPDATE users SET role = 'admin' WHERE id = $1"]
    )
    async def test_an_account_deleted_or_given_another_role_by_hand_is_out_soon(
        self, running: Running, auth: Any, user: Client, statement: str
    ) -> None:
        await running.resources.db.pool.execute(statement, user.user["id"])

        async def dead() -> bool:
            return await is_dead(auth, user.token or "")

        await eventually(dead)


async def test_what_expired_a_week_ago_is_forgotten(running: Running, user: Client, neighbour: Client) -> None:
    pool = running.resources.db.pool
    for table, column in (("sessions", "id"), ("refresh_tokens", "session_id")):
        await pool.execute(
            f"UPDATE {table} SET expires_at = now() - interval '8 days' WHERE {column} = $1",
            await session_of(running, user),
        )
    await forget_expired(running.resources)
    assert await session_of(running, user) is None
    assert await session_of(running, neighbour) is not None
