"""All SQL of the call logs. Every statement is led by the owner, and touches one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from voicera import Connection, rfc3339_sql

COLUMNS = (
    "owner_id",
    "id",
    "external_id",
    "campaign_id",
    "agent_id",
    "phone_number",
    "direction",
    "status",
    "duration_seconds",
    "sentiment",
    "emotions",
    "key_phrases",
    "transcript",
    "summary",
    "cost_micros",
    "metadata",
    "created_at",
    "updated_at",
)
ITEM = f"""
    id, external_id, campaign_id, agent_id, phone_number, direction, status, duration_seconds, sentiment, emotions,
    trim_scale(cost_micros / 1000000.0) AS cost, {rfc3339_sql("created_at")} AS created_at"""

# Keys are claimed in their order, so that two batches with the same keys wait for one another and never deadlock.
CLAIM = """
INSERT INTO call_keys (owner_id, external_id, call_id)
SELECT $1, external_id, call_id FROM unnest($2::text[], $3::uuid[]) AS sent (external_id, call_id)
ORDER BY external_id
ON CONFLICT DO NOTHING
RETURNING call_id"""


async def claim_keys(
    connection: Connection, owner_id: UUID, external_ids: Sequence[str], call_ids: Sequence[UUID]
) -> set[UUID]:
    """Claim external ids for new calls; return the ids of those calls that got theirs."""
    return {row[0] for row in await connection.fetch(CLAIM, owner_id, external_ids, call_ids)}


async def copy_calls(connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Write call logs, as tuples in the order of COLUMNS."""
    await connection.copy_records_to_table("call_logs", records=rows, columns=COLUMNS)


DETAIL = f"""
SELECT row_to_json(detail)::text FROM (
    SELECT {ITEM}, transcript, summary, key_phrases, NULL AS recording_url, metadata,
        {rfc3339_sql("updated_at")} AS updated_at
    FROM call_logs WHERE owner_id = $1 AND id = $2
) AS detail"""  # noqa: S608  # made of constants alone


async def get_call(connection: Connection, owner_id: UUID, call_id: UUID) -> str | None:
    """One call log as JSON, None if the owner has no such call."""
    found: str | None = await connection.fetchval(DETAIL, owner_id, call_id)
    return found


LIST = """
SELECT (SELECT count(*) FROM call_logs WHERE {where}) AS total,
    coalesce(array_to_json(array_agg(row_to_json(page)))::text, '[]') AS items
FROM (
    SELECT {item}, left(transcript, 200) AS transcript
    FROM call_logs WHERE {where} ORDER BY id DESC OFFSET ${offset} LIMIT ${limit}
) AS page"""


async def list_calls(
    connection: Connection, conditions: Sequence[tuple[str, Any]], skip: int, limit: int
) -> tuple[int, str]:
    """Count and page through calls, newest first; return the exact total and the items as JSON.

    `conditions` are pairs of a column comparison such as `status =` and its value, the owner first.
    """
    where = " AND ".join(f"{comparison} ${place}" for place, (comparison, _) in enumerate(conditions, 1))
    size = len(conditions)
    statement = LIST.format(where=where, offset=size + 1, limit=size + 2, item=ITEM)
    row = await connection.fetchrow(statement, *(value for _, value in conditions), skip, limit)
    assert row is not None
    return row["total"], row["items"]


PARTITIONS = """
SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
WHERE inhparent = 'call_logs'::regclass"""
PARTITION_LOCK = "SELECT pg_advisory_xact_lock(hashtext('voicera call_logs partitions'))"
# Made on its own and attached afterwards: attaching takes a lock that writers do not wait for, creating a
# table as a partition of another takes one that they do. The CHECK spares the attaching its scan.
CREATE_PARTITION = """
CREATE TABLE {name} (LIKE call_logs INCLUDING ALL,
    CONSTRAINT bounds CHECK (id >= '{low}'::uuid AND id < '{high}'::uuid));
ALTER TABLE call_logs ATTACH PARTITION {name} FOR VALUES FROM ('{low}') TO ('{high}');
ALTER TABLE {name} DROP CONSTRAINT bounds;
COMMENT ON TABLE {name} IS 'voicera:calls'"""


async def partitions(connection: Connection) -> set[str]:
    """The names of the partitions that there are."""
    return {row[0] for row in await connection.fetch(PARTITIONS)}


async def lock_partitions(connection: Connection) -> None:
    """Let one session at a time make partitions, until the end of the transaction."""
    await connection.execute(PARTITION_LOCK)


async def create_partition(connection: Connection, name: str, low: UUID, high: UUID) -> None:
    """Make the partition for ids from `low` up to and without `high`."""
    await connection.execute(CREATE_PARTITION.format(name=name, low=low, high=high))
