"""What is counted: a column of a figure, as each of the three sources has it, and the entries of deltas as a table."""
# ruff: noqa: S608  # made of constants; every value is a parameter

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from plugins.analytics.cells import CELLS, total
from plugins.calls.hookspecs import Parameters

LONGEST = (1 << 31) - 1  # seconds


class Durations(NamedTuple):
    """A range of durations in seconds, both ends inclusive: the places of its bounds in the text."""

    least: str
    most: str

    def hold(self, seconds: str) -> str:
        """A condition on seconds."""
        return f"{seconds} BETWEEN {self.least} AND {self.most}"


class Measure(NamedTuple):
    """A column of a figure: the calls in these cells (all, for None), or another sum of a rollup row.

    With `durations`, only the calls that lasted so long: they are found in other rows, all measures of a statement or
    none have them.
    """

    name: str
    cells: Sequence[int] | None = None
    column: str | None = None
    durations: Durations | None = None

    @property
    def table(self) -> str:
        """The table whose rows have it."""
        return "rollup_chunks" if self.durations else "call_rollups"

    def of_rollup(self) -> str:
        """Its value in a rollup row."""
        if self.durations:
            among = "" if self.cells is None else f" AND {_among('(held.timed & 31)', self.cells)}"
            return f"""(SELECT sum(held.calls) FROM unnest(row.durations, row.duration_calls) AS held (timed, calls)
                WHERE {self.durations.hold("held.timed >> 5")}{among})"""
        return f"row.{self.column}" if self.column else total(self.cells, "row")

    def of_delta(self) -> str:
        """Its value in an entry of a delta."""
        if self.column:
            return f"fact.{self.column}"
        calls = "fact.calls"
        if self.durations:
            calls = f"""sign(fact.calls)::bigint * (
                SELECT count(*) FROM json_array_elements_text(fact.durations) AS held (seconds)
                WHERE {self.durations.hold("held.seconds::bigint")})"""
        return calls if self.cells is None else f"CASE WHEN {_among('fact.cell', self.cells)} THEN {calls} END"

    def summed(self) -> str:
        """The sum of what the sources say; of costs it may be more than a bigint holds."""
        kind = "numeric" if self.name == "cost_micros" else "bigint"
        return f"coalesce(sum({self.name}), 0)::{kind} AS {self.name}"

    def of_log(self) -> str:
        """Its sum over call logs."""
        if self.column:
            return LOG_SUMS[self.column]
        where = ["true"] if self.cells is None else [f"({' OR '.join(map(_log_in, self.cells)) or 'false'})"]
        if self.durations:
            where.append(self.durations.hold("log.duration_seconds"))
        return f"count(*) FILTER (WHERE {' AND '.join(where)})"


ENTRY = {
    "hour": "hours",
    "agent_id": "agents",
    "campaign_id": "campaigns",
    "cell": "cells",
    "calls": "calls",
    "timed_calls": "timed_calls",
    "seconds": "seconds",
    "cost_micros": "costs",
    "phrases": "phrases",
    "emotions": "emotions",
    "durations": "durations",
}
IN_JSON = ("phrases", "emotions", "durations")


def facts(*texts: str) -> str:
    """The entries of deltas, as a table `fact`: with those columns alone that the texts name, since each costs."""
    named = [name for name in ENTRY if any(f"fact.{name}" in text for text in texts)]
    arrays = ", ".join(f"delta.{ENTRY[name]}" for name in named if name not in IN_JSON)
    functions = [f"unnest({arrays})", *(f"json_array_elements(delta.{name})" for name in named if name in IN_JSON)]
    return f"call_deltas AS delta, ROWS FROM ({', '.join(functions)}) AS fact ({', '.join(named)})"


LOG_SUMS = {
    "timed_calls": "count(log.duration_seconds) FILTER (WHERE log.status = 'completed')",
    "seconds": "sum(log.duration_seconds) FILTER (WHERE log.status = 'completed')",
    "cost_micros": "sum(log.cost_micros)",
}


def _among(cell: str, cells: Sequence[int]) -> str:
    return f"{cell} = ANY('{{{','.join(map(str, cells))}}}'::smallint[])"


def _log_in(cell: int) -> str:
    status, sentiment = CELLS[cell]
    felt = "IS NULL" if sentiment is None else f"= '{sentiment}'"
    return f"(log.status = '{status}' AND log.sentiment {felt})"


def calls_in(
    parameters: Parameters, cells: Sequence[int] | None, least: int | None = None, most: int | None = None
) -> Measure:
    """The number of calls in these cells (all, for None) that lasted so many seconds, where one of both is given."""
    if least is None and most is None:
        return Measure("calls", cells)
    low, high = 0 if least is None else least, LONGEST if most is None else most
    places = (f"{parameters.add(bound)}::bigint" for bound in (low, high))
    return Measure("calls", cells, durations=Durations(*places))
