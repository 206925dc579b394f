"""Every figure of every endpoint against the calls themselves."""

from __future__ import annotations

import asyncio
import csv
import io
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import orjson
import pytest

from plugins.analytics.service import rollups
from plugins.calls.hookspecs import RecordedCall
from voicera import rfc3339, time_of
from voicera.testing import Client

PATHS = ("calls", "sentiment", "top-phrases", "emotions", "hourly-calls", "daily-calls", "agent-performance")
PATHS += ("campaign-stats", "export")
FAILED = ("failed", "no_answer", "busy")
ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Pacific/Apia"]
Match = Callable[[RecordedCall], bool]


def tenths(part: int, whole: int, digits: int = 1) -> float:
    scale = 10**digits
    return (part * scale * 2 + whole) // (whole * 2) / scale if whole else 0


def statistics(calls: list[RecordedCall]) -> dict[str, Any]:
    logs = [call.log for call in calls]
    completed = [log for log in logs if log.status == "completed"]
    timed = [log.duration_seconds for log in completed if log.duration_seconds is not None]
    micros = sum(round(log.cost * 1_000_000) for log in logs if log.cost)
    return {
        "total_calls": len(logs),
        "completed_calls": len(completed),
        "failed_calls": sum(log.status in FAILED for log in logs),
        "average_duration": tenths(sum(timed), len(timed), 0),
        "success_rate": tenths(100 * len(completed), len(logs)),
        "cost_per_call": tenths(micros, 1_000_000 * len(logs), 2),
    }


def felt(calls: list[RecordedCall]) -> dict[str, int]:
    seen = Counter(call.log.sentiment for call in calls)
    return {name: seen[name] for name in ("positive", "neutral", "negative")}


def top(calls: list[RecordedCall], field: str, name: str, limit: int = 20) -> list[dict[str, Any]]:
    counts = Counter(
        word for call in calls for word in {each.strip().casefold() for each in getattr(call.log, field)} - {""}
    )
    best = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit]
    return [{name: word, "count": n, "frequency": tenths(100 * n, len(calls))} for word, n in best]


def random_filter(ledger: Any) -> tuple[dict[str, str], Match]:
    dice = ledger.dice
    params: dict[str, str] = {}
    conditions: list[Match] = []
    if dice.random() < 0.4:
        agent = dice.choice([*ledger.agents, uuid4()])
        params["agent_id"] = str(agent)
        conditions.append(lambda call: call.log.agent_id == agent)
    if dice.random() < 0.4:
        campaign = dice.choice(ledger.campaigns)
        params["campaign_id"] = str(campaign)
        conditions.append(lambda call: call.log.campaign_id == campaign)
    kind = dice.random()
    if kind < 0.3:
        days = dice.choice([1, 7, 30])
        params["days"] = str(days)
        begins = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=days)
        conditions.append(lambda call: time_of(call.id) >= begins)
    elif kind < 0.8:
        start, end = sorted((ledger.moment(), ledger.moment()))
        if dice.random() < 0.7:
            text, begins = moment(dice, start)
            params["start_date"] = text
            conditions.append(lambda call: time_of(call.id) >= begins)
        if dice.random() < 0.7:
            text, ends = moment(dice, end, timedelta(days=1))
            params["end_date"] = text
            conditions.append(lambda call: time_of(call.id) < ends)
    return params, lambda call: all(condition(call) for condition in conditions)


def moment(dice: Any, value: datetime, day: timedelta = timedelta()) -> tuple[str, datetime]:
    """A moment as a date or as a time; and the bound that it means."""
    if dice.random() < 0.5:
        return value.date().isoformat(), datetime.combine(value.date(), time(), UTC) + day
    return rfc3339(value), value + (timedelta(milliseconds=1) if day else timedelta())


async def data(client: Client, path: str, params: dict[str, str]) -> Any:
    answer = await client.get(f"/analytics/{path}", params=params)
    assert answer.status == 200, answer.content
    return answer.data


