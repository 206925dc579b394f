"""The statements that read figures."""
# ruff: noqa: S608  # made of constants; every value is a parameter

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from plugins.analytics.cells import COMPLETED, FAILED, numbers
from plugins.analytics.queries import reading
from plugins.analytics.queries.measures import Measure
from plugins.analytics.queries.reading import Slice, Values
from voicera import Connection

MEASURES = (
    Measure("calls"),
    Measure("completed", numbers([COMPLETED], None)),
    Measure("failed", numbers(FAILED, None)),
    Measure("positive", numbers(None, ["positive"])),
    Measure("neutral", numbers(None, ["neutral"])),
    Measure("negative", numbers(None, ["negative"])),
    Measure("timed_calls", column="timed_calls"),
    Measure("seconds", column="seconds"),
    Measure("cost_micros", column="cost_micros"),
)


class Figures(NamedTuple):
    """Sums over calls; `part` is the place of the span, `subject_id` the agent or campaign that they are about."""

    part: int = 0
    subject_id: UUID | None = None
    calls: int = 0
    completed: int = 0
    failed: int = 0
    positive: int = 0
    neutral: int = 0
    negative: int = 0
    timed_calls: int = 0
    seconds: int = 0
    cost_micros: int = 0


async def read(connection: Connection, wanted: Slice, by: int = reading.OWNER) -> list[Figures]:
    """The figures of every span that had calls, in order; with `by`, of each agent or campaign in each."""
    values = Values()
    statement = reading.figures(values, wanted, MEASURES, by)
    rows = await connection.fetch(f"SELECT * FROM ({statement}) AS figures ORDER BY part, subject_id", *values.values)
    return [Figures(*row)._replace(cost_micros=int(row["cost_micros"])) for row in rows if row["calls"]]


TOP = """
WITH words AS ({words})
SELECT word, calls, said, coalesce((SELECT calls FROM ({total}) AS counted), 0) AS total
FROM words ORDER BY calls DESC, word COLLATE "C" LIMIT {limit}"""


class Words(NamedTuple):
    """How many calls match in all, how many have each word, and words of edges as they were written, with calls."""

    total: int
    counts: dict[str, int]
    written: list[tuple[Sequence[str], int]]


async def words(connection: Connection, wanted: Slice, kind: int, limit: int) -> Words:
    """The commonest words; all of them where a span cuts an hour, since those of the edges have to be added."""
    values = Values()
    cut = any(span.edges for span in wanted.spans)
    statement = TOP.format(
        words=reading.words(values, wanted, kind),
        total=reading.figures(values, wanted, [Measure("calls")]),
        limit="ALL" if cut else f"{values.add(limit)}::bigint",
    )
    rows = await connection.fetch(statement, *values.values)
    counts = {row["word"]: row["calls"] for row in rows if row["said"] is None}
    written = [(row["said"], row["calls"]) for row in rows if row["said"] is not None]
    return Words(rows[0]["total"] if rows else 0, counts, written)


EARLIEST = """
SELECT min(hour) FROM (
    SELECT min(bucket) FROM call_rollups WHERE owner_id = $1 AND cube = 0 AND level = 1
    UNION ALL
    SELECT min(fact.hour) FROM call_deltas, unnest(hours) AS fact (hour) WHERE owner_id = $1) AS seen (hour)"""


async def earliest(connection: Connection, owner_id: UUID) -> int | None:
    """An hour before which the owner has no calls."""
    hour: int | None = await connection.fetchval(EARLIEST, owner_id)
    return hour


def totals(found: Iterable[Figures]) -> Figures:
    """The first of them; zeros where there is none."""
    return next(iter(found), Figures())
