"""Every figure of every endpoint against the calls themselves."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import orjson
import pytest

from plugins.analytics.service import rollups, upkeep
from voicera import rfc3339
from voicera.testing import Client, Running

PATHS = ("calls", "sentiment", "top-phrases", "emotions", "hourly-calls", "daily-calls", "agent-performance")
PATHS += ("campaign-stats", "export")
CHANGES = [  # a zone whose clocks change, and the day before
    ("Europe/Berlin", "2024-03-30"),
    ("Europe/Berlin", "2024-10-26"),
    ("America/New_York", "2024-11-02"),
    ("America/Havana", "2024-03-09"),  # at midnight, which is left out
    ("Australia/Lord_Howe", "2024-04-06"),  # by half an hour
    ("Pacific/Apia", "2011-12-29"),  # by a day, the 30th
    ("Asia/Kathmandu", "2024-03-30"),  # never, but a quarter past the hour
]


def logs_every(minutes: int, first: datetime, count: int) -> list[dict[str, Any]]:
    times = (first + number * timedelta(minutes=minutes) for number in range(count))
    return [{"phone_number": "+1234567", "status": "busy", "created_at": rfc3339(at)} for at in times]


@pytest.mark.parametrize("path", PATHS)
async def test_an_anonymous_caller_is_refused(anonymous: Client, path: str) -> None:
    answer = await anonymous.get(f"/analytics/{path}")
    assert (answer.status, answer.code) == (401, "AUTH_003")


@pytest.mark.parametrize("path", PATHS)
async def test_a_neighbours_agent_and_campaign_answer_as_unknown_ones(
    neighbour: Client, ledger: Any, path: str
) -> None:
    await ledger.record(50)
    for name, theirs in (("agent_id", ledger.agents[0]), ("campaign_id", ledger.campaigns[0])):
        answers = [await neighbour.get(f"/analytics/{path}?{name}={each}") for each in (theirs, uuid4())]
        assert [answer.status for answer in answers] == [200, 200]
        bodies = [answer.content.decode() if path == "export" else answer.data for answer in answers]
        assert bodies[0] == bodies[1]
        if path == "calls":
            assert set(bodies[0].values()) == {0}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("days=7&start_date=2024-01-01", "days"),
        ("days=7&end_date=2024-01-01", "days"),
        ("days=0", "days"),
        ("days=x", "days"),
        ("start_date=yesterday", "start_date"),
        ("end_date=2024-13-01", "end_date"),
        ("start_date=2024-01-01T00:00:00", "start_date"),
        ("agent_id=nonsense", "agent_id"),
        ("agent=1", "agent"),
    ],
)
async def test_a_parameter_that_is_wrong_is_named(user: Client, query: str, field: str) -> None:
    for path in PATHS:
        answer = await user.get(f"/analytics/{path}?{query}")
        assert (answer.status, answer.code) == (400, "REQUEST_001"), path
        assert [each["field"] for each in answer.error["details"]] == [field], path


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "/etc/passwd", "", "Europe", "UTC%00"])
async def test_an_unknown_time_zone_is_refused(user: Client, zone: str) -> None:
    answer = await user.get(f"/analytics/daily-calls?timezone={zone}")
    assert (answer.status, answer.code) == (400, "REQUEST_001")


async def test_a_range_that_is_too_long_for_a_series_is_refused(user: Client) -> None:
    assert (await user.get("/analytics/hourly-calls?days=100")).code == "REQUEST_001"
    assert (await user.get("/analytics/daily-calls?days=5000")).code == "REQUEST_001"
    assert (await user.get("/analytics/daily-calls?start_date=0001-01-01&end_date=9999-12-31")).code == "REQUEST_001"
    for path in ("calls", "top-phrases"):
        assert (await user.get(f"/analytics/{path}?start_date=0001-01-01&end_date=9999-12-31")).status == 200


@pytest.mark.parametrize(("zone", "day"), CHANGES)
async def test_days_are_as_long_as_the_clocks_of_the_zone_make_them(
    user: Client, running: Running, zone: str, day: str
) -> None:
    first = datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(days=1)
    logs = logs_every(15, first, 5 * 96)
    assert (await user.post("/call-logs/batch", logs)).status == 201
    expected = Counter(datetime.fromisoformat(log["created_at"]).astimezone(ZoneInfo(zone)).date() for log in logs)
    last = first + timedelta(days=5)
    params = {"start_date": rfc3339(first), "end_date": rfc3339(last - timedelta(milliseconds=1)), "timezone": zone}
    for _ in range(2):
        rows = (await user.get("/analytics/daily-calls", params=params)).data
        assert {row["date"]: row["total_calls"] for row in rows} == {d.isoformat(): n for d, n in expected.items()}
        lines = (await user.get("/analytics/export", params={**params, "format": "ndjson"})).content.splitlines()
        read = [orjson.loads(line) for line in lines]
        assert [(row["day"], row["total_calls"]) for row in read] == [(r["date"], r["total_calls"]) for r in rows]
        await rollups.fold_all(running.resources)


async def test_a_range_counts_to_the_millisecond_folded_or_not(user: Client, running: Running) -> None:
    """Both bounds just before, on and just after calls, in the middle of an hour, on it, and on midnight."""
    steps = [timedelta(milliseconds=shift) for shift in (-1, 0, 1)]
    marks = [datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC), datetime(2024, 5, 6, 10, tzinfo=UTC)]
    marks.append(datetime(2024, 5, 7, tzinfo=UTC))
    moments = sorted(mark + step for mark in marks for step in steps)
    logs = [{"phone_number": "+1234567", "status": "busy", "created_at": rfc3339(at)} for at in moments]
    assert (await user.post("/call-logs/batch", logs)).status == 201
    for _ in range(2):
        for start in moments:
            for end in moments:
                params = {"start_date": rfc3339(start), "end_date": rfc3339(end)}
                counted = sum(start <= at <= end for at in moments)
                assert (await user.get("/analytics/calls", params=params)).data["total_calls"] == counted, params
        await rollups.fold_all(running.resources)


async def test_words_are_compared_by_unicode_case_folding_without_outer_space(user: Client, running: Running) -> None:
    said = [
        ["Straße", "STRASSE ", "strasse"],
        ["\u3000ΣΊΣΥΦΟΣ\u00a0", "σίσυφοσ"],  # noqa: RUF001  # Greek it is
        ["ﬁne", "FINE"],
        ["İ", "i\u0307"],
        [" ", ""],
    ]
    logs = [{"phone_number": "+1234567", "status": "busy", "key_phrases": words, "emotions": words} for words in said]
    assert (await user.post("/call-logs/batch", logs)).status == 201
    expected = sorted(["strasse", "σίσυφοσ", "fine", "i\u0307"])
    for turn in range(3):
        for path, name in (("top-phrases", "phrase"), ("emotions", "emotion")):
            rows = (await user.get(f"/analytics/{path}")).data
            assert rows == [{name: word, "count": 1, "frequency": 20.0} for word in expected], turn
        await rollups.fold_all(running.resources)
        if turn:
            await upkeep.rebuild(running.resources, UUID(user.user["user"]["id"]))


@pytest.mark.parametrize("folded", ["before", "between", "after", "never"])
async def test_a_change_moves_a_call_from_figure_to_figure(user: Client, running: Running, folded: str) -> None:
    first = {"status": "in_progress", "sentiment": None, "key_phrases": ["a", "b"], "emotions": ["calm"], "cost": 1}
    made = await user.post("/call-logs", {"phone_number": "+1234567", **first})
    if folded == "before":
        await rollups.fold_all(running.resources)
    path = f"/call-logs/{made.data['id']}"
    change = {"status": "completed", "duration_seconds": 61, "sentiment": "negative", "key_phrases": ["B", "c"]}
    assert (await user.patch(path, {**change, "cost": 1_000_000, "emotions": []})).status == 200
    if folded == "between":
        await rollups.fold_all(running.resources)
    assert (await user.patch(path, {"sentiment": None, "cost": None, "key_phrases": ["c"]})).status == 200
    if folded == "after":
        await rollups.fold_all(running.resources)
    assert (await user.get("/analytics/calls")).data == {
        "total_calls": 1,
        "completed_calls": 1,
        "failed_calls": 0,
        "average_duration": 61,
        "success_rate": 100.0,
        "cost_per_call": 0.0,
    }
    assert set((await user.get("/analytics/sentiment")).data.values()) == {0}
    assert (await user.get("/analytics/top-phrases")).data == [{"phrase": "c", "count": 1, "frequency": 100.0}]
    assert (await user.get("/analytics/emotions")).data == []
    assert (await user.delete(path)).status == 204
    for _ in range(2):
        assert set((await user.get("/analytics/calls")).data.values()) == {0}
        assert (await user.get("/analytics/top-phrases")).data == []
        assert (await user.get("/call-logs")).data["total"] == 0
        await rollups.fold_all(running.resources)