async def check_all(user: Client, ledger: Any) -> None:
    params, matches = random_filter(ledger)
    calls = ledger.newest_first(matches)
    assert await data(user, "calls", params) == statistics(calls), params
    feelings = felt(calls)
    known = sum(feelings.values())
    shares = {f"{name}_percentage": tenths(100 * count, known) for name, count in feelings.items()}
    assert await data(user, "sentiment", params) == {**feelings, **shares}, params
    limit = ledger.dice.choice([1, 3, 20])
    limited = {**params, "limit": str(limit)}
    assert await data(user, "top-phrases", limited) == top(calls, "key_phrases", "phrase", limit), params
    assert await data(user, "emotions", limited) == top(calls, "emotions", "emotion", limit), params
    for path, name in (("agent-performance", "agent_id"), ("campaign-stats", "campaign_id")):
        groups: dict[UUID, list[RecordedCall]] = {}
        for call in calls:
            groups.setdefault(getattr(call.log, name), []).append(call)
        groups.pop(None, None)  # type: ignore[call-overload]  # calls without one
        expected = [{name: str(subject), **statistics(its), **felt(its)} for subject, its in groups.items()]
        expected.sort(key=lambda row: (-row["total_calls"], row[name]))
        assert await data(user, path, params) == expected, (path, params)


async def test_every_figure_is_exact_after_every_write(user: Client, ledger: Any) -> None:
    assert (await data(user, "calls", {}))["total_calls"] == 0
    for turn in range(8):
        await ledger.record(200)
        await check_all(user, ledger)
        await ledger.change(60)
        await check_all(user, ledger)
        if turn % 3 == 2:
            await rollups.fold_all(ledger.resources)
        for _ in range(4):
            await check_all(user, ledger)


async def test_figures_are_exact_after_four_writers_at_once(user: Client, ledger: Any) -> None:
    async def write() -> None:
        for _ in range(4):
            await ledger.record(60)

    await asyncio.gather(*(write() for _ in range(4)), rollups.fold_some(ledger.resources))
    for _ in range(10):
        await check_all(user, ledger)


async def test_hours_and_days_add_up_in_every_time_zone(user: Client, ledger: Any) -> None:
    for turn in range(2):
        await ledger.record(300)
        if turn:
            await rollups.fold_all(ledger.resources)
        for name in ZONES:
            params, matches = random_filter(ledger)
            params.setdefault("start_date", "2020-01-01") if "days" not in params else None
            if "start_date" in params and params["start_date"] == "2020-01-01":
                params["start_date"] = (ledger.now - timedelta(days=60)).date().isoformat()
            zone = ZoneInfo(name)
            calls = ledger.newest_first(matches)
            days: dict[str, list[RecordedCall]] = {}
            hours: dict[str, list[RecordedCall]] = {}
            for call in calls:
                days.setdefault(time_of(call.id).astimezone(zone).date().isoformat(), []).append(call)
                began = time_of(call.id).replace(minute=0, second=0, microsecond=0)
                hours.setdefault(rfc3339(began), []).append(call)
            found = await data(user, "daily-calls", {**params, "timezone": name})
            assert [row["date"] for row in found] == sorted({row["date"] for row in found})
            seen = {row.pop("date"): row for row in found}
            assert {day: row for day, row in seen.items() if row["total_calls"]} == {
                day: statistics(its) for day, its in days.items()
            }, (params, name)
            found = {row.pop("hour"): row for row in await data(user, "hourly-calls", params)}
            assert {hour: row for hour, row in found.items() if row["total_calls"]} == {
                hour: statistics(its) for hour, its in hours.items()
            }, params


@pytest.mark.parametrize("by", ["agent", "campaign", None])
async def test_an_export_has_every_day_that_had_calls(user: Client, ledger: Any, by: str | None) -> None:
    await ledger.record(300)
    groups: dict[tuple[str, ...], list[RecordedCall]] = {}
    for call in ledger.calls.values():
        subject = getattr(call.log, f"{by}_id") if by else ""
        if subject is not None:
            groups.setdefault((time_of(call.id).date().isoformat(), *([str(subject)] if by else [])), []).append(call)
    query = f"&by={by}" if by else ""
    answer = await user.get(f"/analytics/export?format=csv{query}")
    assert answer.status == 200, answer.content
    header, *rows = csv.reader(io.StringIO(answer.content.decode()))
    assert header[: 2 if by else 1] == ["day", f"{by}_id"][: 2 if by else 1]
    expected = {key: [str(value) for value in statistics(its).values()] for key, its in groups.items()}
    first = 2 if by else 1
    found = {tuple(row[:first]): row[first : first + 6] for row in rows}
    assert {key: [float(v) for v in row] for key, row in found.items()} == {
        key: [float(v) for v in row] for key, row in expected.items()
    }
    lines = (await user.get(f"/analytics/export?format=ndjson{query}")).content.splitlines()
    assert [[str(v) for v in orjson.loads(line).values()][:first] for line in lines] == [row[:first] for row in rows]


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
