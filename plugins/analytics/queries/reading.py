"""The texts of the statements that read figures: each is one statement, so that it sees each call exactly once.

A figure is the sum over three sources: the rollups of whole hours, the deltas that are not in them yet, and, where a
range cuts an hour, the call logs of that edge, found by their ids. The rollups know nothing of the filters that other
plugins add: with one of them, a range is nothing but an edge.
"""
# ruff: noqa: S608  # made of constants; every value is a parameter

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from plugins.analytics.periods import EVER, Span
from plugins.analytics.queries.folding import ARRAYS, NOBODY
from plugins.analytics.queries.measures import Measure, facts
from plugins.calls.hookspecs import ExtraFilters, Parameters
from voicera import lowest

OWNER, AGENT, CAMPAIGN = range(3)


@dataclass(slots=True)
class Values:
    """The parameters of a statement of our own."""

    values: list[object] = field(default_factory=list)

    def add(self, value: object) -> str:
        """Add a parameter; return its place in the text."""
        self.values.append(value)
        return f"${len(self.values)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Whose calls, and about whom; `spans` are the ranges of time, counted each by itself.

    With `extra`, the filters of other plugins, the spans have no whole hours.
    """

    owner_id: UUID
    agent_id: UUID | None = None
    campaign_id: UUID | None = None
    spans: tuple[Span, ...] = (Span(None, None),)
    extra: ExtraFilters = ()


class Source(NamedTuple):
    """Which calls a statement is about: conditions on `row` (a rollup), `fact` (an entry of a delta) and `log`.

    `owner` is the place of the owner's id. The last three say whom they are about where each agent or campaign is
    counted by itself.
    """

    owner: str
    rollup: str
    fact: str
    log: str
    row_subject: str = "NULL::uuid"
    fact_subject: str = "NULL::uuid"
    log_subject: str = "NULL::uuid"


def source_of(parameters: Parameters, wanted: Slice, by: int = OWNER) -> Source:
    """Choose the coarsest cube that knows the slice's agent and campaign, and what is counted by itself."""
    owner = f"{parameters.add(wanted.owner_id)}::uuid"
    of_campaign = wanted.campaign_id is not None or by == CAMPAIGN
    cube = CAMPAIGN if of_campaign else AGENT if wanted.agent_id is not None or by == AGENT else OWNER
    columns = {"agent_id": "agent_id" if of_campaign else "subject_id", "campaign_id": "subject_id"}
    rollup, fact, log = [f"row.owner_id = {owner}"], [f"delta.owner_id = {owner}"], [f"log.owner_id = {owner}"]
    rollup.append(f"row.cube = {cube}")
    if cube == OWNER:
        rollup.append(f"row.subject_id = {NOBODY}")
    for name, value in (("campaign_id", wanted.campaign_id), ("agent_id", wanted.agent_id)):
        if value is not None:
            place = f"{parameters.add(value)}::uuid"
            rollup.append(f"row.{columns[name]} = {place}")
            fact.append(f"fact.{name} = {place}")
            log.append(f"log.{name} = {place}")
    if by == OWNER:
        return Source(owner, " AND ".join(rollup), " AND ".join(fact), " AND ".join(log))
    name = "agent_id" if by == AGENT else "campaign_id"
    rollup.append(f"row.{columns[name]} <> {NOBODY}")
    fact.append(f"fact.{name} IS NOT NULL")
    log.append(f"log.{name} IS NOT NULL")
    subjects = (f"row.{columns[name]}", f"fact.{name}", f"log.{name}")
    return Source(owner, " AND ".join(rollup), " AND ".join(fact), " AND ".join(log), *subjects)


def _pieces(parameters: Parameters, spans: Sequence[Span], top: int = EVER) -> str:
    """The buckets that cover the spans' whole hours, as a table `piece`."""
    rows = [(part, *piece) for part, span in enumerate(spans) for piece in span.pieces(top)]
    columns = [[row[index] for row in rows] for index in range(4)]
    kinds = ("integer", "smallint", "integer", "integer")
    arrays = ", ".join(f"{parameters.add(c)}::{kind}[]" for c, kind in zip(columns, kinds, strict=True))
    return f"unnest({arrays}) AS piece (part, level, low, high)"


def _wholes(parameters: Parameters, spans: Sequence[Span]) -> str:
    """The whole hours of each span, as a table `whole`."""
    rows = [(part, span.low, span.high) for part, span in enumerate(spans)]
    arrays = ", ".join(f"{parameters.add([row[index] for row in rows])}::integer[]" for index in range(3))
    return f"unnest({arrays}) AS whole (part, low, high)"


