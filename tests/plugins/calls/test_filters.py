"""All filters in any combination, against the same search in Python; and walks along cursors."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from plugins.calls.service import pages
from voicera.testing import Client

Log = dict[str, Any]
NewCall = Callable[..., Log]
STATUSES = ["completed", "completed", "completed", "failed", "no_answer", "busy", "cancelled", "queued"]
SENTIMENTS = ["positive", "neutral", "negative", None]
NEWEST = datetime(2024, 6, 30, 23, 59, 59, tzinfo=UTC)
SIZE = 700


@pytest.fixture(scope="module")
async def searcher(running: Any) -> tuple[Client, list[Log]]:
    """A user with 700 random calls over half a year, and the calls as they were sent, newest first."""
    chance = random.Random(7)
    client = await running.client.new_user()
    agents = [(await client.post("/agents", {"name": f"Agent {i}"})).data["id"] for i in range(3)]
    campaigns = [
        (await client.post("/campaigns", {"name": f"C{i}", "agent_id": agents[0], "phone_numbers": ["+1234567"]})).data
        for i in range(3)
    ]
    logs: list[Log] = [
        {
            "external_id": f"X{i}",
            "phone_number": f"+4930{chance.randrange(40):07d}",
            "status": chance.choice(STATUSES),
            "agent_id": chance.choice([*agents, None]),
            "campaign_id": chance.choice([*(campaign["id"] for campaign in campaigns), None]),
            "sentiment": chance.choice(SENTIMENTS),
            "duration_seconds": chance.choice([None, chance.randrange(300), 17]),
            "created_at": (NEWEST - timedelta(seconds=chance.random() * 180 * 86_400)).isoformat(
                timespec="milliseconds"
            ),
        }
        for i in range(SIZE)
    ]
    assert (await client.post("/call-logs/batch", logs)).data["created"] == SIZE
    return client, sorted(logs, key=lambda log: log["created_at"], reverse=True)


def random_filters(chance: random.Random, logs: list[Log]) -> dict[str, str]:
    """Some filters, most of them with values that occur."""
    one = chance.choice(logs)
    start = datetime.fromisoformat(chance.choice(logs)["created_at"])
    found = {
        "agent_id": one["agent_id"],
        "campaign_id": one["campaign_id"],
        "status": one["status"],
        "sentiment": one["sentiment"],
        "phone_number": one["phone_number"] if chance.random() < 0.3 else None,
        "external_id": one["external_id"] if chance.random() < 0.1 else None,
        "min_duration": str(chance.randrange(300)),
        "max_duration": str(chance.randrange(300)),
        "start_date": start.isoformat().replace("+00:00", "Z"),
        "end_date": (start + timedelta(days=chance.randrange(1, 90))).date().isoformat(),
    }
    return {name: value for name, value in found.items() if value is not None and chance.random() < 0.35}


def matches(log: Log, filters: dict[str, str]) -> bool:
    """What the filters mean, said once more."""
    for name in ("agent_id", "campaign_id", "status", "sentiment", "phone_number", "external_id"):
        if name in filters and log[name] != filters[name]:
            return False
    seconds = log["duration_seconds"]
    if "min_duration" in filters and (seconds is None or seconds < int(filters["min_duration"])):
        return False
    if "max_duration" in filters and (seconds is None or seconds > int(filters["max_duration"])):
        return False
    moment = datetime.fromisoformat(log["created_at"])
    if "start_date" in filters and moment < datetime.fromisoformat(filters["start_date"]):
        return False
    end = filters.get("end_date")
    return end is None or moment < datetime.fromisoformat(end).replace(tzinfo=UTC) + timedelta(days=1)


async def walk(client: Client, filters: dict[str, str], limit: int) -> list[str]:
    """All external ids, page by page along the cursors; no page is empty, and each tells the same total."""
    found: list[str] = []
    totals: set[int] = set()
    cursor: str | None = ""
    while cursor is not None:
        params = {**filters, "limit": str(limit), **({"cursor": cursor} if cursor else {})}
        page = (await client.get("/call-logs", params=params)).data
        totals.add(page["total"])
        assert page["items"] or not cursor
        found += [item["external_id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert totals == {len(found)}
    return found


class TestFilters:
    @pytest.mark.parametrize("seed", range(60))
    async def test_any_combination_finds_what_a_search_in_python_finds(
        self, searcher: tuple[Client, list[Log]], seed: int
    ) -> None:
        client, logs = searcher
        chance = random.Random(seed)
        filters = random_filters(chance, logs)
        expected = [log["external_id"] for log in logs if matches(log, filters)]
        skip, limit = chance.randrange(len(expected) + 2), chance.choice([1, 7, 50, 1000])
        params = {**filters, "skip": str(skip), "limit": str(limit)}
        page = (await client.get("/call-logs", params=params)).data
        assert page["total"] == len(expected)
        assert [item["external_id"] for item in page["items"]] == expected[skip : skip + limit]
        assert (page["next_cursor"] is None) == (skip + limit >= len(expected))
        without = (await client.get("/call-logs", params={**params, "total": "false"})).data
        assert without == {**page, "total": None}

    @pytest.mark.parametrize("seed", range(12))
    async def test_a_walk_along_cursors_gives_every_call_once(
        self, searcher: tuple[Client, list[Log]], seed: int
    ) -> None:
        client, logs = searcher
        chance = random.Random(1000 + seed)
        filters = random_filters(chance, logs) if seed else {}
        expected = [log["external_id"] for log in logs if matches(log, filters)]
        assert await walk(client, filters, chance.choice([30, 100, 333])) == expected


WAYS = {"gathered": (SIZE, 0), "sought": (-1, -1), "walked": (-1, SIZE * 1000)}


class TestDurations:
    """Durations have an index that knows no order of time: how many match decides how a page is found."""

    @pytest.fixture(params=WAYS)
    def way(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Force one way, by the bounds that decide between them; what was chosen is noted."""
        few, walked = WAYS[request.param]
        monkeypatch.setattr(pages, "FEW", few)
        monkeypatch.setattr(pages, "WALKED", walked)
        chosen: list[pages.Way] = []
        choose = pages._way

        async def noted(asked: pages.Asked) -> pages.Way:
            chosen.append(await choose(asked))
            return chosen[-1]

        monkeypatch.setattr(pages, "_way", noted)
        yield request.param
        ways = {"gathered" if way.gathered else "sought" if way.sought else "walked" for way in chosen}
        assert request.param in ways

    @pytest.mark.parametrize("seed", range(6))
    async def test_every_way_finds_what_a_search_in_python_finds(
        self, searcher: tuple[Client, list[Log]], way: str, seed: int
    ) -> None:
        client, logs = searcher
        chance = random.Random(2000 + seed)
        for _ in range(4):
            filters = {"min_duration": str(chance.choice([0, 17, 18, 250, 298])), **random_filters(chance, logs)}
            for name in ("phone_number", "external_id"):
                filters.pop(name, None)
            expected = [log["external_id"] for log in logs if matches(log, filters)]
            skip, limit = chance.randrange(len(expected) + 2), chance.choice([1, 7, 50, 1000])
            params = {**filters, "skip": str(skip), "limit": str(limit)}
            page = (await client.get("/call-logs", params=params)).data
            assert page["total"] == len(expected), filters
            assert [item["external_id"] for item in page["items"]] == expected[skip : skip + limit], params
            assert await walk(client, filters, chance.choice([30, 100, 333])) == expected, filters


