"""SQL that finds call logs: pages of the list, their total, and the export."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from plugins.calls.queries.calls import DETAIL_COLUMNS, ITEM_COLUMNS
from voicera import Connection

OPERATORS = {
    "owner_id": "owner_id = {}",
    "campaign_id": "campaign_id = {}",
    "agent_id": "agent_id = {}",
    "status": "status = {}",
    "sentiment": "sentiment = {}",
    "phone_number": "phone_number = {}",
    "min_duration": "duration_seconds >= {}",
    "max_duration": "duration_seconds <= {}",
    "from_id": "id >= {}",
    "to_id": "id < {}",
}
EXTRA = "extra"
GATHERED_BY = ("owner_id", "min_duration", "max_duration", "from_id", "to_id")
Conditions = Sequence[tuple[str, Any]]


class Values:
    """The parameters of a statement that is being put together."""

    def __init__(self) -> None:
        self.all: list[Any] = []

    def add(self, value: object) -> str:
        """Add a parameter; return its place in the text, such as `$3`."""
        self.all.append(value)
        return f"${len(self.all)}"

    def where(self, conditions: Conditions) -> str:
        """Add the values of conditions, named as in OPERATORS; return them as text, about a call log named `log`.

        The owner comes first. One named EXTRA is a filter of another plugin with its value.
        """
        parts: list[str] = []
        owner = ""
        for name, value in conditions:
            if name == EXTRA:
                parts.append(value[0].sql(value[1], owner, self))
                continue
            place = self.add(value)
            owner = owner or place
            parts.append(OPERATORS[name].format(place))
        return " AND ".join(parts)


class Rows(NamedTuple):
    """A page: the total where it was counted, how many items there are, the last one's id if more follow, the JSON."""

    total: int | None
    size: int
    next_after: UUID | None
    items: str


# One row more than wanted is read, to see whether there is a next page.
PAGE = """
WITH page AS MATERIALIZED (
    SELECT {item}, left(transcript, 200) AS transcript
    FROM {source} ORDER BY id DESC OFFSET {skip} LIMIT {limit} + 1)
SELECT {total} AS total, (SELECT count(*) FROM page) AS size,
    (SELECT id FROM page OFFSET {limit} - 1 LIMIT 1) AS last,
    (SELECT coalesce('[' || string_agg(row_to_json(item)::text, ',') || ']', '[]')
     FROM (SELECT * FROM page LIMIT {limit}) AS item) AS items"""
WALKED = "call_logs AS log WHERE {where}"
# OFFSET 0 keeps the other filters, the order and the limit of the page out of the choice of an index.
GATHERED = "(SELECT * FROM call_logs AS log WHERE {gathered} OFFSET 0) AS log WHERE {where}"
# Each range by itself, so that what lies between them is not read.
RANGED = """unnest({lows}::uuid[], {highs}::uuid[]) AS range (low, high) CROSS JOIN LATERAL (
    SELECT * FROM call_logs AS log WHERE {where} AND id >= range.low AND id < range.high OFFSET 0) AS found"""
COUNT = "(SELECT count(*) FROM call_logs AS log WHERE {where})"


def count_expression(values: Values, conditions: Conditions) -> str:
    """An expression that counts what matches, row by row."""
    return COUNT.format(where=values.where(conditions))


async def count_all(connection: Connection, values: Values, expressions: Sequence[str]) -> list[int]:
    """What counting expressions give at the same moment, whose parameters stand in `values` already."""
    row = await connection.fetchrow(f"SELECT {', '.join(expressions)}", *values.all)  # made of constants
    assert row is not None
    return list(row)


async def list_page(
    connection: Connection,
    values: Values,
    total: str,
    conditions: Conditions,
    *,
    skip: int,
    limit: int,
    gathered: bool = False,
    ranges: Sequence[tuple[UUID, UUID]] = (),
) -> Rows:
    """Read a page, newest first; `total` is an expression whose parameters stand in `values` already.

    A page is found by walking along the ids, or with `gathered` by sorting all that last so long: better for few. With
    `ranges`, all that match in these ranges of ids are sorted.
    """
    where = values.where(conditions)
    source = WALKED.format(where=where)
    if gathered:
        lasting = [condition for condition in conditions if condition[0] in GATHERED_BY]
        source = GATHERED.format(gathered=values.where(lasting), where=where)
    if ranges:
        lows, highs = (values.add([each[end] for each in ranges]) for end in (0, 1))
        source = RANGED.format(lows=lows, highs=highs, where=where)
    statement = PAGE.format(
        item=ITEM_COLUMNS,
        source=source,
        skip=f"{values.add(skip)}::bigint",
        limit=f"{values.add(limit)}::bigint",
        total=total,
    )
    row = await connection.fetchrow(statement, *values.all)
    assert row is not None
    more = row["size"] > limit
    return Rows(row["total"], min(row["size"], limit), row["last"] if more else None, row["items"])


KEYED = "SELECT call_id FROM call_keys WHERE owner_id = $1 AND external_id = $2"


async def find_key(connection: Connection, owner_id: UUID, external_id: str) -> UUID | None:
    """The call that has an external id."""
    found: UUID | None = await connection.fetchval(KEYED, owner_id, external_id)
    return found


EXPORT = """
SELECT row_to_json(detail)::text AS line, id FROM (
    SELECT {detail} FROM call_logs AS log WHERE {where} ORDER BY id DESC LIMIT {limit}) AS detail"""


async def export_slice(connection: Connection, conditions: Conditions, limit: int) -> list[tuple[str, UUID]]:
    """The next whole call logs as JSON, newest first, each with its id."""
    values = Values()
    statement = EXPORT.format(detail=DETAIL_COLUMNS, where=values.where(conditions), limit=values.add(limit))
    return [(row["line"], row["id"]) for row in await connection.fetch(statement, *values.all)]
