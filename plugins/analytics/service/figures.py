"""The figures that clients ask for. `extra` are the filters that other plugins add, where some are given."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from plugins.analytics import deltas
from plugins.analytics.periods import span, unfolded
from plugins.analytics.queries import figures
from plugins.analytics.queries.figures import Figures
from plugins.analytics.queries.reading import AGENT, CAMPAIGN, OWNER, Slice
from plugins.analytics.schemas import (
    AgentPerformance,
    CallStatistics,
    CampaignStatistics,
    DailyCalls,
    DailyFilters,
    Emotion,
    Filters,
    GroupFilters,
    HourlyCalls,
    Phrase,
    Sentiments,
    WordFilters,
)
from plugins.analytics.service import ranges
from plugins.calls.hookspecs import ExtraFilters
from voicera import Resources

PHRASES, EMOTIONS = 0, 1
MOST_HOURLY_DAYS, MOST_DAYS = 92, 3660


async def calls(resources: Resources, owner_id: UUID, wanted: Filters, extra: ExtraFilters = ()) -> CallStatistics:
    """How many calls, how they ended, how long they took and what they cost."""
    return CallStatistics(**statistics(figures.totals(await _read(resources, owner_id, wanted, extra))))


async def sentiment(resources: Resources, owner_id: UUID, wanted: Filters, extra: ExtraFilters = ()) -> Sentiments:
    """How callers felt."""
    found = figures.totals(await _read(resources, owner_id, wanted, extra))
    known = found.positive + found.neutral + found.negative
    return Sentiments(
        **felt(found),
        positive_percentage=rounded(100 * found.positive, known, 1),
        neutral_percentage=rounded(100 * found.neutral, known, 1),
        negative_percentage=rounded(100 * found.negative, known, 1),
    )


async def phrases(resources: Resources, owner_id: UUID, wanted: WordFilters, extra: ExtraFilters = ()) -> list[Phrase]:
    """The commonest key phrases."""
    return [Phrase(*found) for found in await _words(resources, owner_id, wanted, extra, PHRASES)]


async def emotions(
    resources: Resources, owner_id: UUID, wanted: WordFilters, extra: ExtraFilters = ()
) -> list[Emotion]:
    """The commonest emotions."""
    return [Emotion(*found) for found in await _words(resources, owner_id, wanted, extra, EMOTIONS)]


async def agents(
    resources: Resources, owner_id: UUID, wanted: GroupFilters, extra: ExtraFilters = ()
) -> list[AgentPerformance]:
    """The agents with the most calls."""
    found = _most(await _read(resources, owner_id, wanted, extra, AGENT), wanted.limit)
    return [AgentPerformance(agent_id=_id(each), **statistics(each), **felt(each)) for each in found]


async def campaigns(
    resources: Resources, owner_id: UUID, wanted: GroupFilters, extra: ExtraFilters = ()
) -> list[CampaignStatistics]:
    """The campaigns with the most calls."""
    found = _most(await _read(resources, owner_id, wanted, extra, CAMPAIGN), wanted.limit)
    return [CampaignStatistics(campaign_id=_id(each), **statistics(each), **felt(each)) for each in found]


async def hourly(resources: Resources, owner_id: UUID, wanted: Filters, extra: ExtraFilters = ()) -> list[HourlyCalls]:
    """Every hour of a range, the last 24 of them if none is given."""
    now = resources.now()
    first, last = ranges.bounded(ranges.asked(wanted, now), now, 1, MOST_HOURLY_DAYS)
    parts = list(ranges.hours(first, last))
    found = await _series(resources, owner_id, wanted, extra, [part[1:] for part in parts])
    return [
        HourlyCalls(hour=datetime.fromtimestamp(began // 1000, UTC), **statistics(each))
        for (began, _, _), each in zip(parts, found, strict=True)
    ]


async def daily(
    resources: Resources, owner_id: UUID, wanted: DailyFilters, extra: ExtraFilters = ()
) -> list[DailyCalls]:
    """Every day of a range, of the last 30 times 24 hours if none is given."""
    now, zone = resources.now(), ranges.zone_of(wanted.timezone)
    first, last = ranges.bounded(ranges.asked(wanted, now), now, 30, MOST_DAYS)
    parts = list(ranges.days(first, last, zone))
    found = await _series(resources, owner_id, wanted, extra, [part[1:] for part in parts])
    return [DailyCalls(date=day, **statistics(each)) for (day, _, _), each in zip(parts, found, strict=True)]


def statistics(found: Figures) -> dict[str, Any]:
    """What is shown of calls in numbers."""
    return {
        "total_calls": found.calls,
        "completed_calls": found.completed,
        "failed_calls": found.failed,
        "average_duration": int(rounded(found.seconds, found.timed_calls, 0)),
        "success_rate": rounded(100 * found.completed, found.calls, 1),
        "cost_per_call": rounded(found.cost_micros, found.calls * deltas.MICROS, 2),
    }


def felt(found: Figures) -> dict[str, int]:
    """How callers felt, in calls."""
    return {"positive": found.positive, "neutral": found.neutral, "negative": found.negative}


def rounded(part: int, whole: int, digits: int) -> float:
    """A quotient with so many decimals, halves rounded up, computed in whole numbers; 0 of nothing is 0."""
    scale: int = 10**digits
    return (2 * part * scale + whole) // (2 * whole) / scale if whole else 0.0


def slice_of(owner_id: UUID, wanted: Filters, parts: Sequence[ranges.Range], extra: ExtraFilters = ()) -> Slice:
    """Whose calls in which ranges."""
    cut = unfolded if extra else span
    spans = tuple(cut(start, end) for start, end in parts)
    return Slice(owner_id=owner_id, agent_id=wanted.agent_id, campaign_id=wanted.campaign_id, spans=spans, extra=extra)


async def _read(
    resources: Resources, owner_id: UUID, wanted: Filters, extra: ExtraFilters, by: int = OWNER
) -> list[Figures]:
    about = slice_of(owner_id, wanted, [ranges.asked(wanted, resources.now())], extra)
    return await resources.db.reading(lambda connection: figures.read(connection, about, by))


async def _series(
    resources: Resources, owner_id: UUID, wanted: Filters, extra: ExtraFilters, parts: Sequence[tuple[int, int]]
) -> list[Figures]:
    """The figures of each part, zeros for those without calls."""
    about = slice_of(owner_id, wanted, parts, extra)
    found = await resources.db.reading(lambda connection: figures.read(connection, about))
    known = {each.part: each for each in found}
    return [known.get(part, Figures()) for part in range(len(parts))]


async def _words(
    resources: Resources, owner_id: UUID, wanted: WordFilters, extra: ExtraFilters, kind: int
) -> list[tuple[str, int, float]]:
    about = slice_of(owner_id, wanted, [ranges.asked(wanted, resources.now())], extra)
    found = await resources.db.reading(lambda connection: figures.words(connection, about, kind, wanted.limit))
    counts = found.counts
    for written, count in found.written:
        for word in set(map(deltas.folded, written)) - {""}:
            counts[word] = counts.get(word, 0) + count
    commonest = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[: wanted.limit]
    return [(word, count, rounded(100 * count, found.total, 1)) for word, count in commonest]


def _most(found: list[Figures], limit: int) -> list[Figures]:
    return sorted(found, key=lambda each: (-each.calls, str(each.subject_id)))[:limit]


def _id(found: Figures) -> UUID:
    assert found.subject_id is not None
    return UUID(int=found.subject_id.int)
