"""POST /call-logs: one call at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from voicera.testing import Client, Running, statements_of

NewCall = Callable[..., dict[str, Any]]
CALLS = "/call-logs"


class TestSingle:
    async def test_an_anonymous_caller_is_refused(self, anonymous: Client, call: NewCall) -> None:
        assert (await anonymous.post(CALLS, call())).code == "AUTH_003"

    async def test_an_external_id_of_a_neighbour_is_free(self, user: Client, neighbour: Client, call: NewCall) -> None:
        log = call()
        assert [(await one.post(CALLS, log)).status for one in (user, neighbour)] == [201, 201]

    async def test_the_answer_is_what_the_detail_shows(self, user: Client, call: NewCall) -> None:
        made = await user.post(CALLS, call(cost=2.0, metadata={"b": [1, 2.5, None], "a": "ä"}))
        assert made.status == 201
        shown = await user.get(made.headers["Location"])
        assert made.data == shown.data

    async def test_only_number_and_status_are_needed(self, user: Client) -> None:
        made = await user.post(CALLS, {"phone_number": "+1234567", "status": "queued"})
        assert made.status == 201
        assert {name for name, value in made.data.items() if value not in (None, [])} == {
            "id",
            "phone_number",
            "status",
            "created_at",
            "updated_at",
        }

    async def test_sent_again_unchanged_it_answers_with_what_is_there(self, user: Client, call: NewCall) -> None:
        log = call(metadata={"x": 1})
        made, again = await user.post(CALLS, log), await user.post(CALLS, log)
        assert (made.status, again.status) == (201, 200)
        assert {**again.data, "updated_at": None} == {**made.data, "updated_at": None}
        assert again.headers["Location"] == made.headers["Location"]

    async def test_without_a_time_it_is_the_same_whenever_it_is_sent(self, user: Client, call: NewCall) -> None:
        log = {name: value for name, value in call().items() if name != "created_at"}
        assert [(await user.post(CALLS, log)).status for _ in range(2)] == [201, 200]

    async def test_sent_again_changed_it_is_a_conflict(self, user: Client, call: NewCall) -> None:
        log = call(metadata={"x": 1})
        made = await user.post(CALLS, log)
        for change in (
            {"status": "busy"},
            {"cost": 0.6},
            {"metadata": {"x": 2}},
            {"created_at": "2024-01-29T10:30:00.001Z"},
            {"emotions": []},
            {"transcript": None},
        ):
            answer = await user.post(CALLS, {**log, **change})
            assert (answer.status, answer.code) == (409, "CALL_002"), change
        assert (await user.get(made.headers["Location"])).data["status"] == "completed"

    async def test_what_was_changed_since_is_still_known_as_it_was_sent(self, user: Client, call: NewCall) -> None:
        log = call(status="in_progress", sentiment=None)
        made = await user.post(CALLS, log)
        await user.patch(f"{CALLS}/{made.data['id']}", {"status": "completed"})
        await user.patch(f"{CALLS}/{made.data['id']}", {"sentiment": "positive"})
        again = await user.post(CALLS, log)
        assert (again.status, again.data["status"], again.data["sentiment"]) == (200, "completed", "positive")
        now_different = await user.post(CALLS, {**log, "status": "completed", "sentiment": "positive"})
        assert now_different.code == "CALL_002"

    async def test_wrong_fields_are_named_all(self, user: Client) -> None:
        answer = await user.post(CALLS, {"phone_number": "1", "status": "gone", "colour": 1})
        assert (answer.status, answer.code) == (422, "REQUEST_002")
        assert [entry["field"] for entry in answer.error["details"]] == ["phone_number", "status", "colour"]

    async def test_an_agent_of_a_neighbour_does_not_exist(self, user: Client, neighbour: Client, call: NewCall) -> None:
        theirs = (await neighbour.post("/agents", {"name": "A"})).data["id"]
        answers = [await user.post(CALLS, call(agent_id=one)) for one in (theirs, str(uuid4()))]
        refused = [{"field": "agent_id", "message": "does not exist"}]
        assert [(answer.status, answer.error["details"]) for answer in answers] == [(422, refused)] * 2

    async def test_calls_at_the_same_time_share_transactions(
        self, running: Running, user: Client, call: NewCall
    ) -> None:
        async with statements_of(running) as statements:
            answers = await asyncio.gather(*[user.post(CALLS, call()) for _ in range(100)])
        assert [answer.status for answer in answers] == [201] * 100
        assert len({answer.data["id"] for answer in answers}) == 100
        assert sum(statement.startswith("BEGIN") for statement in statements) < 30
        assert (await user.get("/call-logs?limit=1")).data["total"] == 100

    async def test_a_bad_neighbour_in_the_same_transaction_harms_nobody(self, user: Client, call: NewCall) -> None:
        logs = [call(agent_id=str(uuid4()) if i % 5 == 0 else None) for i in range(50)]
        answers = await asyncio.gather(*[user.post(CALLS, log) for log in logs])
        assert [answer.status for answer in answers] == [422 if i % 5 == 0 else 201 for i in range(50)]

    async def test_the_same_call_at_the_same_time_is_recorded_once(self, user: Client, call: NewCall) -> None:
        log = call()
        answers = await asyncio.gather(*[user.post(CALLS, log) for _ in range(40)])
        assert sorted(answer.status for answer in answers) == [200] * 39 + [201]
        assert len({answer.data["id"] for answer in answers}) == 1
