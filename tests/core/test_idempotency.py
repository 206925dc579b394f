"""`Idempotency-Key`: the same request sent again has one effect and one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from core.http import idempotency
from voicera.testing import Client, Running

NO_ID = {"phone_number": "+1234567", "status": "busy"}


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


async def total(client: Client) -> int:
    return int((await client.get("/call-logs?limit=1")).data["total"])


class TestOnce:
    async def test_sent_again_it_has_one_effect_and_the_same_answer(self, user: Client) -> None:
        first = await user.post("/call-logs", NO_ID, headers=keyed("k1"))
        again = await user.post("/call-logs", NO_ID, headers=keyed("k1"))
        assert (first.status, again.status) == (201, 201)
        assert again.data == first.data
        assert again.headers["Location"] == first.headers["Location"]
        assert ("Idempotent-Replayed" in first.headers, again.headers["Idempotent-Replayed"]) == (False, "true")
        assert await total(user) == 1

    @pytest.mark.parametrize(("path", "body"), [("/agents", {"name": "A"}), ("/call-logs/batch", [NO_ID, NO_ID])])
    async def test_every_post_that_creates_knows_it(self, user: Client, path: str, body: Any) -> None:
        answers = [await user.post(path, body, headers=keyed("k")) for _ in range(3)]
        assert [answer.status for answer in answers] == [201] * 3
        assert answers[0].data == answers[1].data == answers[2].data

    async def test_another_key_is_another_request(self, user: Client) -> None:
        for key in ("a", "b"):
            await user.post("/call-logs", NO_ID, headers=keyed(key))
        assert await total(user) == 2

    async def test_the_key_of_a_neighbour_is_free(self, user: Client, neighbour: Client) -> None:
        answers = [await one.post("/call-logs", NO_ID, headers=keyed("k")) for one in (user, neighbour)]
        assert [answer.status for answer in answers] == [201, 201]
        assert answers[0].data["id"] != answers[1].data["id"]

    @pytest.mark.parametrize(
        ("path", "body"),
        [("/call-logs", {**NO_ID, "cost": 1}), ("/call-logs/batch", [NO_ID]), ("/agents", {"name": "B"})],
    )
    async def test_the_key_of_another_request_is_a_conflict(self, user: Client, path: str, body: Any) -> None:
        await user.post("/call-logs", NO_ID, headers=keyed("k"))
        answer = await user.post(path, body, headers=keyed("k"))
        assert (answer.status, answer.code) == (409, "REQUEST_005")
        assert await total(user) == 1

    async def test_what_was_refused_may_be_sent_again(self, user: Client) -> None:
        assert (await user.post("/agents", {"name": ""}, headers=keyed("k"))).status == 422
        assert (await user.post("/agents", {"name": "A"}, headers=keyed("k"))).status == 201

    @pytest.mark.parametrize("key", ["", "a b", "ä", "x" * 256])
    async def test_a_key_that_is_none_is_refused(self, user: Client, key: str) -> None:
        answer = await user.post("/call-logs", NO_ID, headers=keyed(key))
        assert (answer.status, answer.code) == (400, "REQUEST_001")

    async def test_of_fifty_at_once_one_has_an_effect(self, user: Client) -> None:
        async def send(key: str) -> tuple[int, Any]:
            answer = await user.post("/call-logs", NO_ID, headers=keyed(key))
            return answer.status, answer.data["id"] if answer.status == 201 else answer.code

        for key in ("x", "y", "z"):
            answers = await asyncio.gather(*[send(key) for _ in range(50)])
            assert {answer for answer in answers if answer[0] != 201} <= {(409, "REQUEST_005")}
            assert len({answer for answer in answers if answer[0] == 201}) == 1
        assert await total(user) == 3

    async def test_a_key_is_forgotten_after_a_day(
        self, running: Running, user: Client, backdated: Callable[[str], Any]
    ) -> None:
        await user.post("/call-logs", NO_ID, headers=keyed("k"))
        await backdated("k")
        assert (await user.post("/call-logs", NO_ID, headers=keyed("k"))).status == 201
        assert await total(user) == 2
        await backdated("k")
        await idempotency.forget_old(running.resources)
        kept = "SELECT count(*) FROM idempotency_keys WHERE owner_id = $1"
        assert await running.resources.db.pool.fetchval(kept, user.user["id"]) == 0

    @pytest.fixture
    def backdated(self, running: Running, user: Client) -> Callable[[str], Any]:
        """Make a key of the user a day and a minute old."""

        async def change(key: str) -> None:
            await running.resources.db.pool.execute(
                "UPDATE idempotency_keys SET created_at = created_at - $3::interval WHERE owner_id = $1 AND key = $2",
                user.user["id"],
                key,
                timedelta(hours=24, minutes=1),
            )

        return change
