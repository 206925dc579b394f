"""The statement that finds where in time a page of calls lies: it descends from stretches to days to hours."""
# ruff: noqa: S608  # made of constants; every value is a parameter

from __future__ import annotations

from typing import Any, NamedTuple

from plugins.analytics.periods import DAY, HOUR, HOUR_MS, SIZES, STRETCH, Span
from plugins.analytics.queries.measures import Measure, facts
from plugins.analytics.queries.reading import Slice, Values, source_of
from voicera import Connection, lowest


class Counted(NamedTuple):
    """Whose calls are counted, and which of them; `values` are those that the measure has added."""

    wanted: Slice
    measure: Measure
    values: Values


class Found(NamedTuple):
    """The hour that holds a call, and how many of the matching ones are newer than that hour; None: there is none."""

    hour: int | None
    newer: int


class Sought(NamedTuple):
    """Where the first and the last call of a page lie; `edge` calls are newer than all whole hours, `calls` in all."""

    first: Found
    last: Found
    edge: int
    calls: int
    oldest: int | None


SEEK = """
WITH pending AS MATERIALIZED (
    SELECT fact.hour, sum({fact})::bigint AS calls FROM {facts}
    WHERE {source.fact} AND fact.hour >= {low} AND fact.hour < {high} GROUP BY 1),
piece AS MATERIALIZED (
    SELECT * FROM unnest({levels}::smallint[], {sizes}::integer[], {lows}::integer[], {highs}::integer[])
        AS piece (level, size, low, high)),
edge AS MATERIALIZED (SELECT {edge} AS calls),
blocks AS MATERIALIZED (
    SELECT level, bucket, sum(calls) AS calls FROM (
        SELECT piece.level, found.* FROM piece CROSS JOIN LATERAL (
            SELECT row.bucket, {row} FROM {table} AS row WHERE {source.rollup}
                AND row.level = piece.level AND row.bucket >= piece.low AND row.bucket < piece.high) AS found
        UNION ALL
        SELECT level, hour - hour % size, calls FROM pending JOIN piece ON hour >= low AND hour < high
    ) AS seen (level, bucket, calls) GROUP BY 1, 2 HAVING sum(calls) <> 0),
reached AS MATERIALIZED (
    SELECT level, bucket, calls, (SELECT calls FROM edge) + sum(calls) OVER (ORDER BY bucket DESC) AS upto FROM blocks),
step_2 AS (
    SELECT place, found.* FROM unnest({places}::bigint[]) AS wanted (place) CROSS JOIN LATERAL (
        SELECT * FROM reached WHERE upto > place ORDER BY bucket DESC LIMIT 1) AS found),
{step_1},
{step_0}
SELECT edge.calls AS edge, coalesce((SELECT max(upto) FROM reached), edge.calls)::bigint AS calls,
    (SELECT min(bucket) FROM blocks) AS oldest, wanted.place, step_0.bucket AS hour,
    (step_0.upto - step_0.calls)::bigint AS newer
FROM edge CROSS JOIN unnest({places}::bigint[]) WITH ORDINALITY AS wanted (place, number)
LEFT JOIN step_0 USING (place) ORDER BY wanted.number"""

STEP = """step_{level} AS (
    SELECT place, found.* FROM step_{above} AS above CROSS JOIN LATERAL (
        SELECT {level} AS level, bucket, calls, upto FROM (
            SELECT bucket, calls, above.upto - above.calls + sum(calls) OVER (ORDER BY bucket DESC) AS upto FROM (
                SELECT bucket, sum(calls) AS calls FROM (
                    SELECT row.bucket, {row} FROM {table} AS row WHERE {source.rollup} AND row.level = {level}
                        AND row.bucket >= above.bucket AND row.bucket < above.bucket + {size_above}
                    UNION ALL
                    SELECT hour - hour % {size}, calls FROM pending
                    WHERE hour >= above.bucket AND hour < above.bucket + {size_above}
                ) AS seen (bucket, calls) GROUP BY 1) AS counted) AS reached
        WHERE upto > place ORDER BY bucket DESC LIMIT 1) AS found
    WHERE above.level = {above}
    UNION ALL SELECT * FROM step_{above} AS above WHERE above.level < {above})"""


# Each bucket that is not empty holds a matching call, so that the newest so many of every level are enough; but the
# outermost two of a level may hold calls of outside the range alone.
HOURS = """
WITH pending AS MATERIALIZED (
    SELECT fact.hour, sum({fact})::bigint AS calls FROM {facts}
    WHERE {source.fact} AND fact.hour >= {low} AND fact.hour < {high} GROUP BY 1),
step_3 AS (SELECT {low} - {low} % {longest} AS bucket),
{steps}
SELECT bucket FROM step_0"""

