"""GET /call-logs and GET /call-logs/{id}: finding calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from voicera.testing import Client

NewCall = Callable[..., dict[str, Any]]
BATCH = "/call-logs/batch"


@pytest.fixture
async def campaign_id(user: Client) -> str:
    """A campaign of the user."""
    agent = await user.post("/agents", {"name": "Caller"})
    made = await user.post("/campaigns", {"name": "Q1", "agent_id": agent.data["id"], "phone_numbers": ["+1234567"]})
    assert made.status == 201, made.content
    return str(made.data["id"])


@pytest.fixture
async def caller(user: Client, call: NewCall, campaign_id: str) -> Client:
    """A user with ten calls, one a day from 2024-01-01 on; the first three of a campaign."""
    statuses = ["completed", "failed", "busy", "no_answer", "completed"] * 2
    logs = [
        call(
            status=status,
            created_at=f"2024-01-{day:02d}T12:00:00Z",
            phone_number=f"+12345678{day:02d}",
            campaign_id=campaign_id if day <= 3 else None,
            transcript="ä" * 300,
        )
        for day, status in enumerate(statuses, 1)
    ]
    assert (await user.post(BATCH, logs)).data["created"] == 10
    return user


async def days(client: Client, query: str) -> list[int]:
    answer = await client.get(f"/call-logs?{query}")
    assert answer.status == 200, answer.content
    assert answer.data["total"] >= len(answer.data["items"])
    return [int(item["created_at"][8:10]) for item in answer.data["items"]]


class TestList:
    async def test_an_anonymous_caller_is_refused(self, anonymous: Client) -> None:
        assert (await anonymous.get("/call-logs")).code == "AUTH_003"

    async def test_a_neighbour_sees_nothing(self, caller: Client, neighbour: Client, campaign_id: str) -> None:
        answer = await neighbour.get(f"/call-logs?campaign_id={campaign_id}")
        assert (answer.data["total"], answer.data["items"]) == (0, [])

    async def test_newest_first_with_an_exact_total(self, caller: Client) -> None:
        answer = await caller.get("/call-logs?limit=3")
        assert (answer.data["total"], answer.data["skip"], answer.data["limit"]) == (10, 0, 3)
        assert await days(caller, "limit=3") == [10, 9, 8]

    async def test_an_item_has_what_the_reference_shows(self, caller: Client) -> None:
        item = (await caller.get("/call-logs?limit=1")).data["items"][0]
        assert item.keys() >= {
            "id",
            "campaign_id",
            "phone_number",
            "status",
            "duration_seconds",
            "sentiment",
            "emotions",
            "transcript",
            "created_at",
        }
        assert item["transcript"] == "ä" * 200

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("skip=8", [2, 1]),
            ("skip=10", []),
            ("skip=9223372036854775807", []),
            ("campaign_id=CAMPAIGN", [3, 2, 1]),
            ("status=completed", [10, 6, 5, 1]),
            ("status=completed&campaign_id=CAMPAIGN", [1]),
            ("phone_number=%2B1234567804", [4]),
            ("start_date=2024-01-09", [10, 9]),
            ("end_date=2024-01-02", [2, 1]),
            ("start_date=2024-01-02&end_date=2024-01-02", [2]),
            ("start_date=2024-01-05T12:00:00Z&end_date=2024-01-06T11:59:59Z", [5]),
            ("start_date=2024-01-05T13:00:00%2B01:00&end_date=2024-01-05T12:00:00Z", [5]),
            ("start_date=0001-01-01", [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
            ("end_date=9999-12-31", [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
            ("start_date=2024-02-01", []),
        ],
    )
    async def test_a_filter_finds_its_calls(
        self, caller: Client, campaign_id: str, query: str, expected: list[int]
    ) -> None:
        assert await days(caller, query.replace("CAMPAIGN", campaign_id)) == expected

    @pytest.mark.parametrize(
        "query",
        [
            "limit=1001",
            "limit=0",
            "limit=x",
            "skip=-1",
            "skip=99999999999999999999",
            "status=gone",
            "campaign_id=x",
            "phone_number=12",
            "start_date=yesterday",
            "start_date=2024-13-01",
            "start_date=2024-01-01T00:00:00",
            "end_date=2024-02-30",
            "agent_id=1",
            "sentiment=glad",
            "external_id=",
            "min_duration=-1",
            "max_duration=1.5",
            "cursor=bm9uc2Vuc2U",
            "total=perhaps",
            "colour=red",
        ],
    )
    async def test_a_malformed_parameter_is_named(self, caller: Client, query: str) -> None:
        answer = await caller.get(f"/call-logs?{query}")
        assert (answer.status, answer.code) == (400, "REQUEST_001")
        assert [entry["field"] for entry in answer.error["details"]] == [query.partition("=")[0]]


class TestDetail:
    async def test_an_anonymous_caller_is_refused(self, anonymous: Client) -> None:
        assert (await anonymous.get(f"/call-logs/{uuid4()}")).code == "AUTH_003"

    async def test_a_neighbours_call_answers_as_one_that_does_not_exist(
        self, caller: Client, neighbour: Client
    ) -> None:
        mine = (await caller.get("/call-logs")).data["items"][0]["id"]
        answers = [await neighbour.get(f"/call-logs/{one}") for one in (mine, str(uuid4()), "nonsense")]
        assert [(answer.status, answer.error) for answer in answers] == [
            (404, {"code": "CALL_001", "message": "Call log not found", "details": None})
        ] * 3

    async def test_a_call_is_shown_whole(self, caller: Client) -> None:
        mine = (await caller.get("/call-logs")).data["items"][0]["id"]
        answer = await caller.get(f"/call-logs/{mine}")
        assert answer.data["transcript"] == "ä" * 300
        assert answer.data.keys() >= {"summary", "key_phrases", "recording_url", "cost", "metadata", "updated_at"}
