"""Every figure of the analytics, computed in Python from the calls themselves; the slow way, and easy to believe."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any, Protocol
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import orjson

from plugins.calls.hookspecs import RecordedCall
from voicera import milliseconds_of, rfc3339, time_of
from voicera.testing import Client

FAILED = ("failed", "no_answer", "busy")
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe")
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
Calls = Sequence[RecordedCall]


class Ledger(Protocol):
    """What filters are made for: an owner's calls, and what there is to filter by."""

    dice: Random
    agents: list[UUID]
    campaigns: list[UUID]

    def moment(self) -> datetime: ...

    def newest_first(self, matches: Callable[[RecordedCall], bool]) -> list[RecordedCall]: ...


def this_hour() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def quotient(part: int, whole: int, digits: int = 1) -> float:
    """Rounded, halves up; 0 of nothing is 0."""
    scale = 10**digits
    return (part * scale * 2 + whole) // (whole * 2) / scale if whole else 0


def micros(calls: Calls) -> int:
    return sum(round(call.log.cost * 1_000_000) for call in calls if call.log.cost)


def statistics(calls: Calls) -> dict[str, Any]:
    logs = [call.log for call in calls]
    completed = [log for log in logs if log.status == "completed"]
    timed = [log.duration_seconds for log in completed if log.duration_seconds is not None]
    return {
        "total_calls": len(logs),
        "completed_calls": len(completed),
        "failed_calls": sum(log.status in FAILED for log in logs),
        "average_duration": quotient(sum(timed), len(timed), 0),
        "success_rate": quotient(100 * len(completed), len(logs)),
        "cost_per_call": quotient(micros(calls), 1_000_000 * len(logs), 2),
    }


def felt(calls: Calls) -> dict[str, int]:
    seen = Counter(call.log.sentiment for call in calls)
    return {name: seen[name] for name in ("positive", "neutral", "negative")}


def sentiment(calls: Calls) -> dict[str, Any]:
    feelings = felt(calls)
    known = sum(feelings.values())
    return feelings | {f"{name}_percentage": quotient(100 * count, known) for name, count in feelings.items()}


def top(calls: Calls, column: str, name: str, limit: int) -> list[dict[str, Any]]:
    counts = Counter(
        word for call in calls for word in {each.strip().casefold() for each in getattr(call.log, column)} - {""}
    )
    best = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit]
    return [{name: word, "count": n, "frequency": quotient(100 * n, len(calls))} for word, n in best]


def groups(calls: Calls, by: Callable[[RecordedCall], Any]) -> dict[Any, list[RecordedCall]]:
    found: dict[Any, list[RecordedCall]] = {}
    for call in calls:
        found.setdefault(by(call), []).append(call)
    return found


def subjects(calls: Calls, name: str) -> list[dict[str, Any]]:
    found = groups(calls, lambda call: getattr(call.log, name))
    found.pop(None, None)
    rows = [{**statistics(its), **felt(its), name: str(subject)} for subject, its in found.items()]
    return sorted(rows, key=lambda row: (-row["total_calls"], row[name]))


def began(call: RecordedCall) -> datetime:
    return time_of(call.id)


def hour_of(call: RecordedCall) -> str:
    return rfc3339(began(call).replace(minute=0, second=0, microsecond=0))


@dataclass
class Asked:
    """A filter: its parameters, and the same in Python. `start` is inclusive, `end` is not."""

    params: dict[str, str] = field(default_factory=dict)
    start: datetime | None = None
    end: datetime | None = None
    conditions: list[Callable[[RecordedCall], bool]] = field(default_factory=list)

    def matches(self, call: RecordedCall) -> bool:
        at = began(call)
        inside = (self.start is None or at >= self.start) and (self.end is None or at < self.end)
        return inside and all(condition(call) for condition in self.conditions)

    def only(self, name: str, value: Any) -> Asked:
        """Add that a column has this value."""
        self.params[name] = str(value)
        self.conditions.append(lambda call: getattr(call.log, name) == value)
        return self

    def bounded(self, days: int) -> tuple[datetime, datetime]:
        """The range of a series: up to this hour where it has no end, so many days where it has no beginning."""
        end = self.end or this_hour() + HOUR
        return self.start or end - days * DAY, end