def _edges(parameters: Parameters, spans: Sequence[Span]) -> str | None:
    """The edges of the spans as ranges of ids, as a table `edge`; None where no hour is cut."""
    rows = [(part, lowest(low), lowest(high)) for part, span in enumerate(spans) for low, high in span.edges]
    if not rows:
        return None
    parts, lows, highs = ([row[index] for row in rows] for index in range(3))
    arrays = f"{parameters.add(parts)}::integer[], {parameters.add(lows)}::uuid[], {parameters.add(highs)}::uuid[]"
    return f"unnest({arrays}) AS edge (part, low, high)"


def _of_logs(parameters: Parameters, wanted: Slice, source: Source) -> str:
    """The conditions on the call logs of edges, with those that other plugins set."""
    extra = [added.sql(value, source.owner, parameters) for added, value in wanted.extra]
    return " AND ".join([source.log, *extra])


def figures(parameters: Parameters, wanted: Slice, measures: Sequence[Measure], by: int = OWNER) -> str:
    """SQL whose rows are `part` (the place of a span), `subject_id` (with `by`), and the measures by their names."""
    source = source_of(parameters, wanted, by)
    grouped = "GROUP BY 1" if by else ""
    rollups = f"""
        SELECT part, found.* FROM {_pieces(parameters, wanted.spans)} CROSS JOIN LATERAL (
            SELECT {source.row_subject}, {", ".join(f"sum({m.of_rollup()})" for m in measures)}
            FROM {measures[0].table} AS row WHERE {source.rollup} AND row.level = piece.level
                AND row.bucket >= piece.low AND row.bucket < piece.high {grouped}) AS found"""
    sums = ", ".join(f"sum({m.of_delta()})" for m in measures)
    deltas = f"""
        SELECT part, {source.fact_subject}, {sums}
        FROM {facts("fact.hour", sums, source.fact, source.fact_subject)}, {_wholes(parameters, wanted.spans)}
        WHERE {source.fact} AND fact.hour >= whole.low AND fact.hour < whole.high GROUP BY 1, 2"""
    parts = [rollups, deltas]
    if edges := _edges(parameters, wanted.spans):
        logs = _of_logs(parameters, wanted, source)
        parts.append(f"""
        SELECT part, found.* FROM {edges} CROSS JOIN LATERAL (
            SELECT {source.log_subject}, {", ".join(m.of_log() for m in measures)} FROM call_logs AS log
            WHERE {logs} AND log.id >= edge.low AND log.id < edge.high {grouped}) AS found""")
    return f"""
    SELECT part, subject_id, {", ".join(m.summed() for m in measures)}
    FROM ({" UNION ALL ".join(parts)}) AS seen (part, subject_id, {", ".join(m.name for m in measures)})
    GROUP BY part, subject_id"""


def count(parameters: Parameters, wanted: Slice, measure: Measure) -> str:
    """An SQL expression for a measure of one span."""
    return f"coalesce((SELECT {measure.name} FROM ({figures(parameters, wanted, [measure])}) AS counted), 0)"


def words(parameters: Parameters, wanted: Slice, kind: int) -> str:
    """SQL whose rows are `word` and `calls`; and, for edges, `said` (words as they were written) with their `calls`."""
    source = source_of(parameters, wanted)
    name = ("phrases", "emotions")[kind]
    held = ", ".join(f"row.{column}" for column in ARRAYS[kind])
    parts = [
        f"""
        SELECT word, sum(calls)::bigint AS calls, NULL::text[] AS said FROM (
            SELECT found.* FROM {_pieces(parameters, wanted.spans)} CROSS JOIN LATERAL (
                SELECT held.* FROM rollup_chunks AS row, unnest({held}) AS held WHERE {source.rollup}
                    AND row.level = piece.level AND row.bucket >= piece.low AND row.bucket < piece.high) AS found
            UNION ALL
            SELECT said.word, sign(fact.calls) FROM {facts("fact.hour", "fact.calls", f"fact.{name}", source.fact)},
                {_wholes(parameters, wanted.spans)}, json_array_elements_text(fact.{name}) AS said (word)
            WHERE {source.fact} AND fact.hour >= whole.low AND fact.hour < whole.high
        ) AS seen (word, calls) WHERE word <> '' GROUP BY word HAVING sum(calls) <> 0"""
    ]
    if edges := _edges(parameters, wanted.spans):
        column = ("key_phrases", "emotions")[kind]
        logs = _of_logs(parameters, wanted, source)
        parts.append(f"""
        SELECT NULL, count(*), log.{column} FROM {edges}, call_logs AS log
        WHERE {logs} AND log.id >= edge.low AND log.id < edge.high AND log.{column} <> '{{}}' GROUP BY 3""")
    return " UNION ALL ".join(parts)
