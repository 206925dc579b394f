"""SQL that records call logs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from plugins.calls.queries.calls import CONTENT
from voicera import Connection

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

# Keys are claimed in their order, so that two batches with the same keys wait for one another and never deadlock.
CLAIM = """
INSERT INTO call_keys (owner_id, external_id, call_id)
SELECT $1, external_id, call_id FROM unnest($2::text[], $3::uuid[]) AS sent (external_id, call_id)
ORDER BY external_id
ON CONFLICT DO NOTHING"""
CLAIMED = """
SELECT call_id FROM call_keys JOIN unnest($2::text[], $3::uuid[]) AS sent (external_id, call_id)
    USING (external_id, call_id) WHERE owner_id = $1"""


async def claim_keys(
    connection: Connection, owner_id: UUID, external_ids: Sequence[str], call_ids: Sequence[UUID]
) -> set[UUID]:
    """Claim external ids for new calls; return the ids of those calls that got theirs.

    Mostly all do, and then their number says so: nothing need come back.
    """
    done = await connection.execute(CLAIM, owner_id, external_ids, call_ids)
    if int(done.rpartition(" ")[2]) == len(call_ids):
        return set(call_ids)
    return {row[0] for row in await connection.fetch(CLAIMED, owner_id, external_ids, call_ids)}


async def copy_calls(connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Write call logs, as tuples in the order of COLUMNS."""
    await connection.copy_records_to_table("call_logs", records=rows, columns=COLUMNS)


class Earlier(NamedTuple):
    """A call log that an external id stands for: its id, and whether what is sent is the same."""

    id: UUID
    same: bool


# What is sent again is compared as it would be stored; a call that has been changed kept the digest of what it was.
EARLIER = f"""
WITH call AS (
    SELECT * FROM call_logs WHERE owner_id = $1 AND id = (
        SELECT call_id FROM call_keys WHERE owner_id = $1 AND external_id = $2)),
sent AS (
    SELECT $3::uuid AS campaign_id, $4::uuid AS agent_id, $5::text AS phone_number, $6::text AS direction,
        $7::text AS status, $8::int AS duration_seconds, $9::text AS sentiment, $10::text[] AS emotions,
        $11::text[] AS key_phrases, $12::text AS transcript, $13::text AS summary, $14::bigint AS cost_micros,
        $15::jsonb AS metadata)
SELECT id, coalesce((SELECT digest FROM call_keys WHERE owner_id = $1 AND external_id = $2),
        (SELECT {CONTENT} FROM call)) = (SELECT {CONTENT} FROM sent)
        AND ($16::timestamptz(3) IS NULL OR created_at = $16::timestamptz(3)) AS same
FROM call"""  # noqa: S608  # made of constants alone


async def get_earlier(connection: Connection, owner_id: UUID, external_id: str, sent: Sequence[Any]) -> Earlier | None:
    """The call log that has an external id, compared with what is sent now; None if it has been deleted meanwhile."""
    row = await connection.fetchrow(EARLIER, owner_id, external_id, *sent)
    return Earlier(row["id"], row["same"]) if row is not None else None
