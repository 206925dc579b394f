"""Refresh tokens: good for one use, and the end of their session when used again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from plugins.auth.service.tokens import new_opaque
from voicera.testing import Client, Running


class TestRefresh:
    async def test_without_a_token_it_is_refused(self, anonymous: Client) -> None:
        answer = await anonymous.post("/auth/refresh-token")
        assert (answer.status, answer.code) == (401, "AUTH_003")
        assert answer.headers["WWW-Authenticate"] == "Bearer"

    async def test_it_answers_as_the_reference_shows_with_the_next_refresh_token(
        self, auth: Any, user: Client, neighbour: Client
    ) -> None:
        answer = await auth.refresh(user.user["refresh_token"])
        assert answer.status == 200
        assert answer.data.keys() == {"token", "refresh_token", "expires_in"}
        assert answer.data["expires_in"] == 86_400
        assert answer.data["refresh_token"] != user.user["refresh_token"]
        mine = await auth.me(answer.data["token"])
        assert mine.data["id"] == user.user["id"] != neighbour.user["id"]

    async def test_the_chain_goes_on(self, auth: Any, user: Client) -> None:
        token = user.user["refresh_token"]
        for _ in range(3):
            answer = await auth.refresh(token)
            assert answer.status == 200
            token = answer.data["refresh_token"]
        assert (await user.get("/auth/me")).status == 200

    async def test_an_old_one_used_again_ends_the_session_at_once(self, auth: Any, user: Client) -> None:
        first = (await auth.refresh(user.user["refresh_token"])).data
        assert (await auth.me(first["token"])).status == 200
        again = await auth.refresh(user.user["refresh_token"])
        assert (again.status, again.code) == (401, "AUTH_006")
        assert again.headers["WWW-Authenticate"] == "Bearer"
        for token in (user.token, first["token"]):
            assert (await auth.me(token)).code == "AUTH_003"
        assert (await auth.refresh(first["refresh_token"])).code == "AUTH_003"
        assert (await auth.refresh(user.user["refresh_token"])).code == "AUTH_006"

    async def test_another_session_of_the_same_user_is_untouched_by_that(self, auth: Any, user: Client) -> None:
        other = (await auth.log_in(user.user["email"])).data
        await auth.refresh(user.user["refresh_token"])
        await auth.refresh(user.user["refresh_token"])
        assert (await auth.me(other["token"])).status == 200
        assert (await auth.refresh(other["refresh_token"])).status == 200

    async def test_of_50_that_use_one_at_once_at_most_one_gets_tokens_and_the_session_ends(
        self, running: Running, auth: Any, user: Client
    ) -> None:
        answers = await asyncio.gather(*(auth.refresh(user.user["refresh_token"]) for _ in range(50)))
        good = [answer for answer in answers if answer.status == 200]
        assert len(good) <= 1
        assert {answer.code for answer in answers if answer.status != 200} == {"AUTH_006"}
        lines = await running.resources.db.pool.fetchval(
            "SELECT count(*) FROM refresh_tokens JOIN sessions s ON s.id = session_id WHERE s.owner_id = $1",
            user.user["id"],
        )
        assert lines == 2
        assert (await user.get("/auth/me")).code == "AUTH_003"
        for answer in good:
            assert (await auth.refresh(answer.data["refresh_token"])).code == "AUTH_003"

    async def test_an_expired_one_is_told_apart(self, running: Running, auth: Any, user: Client) -> None:
        await running.resources.db.pool.execute(
            "UPDATE refresh_tokens SET expires_at = now() FROM sessions s WHERE s.id = session_id AND s.owner_id = $1",
            user.user["id"],
        )
        answer = await auth.refresh(user.user["refresh_token"])
        assert (answer.status, answer.code) == (401, "AUTH_002")

    async def test_an_access_token_is_no_refresh_token_and_the_other_way_round(self, auth: Any, user: Client) -> None:
        assert (await auth.refresh(user.token)).code == "AUTH_003"
        assert (await auth.me(user.user["refresh_token"])).code == "AUTH_003"

    @pytest.mark.parametrize(
        "token",
        ["vr_", "vr_short", new_opaque("vr_"), new_opaque("vr_")[:-1] + "g", new_opaque("vk_")],
        ids=["empty", "short", "unknown", "mistyped", "key"],
    )
    async def test_what_we_never_made_is_refused(self, auth: Any, token: str) -> None:
        answer = await auth.refresh(token)
        assert (answer.status, answer.code) == (401, "AUTH_003")

    async def test_only_hashes_are_kept(self, running: Running, user: Client) -> None:
        rows = await running.resources.db.pool.fetch("SELECT refresh_tokens::text AS row FROM refresh_tokens")
        secret = user.user["refresh_token"].removeprefix("vr_")
        assert not any(secret in row["row"] or secret.encode().hex() in row["row"] for row in rows)
