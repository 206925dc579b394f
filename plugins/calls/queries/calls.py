"""SQL that reads and changes single call logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from voicera import Connection, rfc3339_sql

ITEM_COLUMNS = f"""
    id, external_id, campaign_id, agent_id, phone_number, direction, status, duration_seconds, sentiment, emotions,
    trim_scale(cost_micros / 1000000.0) AS cost, {rfc3339_sql("created_at")} AS created_at"""
DETAIL_COLUMNS = f"""{ITEM_COLUMNS}, transcript, summary, key_phrases, NULL AS recording_url, metadata,
    {rfc3339_sql("updated_at")} AS updated_at"""
# A digest of all that a client sent, except created_at, which the server fills in where it is missing.
CONTENT = """sha256(convert_to(jsonb_build_array(campaign_id, agent_id, phone_number, direction, status,
    duration_seconds, sentiment, emotions, key_phrases, transcript, summary, cost_micros, metadata)::text, 'UTF8'))"""


class Stored(NamedTuple):
    """A call log as JSON, whose `recording_url` is null, and the key of its recording in storage."""

    detail: str
    object_key: str | None


GET = f"""
SELECT row_to_json(detail)::text,
    (SELECT object_key FROM call_recordings WHERE owner_id = $1 AND call_id = $2)
FROM (SELECT {DETAIL_COLUMNS} FROM call_logs WHERE owner_id = $1 AND id = $2) AS detail"""  # noqa: S608  # constants


async def get_call(connection: Connection, owner_id: UUID, call_id: UUID) -> Stored | None:
    """One call log, None if the owner has no such call."""
    row = await connection.fetchrow(GET, owner_id, call_id)
    return None if row is None else Stored(*row)


LOCK = """
SELECT id, external_id, campaign_id, agent_id, phone_number, direction, status, duration_seconds, sentiment, emotions,
    key_phrases, transcript, summary, cost_micros, metadata::text AS metadata, created_at, updated_at
FROM call_logs WHERE owner_id = $1 AND id = $2 FOR UPDATE"""


async def lock_call(connection: Connection, owner_id: UUID, call_id: UUID) -> asyncpg.Record | None:
    """A call log, locked until the transaction ends; None if the owner has no such call."""
    return await connection.fetchrow(LOCK, owner_id, call_id)


KEEP_DIGEST = f"""
UPDATE call_keys SET digest = (SELECT {CONTENT} FROM call_logs WHERE owner_id = $1 AND id = $3)
WHERE owner_id = $1 AND external_id = $2 AND digest IS NULL"""  # noqa: S608  # constants


async def keep_digest(connection: Connection, owner_id: UUID, external_id: str, call_id: UUID) -> None:
    """Before the first change of a call log, keep what says whether it is sent again as it was."""
    await connection.execute(KEEP_DIGEST, owner_id, external_id, call_id)


CHANGEABLE = (
    "status",
    "duration_seconds",
    "sentiment",
    "emotions",
    "key_phrases",
    "transcript",
    "summary",
    "cost_micros",
)
UPDATE = f"""
UPDATE call_logs SET ({", ".join(CHANGEABLE)}, updated_at) = ({{values}}, $3)
WHERE owner_id = $1 AND id = $2"""  # noqa: S608  # constants


async def update_call(
    connection: Connection, owner_id: UUID, call_id: UUID, updated_at: Any, values: Mapping[str, Any]
) -> None:
    """Set every column of CHANGEABLE, and `updated_at`."""
    places = ", ".join(f"${place}" for place in range(4, 4 + len(CHANGEABLE)))
    await connection.execute(
        UPDATE.format(values=places), owner_id, call_id, updated_at, *(values[name] for name in CHANGEABLE)
    )


DELETE = "DELETE FROM call_logs WHERE owner_id = $1 AND id = $2"
DELETE_KEY = "DELETE FROM call_keys WHERE owner_id = $1 AND external_id = $2"


async def delete_call(connection: Connection, owner_id: UUID, call_id: UUID, external_id: str | None) -> None:
    """Delete a call log, and give its external id free."""
    await connection.execute(DELETE, owner_id, call_id)
    if external_id is not None:
        await connection.execute(DELETE_KEY, owner_id, external_id)