def asked(ledger: Ledger) -> Asked:
    """A random filter."""
    dice, made = ledger.dice, Asked()
    if dice.random() < 0.4:
        made.only("agent_id", dice.choice([*ledger.agents, uuid4()]))
    if dice.random() < 0.4:
        made.only("campaign_id", dice.choice(ledger.campaigns))
    return within(made, ledger)


def within(made: Asked, ledger: Ledger) -> Asked:
    """Add a random range of time, or none."""
    dice = ledger.dice
    kind = dice.random()
    if kind < 0.3:
        days = dice.choice([1, 7, 30])
        made.params["days"] = str(days)
        made.start = this_hour() - days * DAY
    elif kind < 0.8:
        start, end = sorted((ledger.moment(), ledger.moment()))
        if dice.random() < 0.7:
            made.params["start_date"], made.start = moment(dice, start)
        if dice.random() < 0.7:
            made.params["end_date"], made.end = moment(dice, end, DAY)
    return made


def moment(dice: Random, value: datetime, day: timedelta = timedelta()) -> tuple[str, datetime]:
    """A moment as a date or as a time; and the bound that it means."""
    if dice.random() < 0.5:
        return value.date().isoformat(), datetime.combine(value.date(), time(), UTC) + day
    return rfc3339(value), value + (timedelta(milliseconds=1) if day else timedelta())


async def data(client: Client, path: str, params: dict[str, str]) -> Any:
    answer = await client.get(f"/analytics/{path}", params=params)
    assert answer.status == 200, answer.content
    return answer.data


async def check_calls(client: Client, dice: Random, wanted: Asked, calls: Calls) -> None:
    assert await data(client, "calls", wanted.params) == statistics(calls), wanted


async def check_sentiment(client: Client, dice: Random, wanted: Asked, calls: Calls) -> None:
    assert await data(client, "sentiment", wanted.params) == sentiment(calls), wanted


async def check_phrases(client: Client, dice: Random, wanted: Asked, calls: Calls) -> None:
    limit = dice.choice([1, 3, 20, 1000])
    found = await data(client, "top-phrases", {**wanted.params, "limit": str(limit)})
    assert found == top(calls, "key_phrases", "phrase", limit), wanted


async def check_emotions(client: Client, dice: Random, wanted: Asked, calls: Calls) -> None:
    assert await data(client, "emotions", wanted.params) == top(calls, "emotions", "emotion", 20), wanted


async def check_agents(client: Client, dice: Random, wanted: Asked, calls: Calls) -> None:
    limit = dice.choice([1, 100])
    found = await data(client, "agent-performance", {**wanted.params, "limit": str(limit)})
    assert found == subjects(calls, "agent_id")[:limit], wanted


async def check_campaigns(client: Client, dice: Random, wanted: Asked, calls: Calls) -> None:
    assert await data(client, "campaign-stats", wanted.params) == subjects(calls, "campaign_id"), wanted


async def check_hourly(client: Client, dice: Random, wanted: Asked, calls: Calls) -> None:
    first, last = wanted.bounded(1)
    hours = groups([call for call in calls if first <= began(call) < last], hour_of)
    expected, hour = [], first.replace(minute=0, second=0, microsecond=0)
    while hour < last:
        expected.append({**statistics(hours.get(rfc3339(hour), [])), "hour": rfc3339(hour)})
        hour += HOUR
    assert await data(client, "hourly-calls", wanted.params) == expected, wanted


async def check_daily(client: Client, dice: Random, wanted: Asked, calls: Calls) -> None:
    name = dice.choice(ZONES)
    zone = ZoneInfo(name)
    first, last = wanted.bounded(30)
    days = groups([call for call in calls if first <= began(call) < last], lambda call: day_of(call, zone))
    expected = [{**statistics(days.get(day, [])), "date": day} for day in days_between(first, last, zone)]
    assert await data(client, "daily-calls", {**wanted.params, "timezone": name}) == expected, (wanted, name)


def day_of(call: RecordedCall, zone: ZoneInfo) -> str:
    return began(call).astimezone(zone).date().isoformat()