HOURS_STEP = """step_{level} AS MATERIALIZED (
    SELECT bucket FROM (
        SELECT found.* FROM step_{above} AS above CROSS JOIN LATERAL (
            SELECT row.bucket, {row} AS calls FROM {table} AS row WHERE {source.rollup} AND row.level = {level}
                AND row.bucket >= above.bucket AND row.bucket < {end}) AS found
        UNION ALL
        SELECT hour - hour % {size}, calls FROM pending) AS seen
    WHERE bucket > {low} - {size} AND bucket < {high}
    GROUP BY bucket HAVING sum(calls) <> 0 ORDER BY bucket DESC LIMIT {most} + 2)"""


async def hours(connection: Connection, counted: Counted, low: int, high: int, *, most: int) -> list[int]:
    """The newest hours, from `low` up to and without `high`, in which calls match: so many that `most` calls do."""
    values = counted.values
    places = {"low": f"{values.add(low)}::integer", "high": f"{values.add(high)}::integer"}
    given = {**_given(counted), **places}
    limit = f"{values.add(most)}::bigint"
    steps = [
        HOURS_STEP.format(
            **given,
            level=level,
            above=level + 1,
            size=SIZES[level],
            end=places["high"] if level == STRETCH else f"above.bucket + {SIZES[level + 1]}",
            most=limit,
        )
        for level in (STRETCH, DAY, HOUR)
    ]
    statement = HOURS.format(**given, longest=SIZES[STRETCH], steps=",\n".join(steps))
    return [each["bucket"] for each in await connection.fetch(statement, *values.values)]


async def seek(connection: Connection, counted: Counted, first: int, last: int) -> Sought:
    """Find the calls with these places among the matching ones, newest first, in the slice's only span."""
    values, [span], given = counted.values, counted.wanted.spans, _given(counted)
    pieces = span.pieces(STRETCH)
    columns = [[piece.level for piece in pieces], [SIZES[piece.level] for piece in pieces]]
    columns += [[piece.low for piece in pieces], [piece.high for piece in pieces]]
    levels, sizes, lows, highs = map(values.add, columns)
    steps = {
        f"step_{level}": STEP.format(
            **given, level=level, above=level + 1, size=SIZES[level], size_above=SIZES[level + 1]
        )
        for level in (DAY, HOUR)
    }
    statement = SEEK.format(
        **given,
        low=f"{values.add(span.low)}::integer",
        high=f"{values.add(span.high)}::integer",
        levels=levels,
        sizes=sizes,
        lows=lows,
        highs=highs,
        edge=_newest_edge(values, span, given["source"].log, counted.measure),
        places=values.add([first, last]),
        **steps,
    )
    rows = await connection.fetch(statement, *values.values)
    found = [Found(each["hour"], each["newer"] or 0) for each in rows]
    return Sought(found[0], found[1], rows[0]["edge"], rows[0]["calls"], rows[0]["oldest"])


NEWEST = """
SELECT greatest(
    (SELECT max(row.bucket) + {size} FROM call_rollups AS row WHERE {source.rollup} AND row.level = {level}),
    (SELECT max(fact.hour) + 1 FROM {facts} WHERE {source.fact}))"""


async def newest(connection: Connection, wanted: Slice) -> int | None:
    """An hour from which on there are no calls of the slice, whenever; None where there are none at all."""
    values = Values()
    source = source_of(values, wanted)
    facts_of = facts("fact.hour", source.fact)
    statement = NEWEST.format(source=source, facts=facts_of, level=STRETCH, size=SIZES[STRETCH])
    hour: int | None = await connection.fetchval(statement, *values.values)
    return hour


def _given(counted: Counted) -> dict[str, Any]:
    """What all statements name: whose calls, and what a rollup row and an entry of a delta have of them."""
    source, fact = source_of(counted.values, counted.wanted), counted.measure.of_delta()
    row = {"row": counted.measure.of_rollup(), "table": counted.measure.table}
    return {"source": source, "fact": fact, "facts": facts("fact.hour", fact, source.fact), **row}


def _newest_edge(values: Values, span: Span, log: str, measure: Measure) -> str:
    if span.end is None or not span.edges or span.edges[-1][0] < span.end * HOUR_MS:
        return "0::bigint"
    low, high = (f"{values.add(lowest(bound))}::uuid" for bound in span.edges[-1])
    return f"(SELECT {measure.of_log()} FROM call_logs AS log WHERE {log} AND log.id >= {low} AND log.id < {high})"
