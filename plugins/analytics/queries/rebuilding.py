"""Statements that compute the rollups anew from the call logs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from plugins.analytics.queries import folding
from voicera import Connection

HOUR_SECONDS = 3600.0
OWNERS = """
SELECT DISTINCT owner_id FROM call_logs UNION SELECT DISTINCT owner_id FROM call_rollups
UNION SELECT DISTINCT owner_id FROM call_deltas ORDER BY 1"""
EMPTY = (
    "DELETE FROM call_deltas WHERE owner_id = $1",
    "DELETE FROM call_rollups WHERE owner_id = $1",
    "DELETE FROM rollup_chunks WHERE owner_id = $1",
)
WORDS = """
SELECT DISTINCT unnest(key_phrases) FROM call_logs WHERE owner_id = $1
UNION SELECT DISTINCT unnest(emotions) FROM call_logs WHERE owner_id = $1"""
THERE = "SELECT to_regclass('call_logs') IS NOT NULL"


async def owners(connection: Any) -> list[UUID]:
    """Everybody who has calls, or rollups of calls; nobody where there is no table of calls yet."""
    if not await connection.fetchval(THERE):
        return []
    return [UUID(int=row[0].int) for row in await connection.fetch(OWNERS, timeout=HOUR_SECONDS)]


async def fill(connection: Any, owner_id: UUID, fold: Callable[[str], str]) -> None:
    """Compute one owner's rollups from the logs that this transaction sees, in place of all that there is of them.

    Run it where nothing is folded meanwhile, and where every statement sees the same moment. `fold` says how a word
    is compared.
    """
    for statement in EMPTY:
        await connection.execute(statement, owner_id, timeout=HOUR_SECONDS)
    folds = await _folding(connection, owner_id, fold)
    await connection.execute(folding.PLANNED_FOR_ALL)
    await connection.execute(folding.FILL_SUMS, owner_id, timeout=HOUR_SECONDS)
    await connection.execute(folding.FILL_WORDS, owner_id, *folds, timeout=HOUR_SECONDS)


async def _folding(connection: Any, owner_id: UUID, fold: Callable[[str], str]) -> tuple[list[str], list[str]]:
    """The words of an owner's calls that are written otherwise than they are compared, and how they are compared."""
    said = [row[0] for row in await connection.fetch(WORDS, owner_id, timeout=HOUR_SECONDS)]
    other = {word: folded for word in said if (folded := fold(word)) != word}
    return list(other), list(other.values())


class Difference(NamedTuple):
    """A row of rollups that does not say what the call logs say; `lacking` by column, negative for what is too much."""

    table: str
    key: dict[str, Any]
    lacking: dict[str, int]


async def differences(connection: Any, owner_id: UUID, fold: Callable[[str], str]) -> list[Difference]:
    """Where an owner's rollups, with the deltas that are not in them yet, differ from the call logs; 1,000 a table.

    Run it where every statement sees the same moment.
    """
    folds = await _folding(connection, owner_id, fold)
    await connection.execute(folding.PLANNED_FOR_ALL)
    rows = await connection.fetch(folding.COMPARE, owner_id, *folds, timeout=HOUR_SECONDS)
    words = []
    if any(row["print"] for row in rows):
        words = await connection.fetch(folding.COMPARE_WORDS, owner_id, *folds, timeout=HOUR_SECONDS)
    sums = [found for row in rows if (found := _difference("call_rollups", row, (*folding.KEY, "print"))).lacking]
    return sums + [_difference("rollup_chunks", row, folding.WORD_KEY) for row in words]


def _difference(table: str, row: Mapping[str, Any], key: tuple[str, ...]) -> Difference:
    lacking = {name: int(value) for name, value in row.items() if name not in key and value}
    return Difference(table, {name: row[name] for name in key if name != "print"}, lacking)


# The isolation is set before the first query.
BEGIN_CHECKING = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0"


async def begin_checking(connection: Connection) -> None:
    """Make a transaction that has not begun one that sees one moment."""
    await connection.execute(BEGIN_CHECKING)


# A first look: what one walk over the calls tells, against the rows of all time and the deltas.
BEHIND = """
SELECT owner_id FROM (
    SELECT owner_id, count(*) AS calls, count(*) FILTER (WHERE status = 'completed') AS completed,
        coalesce(sum(duration_seconds) FILTER (WHERE status = 'completed'), 0) AS seconds,
        coalesce(sum(cost_micros), 0) AS cost FROM call_logs GROUP BY 1
    UNION ALL
    SELECT owner_id, -calls, -(completed_positive + completed_neutral + completed_negative + completed_unknown),
        -seconds, -cost_micros FROM call_rollups WHERE cube = 0 AND level = 3
    UNION ALL
    SELECT owner_id, -fact.calls, CASE WHEN fact.cell BETWEEN 8 AND 11 THEN -fact.calls ELSE 0 END,
        -fact.seconds, -fact.cost_micros
    FROM call_deltas, unnest(cells, calls, seconds, costs) AS fact (cell, calls, seconds, cost_micros)
) AS seen GROUP BY 1 HAVING sum(calls) <> 0 OR sum(completed) <> 0 OR sum(seconds) <> 0 OR sum(cost) <> 0"""
CHECKER = "SELECT pg_try_advisory_xact_lock(hashtext('voicera rollups are looked through'))"


async def lock_checker(connection: Connection) -> bool:
    """Be the only one who looks for owners that are behind, until the transaction ends; False if another is."""
    locked: bool = await connection.fetchval(CHECKER)
    return locked


async def owners_behind(connection: Connection) -> list[UUID]:
    """The owners whose calls were written without their rollups, as far as numbers, seconds and cost show it."""
    return [UUID(int=row[0].int) for row in await connection.fetch(BEHIND, timeout=HOUR_SECONDS)]


MARK = """
INSERT INTO rollup_marks (name, at) VALUES ('kept', now()) ON CONFLICT (name) DO UPDATE SET at = excluded.at
WHERE rollup_marks.at < excluded.at - make_interval(secs => $1 / 2)"""
GAP = """
SELECT coalesce((SELECT extract(epoch FROM now() - at) FROM rollup_marks WHERE name = 'kept') > $1, true)"""


async def mark(connection: Connection, seconds: float) -> None:
    """Note that the rollups are being kept; it lasts for so many seconds."""
    await connection.execute(MARK, seconds)


async def was_gap(connection: Connection, seconds: float) -> bool:
    """True where nobody has noted so for longer than that."""
    gap: bool = await connection.fetchval(GAP, seconds)
    return gap
