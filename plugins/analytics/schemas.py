"""What a client asks of the analytics, and what it gets."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from plugins.analytics.hookspecs import Filter, Kind
from voicera import Meta, Struct

DateOrTime = Annotated[
    str, Meta(max_length=40, description="A date (2024-01-31; as an end, that day is included) or an RFC 3339 time.")
]
Days = Annotated[
    int, Meta(ge=1, le=36_500, description="The last so many times 24 hours, from a full hour on; not with dates.")
]
Most = Annotated[int, Meta(ge=1, le=1000, description="How many to answer at most.")]
Percent = Annotated[float, Meta(ge=0, le=100)]
Zone = Annotated[
    str, Meta(max_length=64, description="Whose midnights part the days: a name of the IANA database (Asia/Kolkata).")
]


class Filters(Struct, frozen=True, kw_only=True):
    """Which calls are looked at: all of yours, unless something here says otherwise."""

    agent_id: UUID | None = None
    campaign_id: UUID | None = None
    days: Days | None = None
    start_date: DateOrTime | None = None
    end_date: DateOrTime | None = None


class WordFilters(Filters, frozen=True, kw_only=True):
    """The same, and how many words to answer."""

    limit: Most = 20


class GroupFilters(Filters, frozen=True, kw_only=True):
    """The same, and how many agents or campaigns to answer."""

    limit: Most = 100


class DailyFilters(Filters, frozen=True, kw_only=True):
    """The same, and what a day is."""

    timezone: Zone = "UTC"


class ExportFilters(DailyFilters, frozen=True, kw_only=True):
    """The same, and what to write."""

    format: Literal["csv", "ndjson"] = "csv"
    interval: Annotated[Literal["day", "hour"], Meta(description="What a row is about.")] = "day"
    by: Annotated[
        Literal["agent", "campaign"] | None, Meta(description="A row for each agent or campaign that had calls.")
    ] = None


class CallStatistics(Struct, kw_only=True):
    """Calls in numbers. Without any call, every figure is 0.

    `failed_calls` are those failed, not answered, or busy; `average_duration` is of completed calls that have one.
    """

    total_calls: int
    completed_calls: int
    failed_calls: int
    average_duration: Annotated[int, Meta(description="Seconds.")]
    success_rate: Annotated[Percent, Meta(description="Completed calls, percent of all.")]
    cost_per_call: float


class Sentiments(Struct, kw_only=True):
    """How callers felt: calls, and percent of the calls that have a sentiment."""

    positive: int
    neutral: int
    negative: int
    positive_percentage: Percent
    neutral_percentage: Percent
    negative_percentage: Percent


class Phrase(Struct):
    """A key phrase in lower case, how many calls contain it, and what percent of all that match."""

    phrase: str
    count: int
    frequency: Percent


class Emotion(Struct):
    """An emotion in lower case, how many calls show it, and what percent of all that match."""

    emotion: str
    count: int
    frequency: Percent


class AgentPerformance(CallStatistics, kw_only=True):
    """The calls of one agent."""

    agent_id: UUID
    positive: int
    neutral: int
    negative: int


class CampaignStatistics(CallStatistics, kw_only=True):
    """The calls of one campaign."""

    campaign_id: UUID
    positive: int
    neutral: int
    negative: int


class HourlyCalls(CallStatistics, kw_only=True):
    """The calls that began in one hour."""

    hour: datetime


class DailyCalls(CallStatistics, kw_only=True):
    """The calls that began on one day."""

    date: date


class CardView(Struct, kw_only=True):
    """A card that a plugin puts on the dashboard: ask `path` for what is on it, with those of the page's filters."""

    key: str
    title: str
    path: str
    kind: Kind
    filters: list[Filter]


STATISTICS_EXAMPLE = {
    "total_calls": 1250,
    "completed_calls": 1200,
    "failed_calls": 50,
    "average_duration": 180,
    "success_rate": 96.0,
    "cost_per_call": 0.45,
}
FELT_EXAMPLE = {"positive": 850, "neutral": 300, "negative": 100}
SENTIMENT_EXAMPLE = {
    **FELT_EXAMPLE,
    "positive_percentage": 68.0,
    "neutral_percentage": 24.0,
    "negative_percentage": 8.0,
}
PHRASES_EXAMPLE = [
    {"phrase": "billing issue", "count": 234, "frequency": 18.7},
    {"phrase": "account access", "count": 156, "frequency": 12.5},
    {"phrase": "payment problem", "count": 145, "frequency": 11.6},
]
EMOTIONS_EXAMPLE = [{"emotion": "satisfied", "count": 800, "frequency": 64.0}]
SUBJECT_EXAMPLE = "018d54f1-2d40-7c11-8f5e-0242ac120002"
AGENTS_EXAMPLE = [{**STATISTICS_EXAMPLE, **FELT_EXAMPLE, "agent_id": SUBJECT_EXAMPLE}]
CAMPAIGNS_EXAMPLE = [{**STATISTICS_EXAMPLE, **FELT_EXAMPLE, "campaign_id": SUBJECT_EXAMPLE}]
HOURLY_EXAMPLE = [{**STATISTICS_EXAMPLE, "hour": "2024-01-29T10:00:00.000Z"}]
DAILY_EXAMPLE = [{**STATISTICS_EXAMPLE, "date": "2024-01-29"}]
CARDS_EXAMPLE = [
    {"key": "short-calls", "title": "Short calls", "path": "/short-calls/count", "kind": "figure", "filters": ["days"]}
]
