"""PATCH and DELETE /call-logs/{id}: later results, and deletion."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest

from core.settings import Settings
from plugins.calls.hookspecs import CallsChanged
from voicera import Connection, PermissionDenied, hookimpl
from voicera.testing import Client, Running, eventually, running_app, settings_for_tests

NewCall = Callable[..., dict[str, Any]]
LATER = {
    "status": "completed",
    "duration_seconds": 61,
    "sentiment": "negative",
    "emotions": ["angry"],
    "key_phrases": ["refund"],
    "transcript": "long" * 100,
    "summary": "Wants a refund",
    "cost": 1.25,
}


@pytest.fixture
async def mine(user: Client, call: NewCall) -> dict[str, Any]:
    """A call of the user that is in progress."""
    made = await user.post("/call-logs", call(status="in_progress", duration_seconds=None, sentiment=None))
    return dict(made.data)


class TestChange:
    async def test_an_anonymous_caller_is_refused(self, anonymous: Client) -> None:
        assert (await anonymous.patch(f"/call-logs/{uuid4()}", {})).code == "AUTH_003"

    async def test_a_neighbours_call_answers_as_one_that_does_not_exist(
        self, user: Client, neighbour: Client, mine: dict[str, Any]
    ) -> None:
        answers = [await neighbour.patch(f"/call-logs/{one}", LATER) for one in (mine["id"], uuid4(), "x")]
        assert [(answer.status, answer.code) for answer in answers] == [(404, "CALL_001")] * 3
        assert (await user.get(f"/call-logs/{mine['id']}")).data == mine | {
            "updated_at": (await user.get(f"/call-logs/{mine['id']}")).data["updated_at"]
        }

    async def test_later_results_are_set_and_the_rest_stays(self, user: Client, mine: dict[str, Any]) -> None:
        answer = await user.patch(f"/call-logs/{mine['id']}", LATER)
        assert answer.status == 200
        assert answer.data == {**mine, **LATER, "updated_at": answer.data["updated_at"]}
        assert answer.data["updated_at"] > mine["updated_at"]
        assert (await user.get(f"/call-logs/{mine['id']}")).data == answer.data

    async def test_null_clears_what_may_be_null(self, user: Client, mine: dict[str, Any]) -> None:
        await user.patch(f"/call-logs/{mine['id']}", LATER)
        answer = await user.patch(f"/call-logs/{mine['id']}", {"sentiment": None, "cost": None})
        assert (answer.data["sentiment"], answer.data["cost"], answer.data["summary"]) == (None, None, "Wants a refund")
        refused = await user.patch(f"/call-logs/{mine['id']}", {"status": None})
        assert (refused.status, refused.code) == (422, "REQUEST_002")

    @pytest.mark.parametrize("field", ["phone_number", "created_at", "external_id", "id", "owner_id", "agent_id"])
    async def test_what_identifies_a_call_cannot_be_changed(
        self, user: Client, mine: dict[str, Any], field: str
    ) -> None:
        answer = await user.patch(f"/call-logs/{mine['id']}", {field: mine.get(field), "status": "busy"})
        assert answer.error["details"] == [{"field": field, "message": "is not a known field"}]
        assert (await user.get(f"/call-logs/{mine['id']}")).data["status"] == "in_progress"

    async def test_a_finished_call_never_goes_back(self, user: Client, mine: dict[str, Any]) -> None:
        path = f"/call-logs/{mine['id']}"
        assert (await user.patch(path, {"status": "queued"})).status == 200
        assert (await user.patch(path, {"status": "failed"})).status == 200
        for unfinished in ("queued", "in_progress"):
            answer = await user.patch(path, {"status": unfinished, "cost": 9})
            assert (answer.status, answer.code) == (409, "CALL_003")
        assert (await user.patch(path, {"status": "completed"})).data["cost"] == 0.5

    async def test_changes_at_the_same_time_all_happen(self, user: Client, mine: dict[str, Any]) -> None:
        path = f"/call-logs/{mine['id']}"
        changes = [{"summary": "one"}, {"sentiment": "neutral"}, {"duration_seconds": 5}, {"cost": 3}] * 4
        assert {answer.status for answer in await asyncio.gather(*[user.patch(path, one) for one in changes])} == {200}
        shown = (await user.get(path)).data
        assert [shown[name] for one in changes[:4] for name in one] == ["one", "neutral", 5, 3]


class TestDelete:
    async def test_an_anonymous_caller_is_refused(self, anonymous: Client) -> None:
        assert (await anonymous.delete(f"/call-logs/{uuid4()}")).code == "AUTH_003"

    async def test_a_neighbours_call_stays(self, user: Client, neighbour: Client, mine: dict[str, Any]) -> None:
        answers = [await neighbour.delete(f"/call-logs/{one}") for one in (mine["id"], uuid4())]
        assert [(answer.status, answer.code) for answer in answers] == [(404, "CALL_001")] * 2
        assert (await user.get(f"/call-logs/{mine['id']}")).status == 200

    async def test_it_is_gone_everywhere_and_its_external_id_is_free(self, user: Client, mine: dict[str, Any]) -> None:
        path = f"/call-logs/{mine['id']}"
        assert (await user.delete(path)).status == 204
        assert [(await user.get(path)).status, (await user.delete(path)).status] == [404, 404]
        assert (await user.get("/call-logs")).data["total"] == 0
        again = {"phone_number": "+1234567", "status": "busy", "external_id": mine["external_id"]}
        assert (await user.post("/call-logs", again)).status == 201

    async def test_deleted_at_the_same_time_one_succeeds(self, user: Client, mine: dict[str, Any]) -> None:
        answers = await asyncio.gather(*[user.delete(f"/call-logs/{mine['id']}") for _ in range(8)])
        assert sorted(answer.status for answer in answers) == [204] + [404] * 7


class TestEvents:
    """A plugin hears of changes in the transaction, where it may refuse, and after it."""

    @pytest.fixture
    async def listener(self) -> ModuleType:
        module = ModuleType("listener")
        heard: list[tuple[str, CallsChanged]] = []

        async def calls_changing(connection: Connection, batch: CallsChanged) -> None:
            heard.append(("changing", batch))
            if any(one.after and one.after.log.summary == "forbidden" for one in batch.changes):
                raise PermissionDenied("not this one")

        async def calls_changed(batch: CallsChanged) -> None:
            heard.append(("changed", batch))

        module.calls_changing = hookimpl(optionalhook=True)(calls_changing)  # type: ignore[attr-defined]
        module.calls_changed = hookimpl(optionalhook=True)(calls_changed)  # type: ignore[attr-defined]
        module.heard = heard  # type: ignore[attr-defined]
        return module

    @pytest.fixture
    async def listened(self, stack: Settings, listener: ModuleType) -> AsyncIterator[Running]:
        async with running_app(settings_for_tests(stack), plugins=[listener], migrated=True) as running:
            yield running

    async def test_before_and_after_are_told_and_a_refusal_rolls_back(
        self, listened: Running, listener: ModuleType, call: NewCall
    ) -> None:
        user = await listened.client.new_user()
        path = (await user.post("/call-logs", call(status="queued"))).headers["Location"]
        refused = await user.patch(path, {"summary": "forbidden"})
        assert (refused.status, refused.code) == (403, "AUTH_004")
        assert (await user.get(path)).data["summary"] != "forbidden"
        assert [tense for tense, _ in listener.heard] == ["changing"]
        listener.heard.clear()
        await user.patch(path, {"status": "completed"})
        await user.patch(path, {"status": "completed"})  # changes nothing, so nobody hears of it
        await user.delete(path)
        await eventually(lambda: len(listener.heard) == 4)
        told = [
            (tense, one.before.log.status, one.after.log.status if one.after else None)
            for tense, batch in sorted(listener.heard, key=lambda pair: pair[0])
            for one in batch.changes
        ]
        expected = [("queued", "completed"), ("completed", None)]
        assert told == [(tense, *pair) for tense in ("changed", "changing") for pair in expected]
