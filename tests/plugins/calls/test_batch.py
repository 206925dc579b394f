"""POST /call-logs/batch: pushing calls in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from voicera.testing import Client, Running, statements_of

NewCall = Callable[..., dict[str, Any]]
BATCH = "/call-logs/batch"
EXAMPLES = Path(__file__).parents[3] / "examples" / "calls.ndjson"


async def total(client: Client, query: str = "") -> int:
    answer = await client.get("/call-logs?limit=1" + query)
    assert answer.status == 200, answer.content
    return int(answer.data["total"])


class TestBatch:
    async def test_an_anonymous_caller_is_refused(self, anonymous: Client, call: NewCall) -> None:
        answer = await anonymous.post(BATCH, [call()])
        assert (answer.status, answer.code) == (401, "AUTH_003")
        assert answer.headers["WWW-Authenticate"] == "Bearer"

    async def test_an_external_id_of_a_neighbour_is_not_a_duplicate(
        self, user: Client, neighbour: Client, call: NewCall
    ) -> None:
        log = call()
        assert (await user.post(BATCH, [log])).data["created"] == 1
        assert (await neighbour.post(BATCH, [log])).data["created"] == 1
        assert (await total(user), await total(neighbour)) == (1, 1)

    async def test_a_batch_is_recorded_and_counted(self, user: Client, call: NewCall) -> None:
        answer = await user.post(BATCH, [call() for _ in range(500)])
        assert answer.status == 201
        assert answer.data == {"received": 500, "created": 500, "duplicates": 0, "rejected": 0, "errors": []}
        assert await total(user) == 500

    async def test_sending_it_again_creates_nothing(self, user: Client, call: NewCall) -> None:
        batch = [call() for _ in range(20)]
        await user.post(BATCH, batch)
        answer = await user.post(BATCH, [*batch, call(), call(), {**batch[0], "status": "busy"}])
        assert answer.data == {"received": 23, "created": 2, "duplicates": 21, "rejected": 0, "errors": []}
        assert await total(user) == 22

    async def test_twice_in_one_batch_counts_once_and_the_first_stays(self, user: Client, call: NewCall) -> None:
        log = call()
        answer = await user.post(BATCH, [log, {**log, "status": "busy"}])
        assert (answer.data["created"], answer.data["duplicates"]) == (1, 1)
        assert (await user.get("/call-logs")).data["items"][0]["status"] == "completed"

    async def test_logs_without_external_id_are_all_new(self, user: Client, call: NewCall) -> None:
        log = {"phone_number": "+1234567890", "status": "busy"}
        assert (await user.post(BATCH, [log, log])).data["created"] == 2

    async def test_six_clients_sending_the_same_calls_at_once_create_them_once(
        self, user: Client, call: NewCall
    ) -> None:
        batch = [call() for _ in range(500)]
        answers = await asyncio.gather(*[user.post(BATCH, batch[i * 80 :] + batch[: i * 80]) for i in range(6)])
        assert [answer.status for answer in answers] == [201] * 6
        assert sum(answer.data["created"] for answer in answers) == 500
        assert await total(user) == 500

    async def test_one_bad_log_rejects_the_batch_and_names_every_wrong_field(self, user: Client, call: NewCall) -> None:
        batch = [call(), call(status="gone"), call(phone_number="12"), {"status": "busy", "colour": 1}, call()]
        answer = await user.post(BATCH, batch)
        assert (answer.status, answer.code) == (422, "REQUEST_002")
        assert [entry["field"] for entry in answer.error["details"]] == [
            "[1].status",
            "[2].phone_number",
            "[3].phone_number",
            "[3].colour",
        ]
        assert await total(user) == 0

    async def test_the_example_calls_go_in_as_ndjson(self, user: Client) -> None:
        answer = await user.post(BATCH, body=EXAMPLES.read_bytes(), headers={"Content-Type": "application/x-ndjson"})
        assert (answer.status, answer.data["created"]) == (201, 1000)
        assert await total(user) == 1000

    async def test_an_empty_batch_is_fine(self, user: Client) -> None:
        answer = await user.post(BATCH, [])
        assert (answer.status, answer.data["received"]) == (201, 0)

    async def test_more_than_ten_thousand_are_too_many(self, user: Client) -> None:
        answer = await user.post(BATCH, [{"phone_number": "+1234567", "status": "busy"}] * 10_001)
        assert (answer.status, answer.code) == (413, "REQUEST_003")
        assert await total(user) == 0

    async def test_calls_of_2015_and_of_last_second_go_in_the_same_batch(self, user: Client, call: NewCall) -> None:
        now = datetime.now(UTC)
        moments = ["2015-03-01T00:00:00Z", "2019-12-31T23:59:59.999Z", now.isoformat()]
        answer = await user.post(BATCH, [call(created_at=moment) for moment in moments])
        assert answer.data["created"] == 3
        listed = (await user.get("/call-logs")).data["items"]
        assert [item["created_at"][:10] for item in listed] == [now.strftime("%Y-%m-%d"), "2019-12-31", "2015-03-01"]
        assert listed[1]["created_at"] == "2019-12-31T23:59:59.999Z"

    async def test_a_call_far_in_the_future_is_refused(self, user: Client, call: NewCall) -> None:
        soon = (datetime.now(UTC) + timedelta(minutes=4)).isoformat()
        late = (datetime.now(UTC) + timedelta(minutes=6)).isoformat()
        assert (await user.post(BATCH, [call(created_at=soon)])).status == 201
        answer = await user.post(BATCH, [call(), call(created_at=late)])
        assert answer.error["details"] == [
            {"field": "[1].created_at", "message": "is more than five minutes in the future"}
        ]

    async def test_another_owners_agent_is_refused_like_one_that_does_not_exist(
        self, user: Client, neighbour: Client, call: NewCall
    ) -> None:
        mine = (await user.post("/agents", {"name": "Mine"})).data["id"]
        theirs = (await neighbour.post("/agents", {"name": "Theirs"})).data["id"]
        assert (await user.post(BATCH, [call(agent_id=mine)])).status == 201
        foreign = await user.post(BATCH, [call(agent_id=mine), call(agent_id=theirs)])
        missing = await user.post(BATCH, [call(agent_id=mine), call(agent_id=str(uuid4()))])
        assert foreign.status == missing.status == 422
        assert foreign.error == missing.error
        assert foreign.error["details"] == [{"field": "[1].agent_id", "message": "does not exist"}]

    async def test_metadata_beyond_16_kib_is_refused(self, user: Client, call: NewCall) -> None:
        answer = await user.post(BATCH, [call(metadata={"x": "y" * 16_400})])
        assert answer.error["details"][0]["field"] == "[0].metadata"

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("phone_number", "+1234567890\n"),
            ("phone_number", "1234567890"),
            ("phone_number", "+123456"),
            ("phone_number", "+1234567890123456"),
            ("external_id", ""),
            ("external_id", "x" * 201),
            ("duration_seconds", -1),
            ("duration_seconds", 1.5),
            ("duration_seconds", 2**63),
            ("cost", -0.01),
            ("emotions", ["x"] * 33),
            ("key_phrases", ["x"] * 101),
            ("transcript", "a\x00b"),
            ("created_at", "2024-01-29T10:30:00"),
            ("created_at", "0001-01-01T00:00:00Z"),
            ("created_at", "9999-12-31T23:59:59Z"),
            ("metadata", []),
            ("metadata", {"a\x00": 1}),
            ("id", "018d54f1-2d40-7c11-8f5e-0242ac120002"),
            ("owner_id", "018d54f1-2d40-7c11-8f5e-0242ac120002"),
        ],
    )
    async def test_a_bad_value_is_refused_by_name(self, user: Client, call: NewCall, field: str, value: Any) -> None:
        answer = await user.post(BATCH, [call(**{field: value})])
        assert (answer.status, answer.code) == (422, "REQUEST_002"), answer.content
        assert answer.error["details"][0]["field"].startswith(f"[0].{field}".rstrip("s")[:8])

    async def test_broken_ndjson_is_refused_whole(self, user: Client, call: NewCall) -> None:
        body = orjson.dumps(call()) + b"\n{broken\n"
        answer = await user.post(BATCH, body=body, headers={"Content-Type": "application/x-ndjson"})
        assert (answer.status, answer.code) == (400, "REQUEST_001")
        assert await total(user) == 0


# The tables that a batch writes to; the folding of rollups in the background has other statements.
WRITTEN = ("call_keys", "call_logs", "INSERT INTO call_deltas")


async def test_a_batch_takes_the_same_round_trips_whatever_its_size(
    running: Running, user: Client, call: NewCall
) -> None:
    counts = []
    async with statements_of(running) as seen:
        for size in (1, 1, 2000):  # the first makes the connection learn the types
            before = len(seen)
            await user.post(BATCH, [call() for _ in range(size)])
            counts.append([one for one in seen[before:] if any(table in one for table in WRITTEN)])
    assert counts[1] == counts[2]
    assert len(counts[1]) <= 3


async def test_the_answer_of_a_call_that_was_read_back_equals_what_was_sent(user: Client, call: NewCall) -> None:
    log = call(metadata={"carrier": "twilio", "nested": {"a": [1, 2.5, None, "é"]}}, direction="inbound", cost=0.123456)
    await user.post(BATCH, [log])
    listed = (await user.get("/call-logs")).data["items"][0]
    detail = (await user.get(f"/call-logs/{listed['id']}")).data
    assert {key: detail[key] for key in log if key != "created_at"} == {
        key: value for key, value in log.items() if key != "created_at"
    }
    assert detail["created_at"] == "2024-01-29T10:30:00.000Z"
    assert UUID(detail["id"]).version == 7
    assert detail["recording_url"] is None
