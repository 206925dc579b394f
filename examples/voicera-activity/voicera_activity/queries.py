"""The SQL of the feed. `owner_id` stands in every WHERE clause but one, which deletes what is old, whoever's it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from voicera import Connection, milliseconds_of, uuid7

from voicera_activity.schemas import ActivityEntry, Kind

# What has been deleted cannot say its name any more: the feed calls it as it did last.
RECORD = """
INSERT INTO activity_entries (owner_id, id, kind, subject_id, name, at)
SELECT $1, id, kind, subject_id, coalesce(name, (
    SELECT known.name FROM activity_entries AS known
    WHERE known.owner_id = $1 AND known.subject_id = new.subject_id ORDER BY known.id DESC LIMIT 1)), at
FROM unnest($2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::timestamptz[]) AS new (id, kind, subject_id, name, at)
"""


async def record(connection: Connection, owner_id: UUID, entries: Sequence[ActivityEntry]) -> None:
    """Add entries to an owner's feed, in one statement however many there are; without any it asks nothing."""
    if entries:
        rows = [(each.id, each.kind, each.subject_id, each.name, each.at) for each in entries]
        await connection.execute(RECORD, owner_id, *zip(*rows, strict=True))


ADD_CALLS = """
INSERT INTO activity_entries (owner_id, id, kind, subject_id, at, calls)
SELECT owner_id, id, kind, owner_id, at, calls
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::bigint[]) AS new (owner_id, id, kind, at, calls)
ON CONFLICT (owner_id, at, kind) WHERE calls IS NOT NULL DO UPDATE SET calls = activity_entries.calls + excluded.calls
"""


async def add_calls(connection: Connection, counts: Mapping[tuple[UUID, datetime, Kind], int]) -> None:
    """Add to the entries of hours, whoever's they are; without any it asks nothing."""
    if counts:
        rows = [(owner, uuid7(milliseconds_of(at)), kind, at, calls) for (owner, at, kind), calls in counts.items()]
        await connection.execute(ADD_CALLS, *zip(*rows, strict=True))


MATCHING = "FROM activity_entries WHERE owner_id = $1 AND ($2::text IS NULL OR kind = $2)"
COUNT = f"SELECT count(*) {MATCHING}"
PAGE = f"SELECT id, kind, subject_id, name, calls, at {MATCHING} ORDER BY id DESC LIMIT $3 OFFSET $4"


async def count(connection: Connection, owner_id: UUID, kind: Kind | None) -> int:
    """How many entries of a kind an owner has (of any, for None)."""
    found: int = await connection.fetchval(COUNT, owner_id, kind)
    return found


async def page(
    connection: Connection, owner_id: UUID, kind: Kind | None, *, limit: int, skip: int
) -> list[ActivityEntry]:
    """One page of them, newest first."""
    return [ActivityEntry(**row) for row in await connection.fetch(PAGE, owner_id, kind, limit, skip)]


FORGET = """
DELETE FROM activity_entries WHERE (owner_id, id) IN (
    SELECT owner_id, id FROM activity_entries WHERE at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
RETURNING true
"""


async def forget(connection: Connection, before: datetime, most: int) -> int:
    """Delete old entries of all owners; how many."""
    return len(await connection.fetch(FORGET, before, most))


# Nothing is written for it: a probe that comes every few seconds would otherwise write more than the feed does.
WRITABLE = """
SELECT has_table_privilege('activity_entries', 'INSERT') AND current_setting('transaction_read_only') = 'off'
"""


async def writable(connection: Connection) -> bool:
    """True if entries can be added; raises where there is no table."""
    return bool(await connection.fetchval(WRITABLE))