def days_between(first: datetime, last: datetime, zone: ZoneInfo) -> list[str]:
    """The local days that have a moment in the range."""

    def midnight(day: date) -> datetime:
        return datetime.combine(day, time(), zone).astimezone(UTC)

    found, day = [], first.astimezone(zone).date()
    while first < last and midnight(day) < last:
        if midnight(day) < midnight(day + DAY):  # an island that changed the side of the date line left one out
            found.append(day.isoformat())
        day += DAY
    return found


async def check_export(client: Client, dice: Random, wanted: Asked, calls: Calls) -> None:
    by, interval, name = dice.choice([None, "agent", "campaign"]), dice.choice(["day", "hour"]), dice.choice(ZONES)
    zone, written = ZoneInfo(name), dice.choice(["csv", "ndjson"])
    if interval == "hour" and wanted.start is None:
        interval = "day"
    parted = groups(calls, lambda call: hour_of(call) if interval == "hour" else day_of(call, zone))
    expected = []
    for part in sorted(parted):
        rows = {None: parted[part]} if by is None else groups(parted[part], lambda call: getattr(call.log, f"{by}_id"))
        if by is not None:
            rows.pop(None, None)
        for subject in sorted(rows, key=str):
            its = rows[subject]
            about = {} if by is None else {f"{by}_id": str(subject)}
            cost = {"cost": micros(its) / 1_000_000}
            expected.append({interval: part, **about, **statistics(its), **cost, **felt(its)})
    params = {**wanted.params, "interval": interval, "timezone": name, "format": written}
    answer = await client.get("/analytics/export", params={**params, **({"by": by} if by else {})})
    assert answer.status == 200, answer.content
    if written == "ndjson":
        assert [orjson.loads(line) for line in answer.content.splitlines()] == expected, (params, by)
    else:
        rows_read = list(csv.DictReader(io.StringIO(answer.content.decode())))
        shown = [{key: number(value) for key, value in row.items()} for row in rows_read]
        assert shown == [{key: number(str(value)) for key, value in row.items()} for row in expected], (params, by)


def number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


async def check_list(client: Client, dice: Random, wanted: Asked, calls: Calls) -> None:
    """The total of the call logs that match, with more filters than figures have, and a page of them."""
    params = {name: value for name, value in wanted.params.items() if name != "days"}
    if "days" in wanted.params:
        assert wanted.start is not None
        params["start_date"] = rfc3339(wanted.start)
    if dice.random() < 0.3:
        status = dice.choice(["completed", "failed", "busy", "queued"])
        params["status"], calls = status, [call for call in calls if call.log.status == status]
    if dice.random() < 0.3:
        feeling = dice.choice(["positive", "negative"])
        params["sentiment"], calls = feeling, [call for call in calls if call.log.sentiment == feeling]
    if dice.random() < 0.3:
        least = dice.choice([0, 1, 60, 300])
        calls = [
            call for call in calls if (call.log.duration_seconds or -1 + (call.log.duration_seconds == 0)) >= least
        ]
        params["min_duration"] = str(least)
    skip, limit = dice.choice([0, dice.randrange(len(calls) + 2)]), dice.choice([1, 50])
    answer = await client.get("/call-logs", params={**params, "skip": str(skip), "limit": str(limit)})
    assert answer.status == 200, answer.content
    assert answer.data["total"] == len(calls), params
    times = sorted((rfc3339(began(call)) for call in calls), reverse=True)
    assert [item["created_at"] for item in answer.data["items"]] == times[skip : skip + limit], (params, skip, limit)


CHECKS = (
    *(check_calls, check_sentiment, check_phrases, check_emotions, check_agents, check_campaigns),
    *(check_hourly, check_daily, check_export, check_list),
)


async def check(client: Client, ledger: Ledger, wanted: Asked, checks: Sequence[Any] = CHECKS) -> None:
    """Compare what the API answers to a filter with what the calls say."""
    hour, calls = this_hour(), ledger.newest_first(wanted.matches)
    try:
        for one in checks:
            await one(client, ledger.dice, wanted, calls)
    except AssertionError:
        if this_hour() == hour:  # else "the last days" have become others meanwhile
            raise


__all__ = ["CHECKS", "Asked", "asked", "check", "milliseconds_of", "within"]
