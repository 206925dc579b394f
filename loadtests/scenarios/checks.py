"""What must hold in every answer of a kind, whatever else happens at the same time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from loadtests.scenarios.base import expect

Data = Any
ROUNDING = 0.051


def statistics(data: Data, least: int = 0) -> None:
    """`/analytics/calls`: at least so many calls, and figures that fit together."""
    total, completed = data["total_calls"], data["completed_calls"]
    expect(total >= least, "fewer calls than were acknowledged before")
    expect(completed + data["failed_calls"] <= total, "more calls ended than there are")
    rate = 100 * completed / total if total else 0
    expect(abs(data["success_rate"] - rate) <= ROUNDING, "success_rate is not what its parts say")


def sentiment(data: Data) -> None:
    """`/analytics/sentiment`: percentages of what was counted."""
    names = ("positive", "neutral", "negative")
    counted = sum(data[name] for name in names)
    for name in names:
        share = 100 * data[name] / counted if counted else 0
        expect(abs(data[f"{name}_percentage"] - share) <= ROUNDING, "a percentage is not what the counts say")


def words(data: Data, limit: int) -> None:
    """`/analytics/top-phrases` and `/analytics/emotions`: the commonest first."""
    expect(len(data) <= limit, "more than the limit")
    expect(all(one["count"] >= other["count"] for one, other in pairwise(data)), "not the commonest first")


def groups(data: Data, limit: int) -> None:
    """`/analytics/agent-performance` and `/analytics/campaign-stats`: the busiest first."""
    expect(len(data) <= limit, "more than the limit")
    expect(all(one["total_calls"] >= other["total_calls"] for one, other in pairwise(data)), "not the busiest first")
    for each in data:
        statistics(each)


def series(data: Data, kind: str, least: int = 0) -> None:
    """`/analytics/hourly-calls` and `/analytics/daily-calls` (`kind` is hour or date): in order, none twice."""
    expect(all(one[kind] < other[kind] for one, other in pairwise(data)), "not in the order of time")
    expect(sum(each["total_calls"] for each in data) >= least, "fewer calls than were acknowledged before")


def calls(data: Data, wanted: dict[str, Any], *, least: int = 0, full: bool = False, before: str = "") -> None:
    """`/call-logs`: newest first, only what was asked for, and at least so many.

    `full`: as many as the limit says; `before`: the last call of the page before.
    """
    items = data["items"]
    expect(data["total"] is None or data["total"] >= max(least, len(items)), "total is less than there are")
    expect(len(items) <= wanted["limit"], "more than the limit")
    expect(not full or len(items) == wanted["limit"], "a page is not full, though more calls are there")
    expect(not (before and items) or items[0]["id"] < before, "a later page with calls that are not older")
    expect(all(one["id"] > other["id"] for one, other in pairwise(items)), "not newest first")
    for name in ("status", "agent_id", "campaign_id", "phone_number", "sentiment"):
        value = wanted.get(name)
        expect(value is None or all(item[name] == value for item in items), f"a call with another {name}")


def listing(data: Data, least: int = 0) -> None:
    """A list of agents, campaigns or recordings."""
    expect(data["total"] >= max(least, len(data["items"])), "total is less than there are")