class TestExport:
    async def test_an_anonymous_caller_is_refused(self, anonymous: Client) -> None:
        assert (await anonymous.get("/call-logs/export")).code == "AUTH_003"

    async def test_a_neighbour_exports_nothing(self, searcher: tuple[Client, list[Log]], neighbour: Client) -> None:
        answer = await neighbour.get("/call-logs/export")
        assert (answer.status, answer.content) == (200, b"")

    @pytest.mark.parametrize("seed", range(6))
    async def test_what_matches_comes_whole_line_by_line(self, searcher: tuple[Client, list[Log]], seed: int) -> None:
        client, logs = searcher
        filters = random_filters(random.Random(2000 + seed), logs) if seed else {}
        answer = await client.get("/call-logs/export", params=filters)
        assert answer.headers["Content-Type"] == "application/x-ndjson"
        lines = [orjson.loads(line) for line in answer.content.splitlines()]
        assert [line["external_id"] for line in lines] == [log["external_id"] for log in logs if matches(log, filters)]
        if lines:
            assert lines[0] == (await client.get(f"/call-logs/{lines[0]['id']}")).data
            rest = await client.get("/call-logs/export", params={**filters, "before": lines[0]["id"]})
            assert [orjson.loads(line) for line in rest.content.splitlines()] == lines[1:]

    async def test_a_malformed_parameter_is_named(self, user: Client) -> None:
        answer = await user.get("/call-logs/export?start_date=x")
        assert (answer.status, answer.error["details"][0]["field"]) == (400, "start_date")


class TestCursors:
    async def test_a_walk_stays_right_while_calls_arrive(self, user: Client, call: NewCall) -> None:
        old = [call(created_at=f"2024-01-01T00:{i % 60:02d}:{i // 60:02d}Z") for i in range(300)]
        await user.post("/call-logs/batch", old)
        arriving = asyncio.create_task(_keep_sending(user, call))
        try:
            seen: list[str] = []
            cursor = ""
            while True:
                page = (await user.get(f"/call-logs?limit=20{cursor}")).data
                seen += [item["external_id"] for item in page["items"]]
                if page["next_cursor"] is None:
                    break
                cursor = f"&cursor={page['next_cursor']}"
        finally:
            arriving.cancel()
        assert len(seen) == len(set(seen))
        assert set(seen) >= {log["external_id"] for log in old}

    async def test_a_cursor_is_bound_to_owner_and_filters(self, user: Client, neighbour: Client, call: NewCall) -> None:
        await user.post("/call-logs/batch", [call() for _ in range(3)])
        cursor = (await user.get("/call-logs?limit=1")).data["next_cursor"]
        refused = {"field": "cursor", "message": "is not the next_cursor of a page with the same filters"}
        for client, query in ((user, "&status=busy"), (neighbour, "")):
            answer = await client.get(f"/call-logs?limit=1&cursor={cursor}{query}")
            assert (answer.status, answer.error["details"]) == (400, [refused])

    async def test_cursor_and_skip_do_not_go_together(self, user: Client, call: NewCall) -> None:
        await user.post("/call-logs/batch", [call() for _ in range(3)])
        cursor = (await user.get("/call-logs?limit=1")).data["next_cursor"]
        answer = await user.get(f"/call-logs?skip=1&cursor={cursor}")
        assert [entry["field"] for entry in answer.error["details"]] == ["skip"]


async def _keep_sending(client: Client, call: NewCall) -> None:
    while True:
        await client.post("/call-logs/batch", [call(created_at=datetime.now(UTC).isoformat()) for _ in range(5)])
