"""Statements that write deltas and fold them into the rollups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from plugins.analytics.queries import folding
from voicera import Connection

COLUMNS = (
    *("hours", "agents", "campaigns", "cells", "calls", "timed_calls", "seconds", "costs"),
    *("phrases", "emotions", "durations"),
)
# No key that two batches could share, and no index but the primary one: nobody waits here.
INSERT_DELTA = f"""
INSERT INTO call_deltas (owner_id, {", ".join(COLUMNS)})
VALUES ({", ".join(f"${place}" for place in range(1, len(COLUMNS) + 2))})"""  # noqa: S608  # constants


async def insert_delta(connection: Connection, owner_id: UUID, delta: Sequence[Any]) -> None:
    """Append what a batch adds, as a tuple in the order of COLUMNS."""
    await connection.execute(INSERT_DELTA, owner_id, *delta)


# A lock that is taken before the snapshot, as no query's can be: whoever holds it is alone in folding and rebuilding.
LOCK = "LOCK TABLE rollup_lock IN EXCLUSIVE MODE"


async def lock_rollups(connection: Connection, *, wait: bool) -> None:
    """Be the only one that writes rollups until the transaction ends.

    Raises LockNotAvailableError if another is at it, with `wait` after the session's lock_timeout only.
    """
    await connection.execute(LOCK if wait else f"{LOCK} NOWAIT")


ANY = "SELECT EXISTS (SELECT FROM call_deltas)"


async def anything(connection: Connection) -> bool:
    """True where deltas wait to be folded."""
    found: bool = await connection.fetchval(ANY)
    return found


class Left(NamedTuple):
    """How many deltas wait to be folded, and the last one's id; 0 where none does."""

    rows: int
    newest: int


LEFT = "SELECT count(*), coalesce(max(id), 0) FROM call_deltas"


async def left(connection: Connection) -> Left:
    """What waits."""
    row = await connection.fetchrow(LEFT)
    assert row is not None
    return Left(*row)


# The oldest deltas first, as many as make up so much work, and one in any case. An entry is as much as five calls.
WAITING = """
SELECT id FROM (
    SELECT id, coalesce(sum(work) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
    FROM (SELECT id, (SELECT sum(5 + abs(entry)) FROM unnest(calls) AS entry) AS work
          FROM call_deltas ORDER BY id LIMIT $1) AS oldest) AS running
WHERE before < $2"""


async def waiting(connection: Connection, rows: int, work: int) -> list[int]:
    """The ids of the deltas to fold next."""
    return [row[0] for row in await connection.fetch(WAITING, rows, work)]


FOLD_SECONDS = 60.0
FOLD_LIMIT = f"SET LOCAL statement_timeout = '{FOLD_SECONDS:.0f}s'; {folding.PLANNED}"
DELETE_DELTAS = "DELETE FROM call_deltas WHERE id = ANY($1)"


async def fold(connection: Connection, ids: list[int]) -> None:
    """Move these deltas into the rollups; rows that count nothing any more go, chunks that are many become one."""
    await connection.execute(FOLD_LIMIT)
    noted = await connection.fetch(folding.FOLD_SUMS, ids, timeout=FOLD_SECONDS)
    await connection.execute(folding.FOLD_WORDS, ids, timeout=FOLD_SECONDS)
    await connection.execute("SET LOCAL enable_nestloop = on")
    for statement, empty in ((folding.DROP_EMPTY, True), (folding.MERGE_CHUNKS, False)):
        places = [row["place"] for row in noted if row["empty"] == empty]
        if places:
            await connection.execute(statement, places, timeout=FOLD_SECONDS)
    await connection.execute(DELETE_DELTAS, ids)


# The isolation is set before the first query, and the lock taken before the snapshot.
BEGIN_REBUILDING = f"""
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '60s'; {LOCK}"""


async def begin_rebuilding(connection: Connection) -> None:
    """Make a transaction that has not begun one that sees one moment, with the rollups to itself."""
    await connection.execute(BEGIN_REBUILDING, timeout=90)


async def without_limit(connection: Connection) -> None:
    """Let the statements of this transaction take their time."""
    await connection.execute("SET LOCAL statement_timeout = 0")
