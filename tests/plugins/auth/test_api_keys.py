"""API keys: credentials for machines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from plugins.auth.service.callers import TOUCH_SECONDS
from voicera.testing import Client, Running, eventually

SCOPES = ["calls:write"]


async def make_key(user: Client, **fields: Any) -> dict[str, Any]:
    answer = await user.post("/auth/api-keys", {"name": "voice server", "scopes": SCOPES, **fields})
    assert answer.status == 201, answer.content
    made: dict[str, Any] = answer.data
    return made


class TestMaking:
    async def test_without_a_token_it_is_refused(self, anonymous: Client) -> None:
        assert (await anonymous.post("/auth/api-keys", {"name": "x", "scopes": SCOPES})).code == "AUTH_003"

    async def test_the_key_is_shown_once_and_kept_as_a_hash(self, running: Running, user: Client) -> None:
        answer = await user.post("/auth/api-keys", {"name": "voice server", "scopes": SCOPES})
        assert answer.status == 201
        made = answer.data
        assert made.keys() == {"id", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at", "key"}
        assert made["key"].startswith(made["prefix"])
        assert made["prefix"].startswith("vk_")
        assert (made["name"], made["scopes"], made["expires_at"], made["last_used_at"]) == (
            "voice server",
            SCOPES,
            None,
            None,
        )
        listed = await user.get("/auth/api-keys")
        assert made["key"] not in listed.content.decode()
        row = await running.resources.db.pool.fetchval("SELECT k::text FROM api_keys k WHERE id = $1", made["id"])
        assert made["key"] not in row

    async def test_it_may_expire_after_days_or_at_a_time(self, user: Client) -> None:
        made = await make_key(user, expires_in=90)
        days = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
        assert days == timedelta(days=90)
        moment = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
        assert datetime.fromisoformat((await make_key(user, expires_at=moment.isoformat()))["expires_at"]) == moment

    @pytest.mark.parametrize(
        ("fields", "named"),
        [
            ({"scopes": []}, "scopes"),
            ({"scopes": ["calls:write", "calls:fly"]}, "scopes[1]"),
            ({"scopes": ["admin"]}, "scopes[0]"),
            ({"scopes": ["account:manage"]}, "scopes[0]"),
            ({"scopes": "calls:write"}, "scopes"),
            ({"name": ""}, "name"),
            ({"expires_in": 0}, "expires_in"),
            ({"expires_in": 1, "expires_at": "2999-01-01T00:00:00Z"}, "expires_in"),
            ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
            ({"expires_at": "2999-01-01T00:00:00"}, "expires_at"),
            ({"owner_id": str(uuid4())}, "owner_id"),
            ({"key": "vk_mine"}, "key"),
        ],
    )
    async def test_what_does_not_fit_is_refused(self, user: Client, fields: dict[str, Any], named: str) -> None:
        answer = await user.post("/auth/api-keys", {"name": "x", "scopes": SCOPES, **fields})
        assert (answer.status, answer.code) == (422, "REQUEST_002")
        assert [each["field"] for each in answer.error["details"]] == [named]


class TestListing:
    async def test_without_a_token_it_is_refused(self, anonymous: Client) -> None:
        assert (await anonymous.get("/auth/api-keys")).code == "AUTH_003"

    async def test_each_sees_their_own_newest_first(self, user: Client, neighbour: Client) -> None:
        await make_key(neighbour)
        made = [await make_key(user, name=f"key {number}") for number in range(3)]
        answer = await user.get("/auth/api-keys", params={"limit": 2})
        assert {name: answer.data[name] for name in ("total", "skip", "limit")} == {"total": 3, "skip": 0, "limit": 2}
        for key in made:
            del key["key"]
        assert answer.data["items"] == [made[2], made[1]]
        beyond = await user.get("/auth/api-keys", params={"skip": 5})
        assert (beyond.data["total"], beyond.data["items"]) == (3, [])


class TestUsing:
    async def test_it_is_sent_as_bearer_or_in_a_header_of_its_own(self, user: Client) -> None:
        key = (await make_key(user, scopes=["account:read"]))["key"]
        assert (await user.get("/auth/me", token=key)).data["id"] == user.user["id"]
        assert (await user.get("/auth/me", token="", headers={"X-API-Key": key})).data["id"] == user.user["id"]

    async def test_it_may_do_what_its_scopes_say_and_nothing_else(self, user: Client) -> None:
        key = (await make_key(user))["key"]
        for path in ("/auth/me", "/auth/api-keys", "/auth/users"):
            answer = await user.get(path, token=key)
            assert (answer.status, answer.code) == (403, "AUTH_004")

    async def test_with_every_scope_it_still_cannot_manage_the_account(self, user: Client) -> None:
        made = await make_key(user, scopes=["*"])
        change = {"current_password": "x", "new_password": "Another-Secure-456"}
        answers = [
            await user.post("/auth/api-keys", {"name": "x", "scopes": ["*"]}, token=made["key"]),
            await user.delete(f"/auth/api-keys/{made['id']}", token=made["key"]),
            await user.post("/auth/change-password", change, token=made["key"]),
            await user.post("/auth/logout", token=made["key"]),
            await user.get("/auth/users", token=made["key"]),
        ]
        assert [(answer.status, answer.code) for answer in answers] == [(403, "AUTH_004")] * 5
        assert (await user.get("/auth/me", token=made["key"])).status == 200

    async def test_an_expired_one_is_told_apart_also_where_it_is_remembered(self, user: Client) -> None:
        async def remembered() -> str | None:
            """A key that is about to expire and has been used; None if the machine was too slow for that."""
            soon = datetime.now(UTC) + timedelta(seconds=1)
            body = {"name": "x", "scopes": ["account:read"], "expires_at": soon.isoformat()}
            made = await user.post("/auth/api-keys", body)
            key: str | None = made.data and made.data["key"]
            return key if key and (await user.get("/auth/me", token=key)).status == 200 else None

        key = await eventually(remembered)

        async def expired() -> bool:
            return (await user.get("/auth/me", token=key)).code == "AUTH_002"

        await eventually(expired)

    async def test_its_last_use_is_noted_to_a_minute(self, user: Client) -> None:
        made = await make_key(user, scopes=["account:read"])
        await user.get("/auth/me", token=made["key"])

        async def noted() -> Any:
            return (await user.get("/auth/api-keys")).data["items"][0]["last_used_at"]

        used = datetime.fromisoformat(await eventually(noted))
        assert abs((datetime.now(UTC) - used).total_seconds()) < TOUCH_SECONDS

    async def test_it_ends_with_its_account(self, running: Running, user: Client) -> None:
        key = (await make_key(user, scopes=["account:read"]))["key"]
        assert (await user.get("/auth/me", token=key)).status == 200
        await running.resources.db.pool.execute("DELETE FROM users WHERE id = $1", user.user["id"])

        async def dead() -> bool:
            return (await user.get("/auth/me", token=key)).code == "AUTH_003"

        await eventually(dead)


class TestDeleting:
    async def test_without_a_token_it_is_refused(self, anonymous: Client) -> None:
        assert (await anonymous.delete(f"/auth/api-keys/{uuid4()}")).code == "AUTH_003"

    async def test_the_neighbours_key_answers_as_one_that_does_not_exist(self, user: Client, neighbour: Client) -> None:
        theirs = await make_key(neighbour, scopes=["account:read"])
        answers = [await user.delete(f"/auth/api-keys/{key_id}") for key_id in (theirs["id"], uuid4(), "nonsense")]
        for answer in answers:
            assert (answer.status, answer.code) == (404, "AUTH_007")
            assert answer.error == answers[0].error
        assert (await neighbour.get("/auth/me", token=theirs["key"])).status == 200

    async def test_it_is_dead_at_once_also_where_it_is_remembered(self, user: Client) -> None:
        made = await make_key(user, scopes=["account:read"])
        assert (await user.get("/auth/me", token=made["key"])).status == 200
        answer = await user.delete(f"/auth/api-keys/{made['id']}")
        assert (answer.status, answer.content) == (204, b"")
        assert (await user.get("/auth/me", token=made["key"])).code == "AUTH_003"
        assert (await user.get("/auth/api-keys")).data["items"] == []
        assert (await user.delete(f"/auth/api-keys/{made['id']}")).code == "AUTH_007"
