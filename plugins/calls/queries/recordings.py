"""SQL of recordings, and of what lies in storage without being one.

`recording_uploads` names every object that is being written or is to be deleted: a row is there before the object
is, and goes in the transaction that makes the object a recording. So whatever crashes, nothing in storage is lost
sight of. Times are given by the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from voicera import Connection


class Claimed(NamedTuple):
    """An object to take away."""

    owner_id: UUID
    object_key: str


CALL = "SELECT true FROM call_logs WHERE owner_id = $1 AND id = $2"


async def has_call(connection: Connection, owner_id: UUID, call_id: UUID) -> bool:
    """Whether the owner has such a call."""
    return bool(await connection.fetchval(CALL, owner_id, call_id))


KEEP_CALL = f"{CALL} FOR KEY SHARE"


async def keep_call(connection: Connection, owner_id: UUID, call_id: UUID) -> bool:
    """Whether the owner has such a call; if so it cannot be deleted before the transaction ends."""
    return bool(await connection.fetchval(KEEP_CALL, owner_id, call_id))


BEGIN = """
INSERT INTO recording_uploads (owner_id, call_id, object_key, due_at, doomed) VALUES ($1, $2, $3, $4, false)"""


async def begin_upload(
    connection: Connection, owner_id: UUID, call_id: UUID, object_key: str, due_at: datetime
) -> None:
    """Write down an object that is about to be written; past `due_at` it counts as given up."""
    await connection.execute(BEGIN, owner_id, call_id, object_key, due_at)


POSTPONE = "UPDATE recording_uploads SET due_at = $3 WHERE owner_id = $1 AND object_key = $2 AND NOT doomed"


async def postpone(connection: Connection, owner_id: UUID, object_key: str, due_at: datetime) -> None:
    """Note that an upload makes headway."""
    await connection.execute(POSTPONE, owner_id, object_key, due_at)


SAVE = """
WITH upload AS (
    DELETE FROM recording_uploads WHERE owner_id = $1 AND object_key = $3 AND NOT doomed RETURNING call_id),
saved AS (
    INSERT INTO call_recordings AS recording (owner_id, call_id, object_key, size_bytes, duration_ms, codec, channels,
        sample_rate, bits_per_sample, sha256, created_at)
    SELECT $1, call_id, $3, $4, $5, $6, $7, $8, $9, $10, $11 FROM upload WHERE call_id = $2
    ON CONFLICT (owner_id, call_id) DO UPDATE SET object_key = $3, size_bytes = $4, duration_ms = $5, codec = $6,
        channels = $7, sample_rate = $8, bits_per_sample = $9, sha256 = $10, created_at = $11
    RETURNING old.object_key AS replaced),
doomed AS (
    INSERT INTO recording_uploads (owner_id, call_id, object_key, due_at, doomed)
    SELECT $1, $2, replaced, $11, true FROM saved WHERE replaced IS NOT NULL)
SELECT replaced FROM saved"""


async def save(
    connection: Connection, owner_id: UUID, call_id: UUID, object_key: str, facts: Sequence[object]
) -> asyncpg.Record | None:
    """Make an uploaded object the call's recording, and doom the one that it replaces.

    `facts` are size, duration in milliseconds, codec, channels, sample rate, bits a sample, SHA-256 and the time.
    Returns the key that was replaced (or null); None if the upload has been given up meanwhile.
    """
    return await connection.fetchrow(SAVE, owner_id, call_id, object_key, *facts)


FORGET = """
WITH gone AS (DELETE FROM call_recordings WHERE owner_id = $1 AND call_id = $2 RETURNING object_key)
INSERT INTO recording_uploads (owner_id, call_id, object_key, due_at, doomed)
SELECT $1, $2, object_key, $3, true FROM gone
RETURNING object_key"""


async def forget(connection: Connection, owner_id: UUID, call_id: UUID, now: datetime) -> str | None:
    """Delete a recording and doom its object; return the object's key, None if there was no recording."""
    key: str | None = await connection.fetchval(FORGET, owner_id, call_id, now)
    return key


DOOM = """
UPDATE recording_uploads SET doomed = true, due_at = $3 WHERE owner_id = $1 AND object_key = $2 RETURNING true"""


async def doom(connection: Connection, owner_id: UUID, object_key: str, due_at: datetime) -> bool:
    """Give an object up, with `due_at` for the next attempt; False if it is a recording, or gone already."""
    return bool(await connection.fetchval(DOOM, owner_id, object_key, due_at))


REMOVED = "DELETE FROM recording_uploads WHERE owner_id = $1 AND object_key = $2 AND doomed"


async def removed(connection: Connection, owner_id: UUID, object_key: str) -> None:
    """Strike off an object that has been taken away."""
    await connection.execute(REMOVED, owner_id, object_key)


SWEEP_LOCK = "SELECT pg_try_advisory_xact_lock(hashtext('voicera recordings sweep'))"


async def lock_sweep(connection: Connection) -> bool:
    """Whether no other worker sweeps, until the end of the transaction."""
    return bool(await connection.fetchval(SWEEP_LOCK))


# The one statement here that spans owners: it runs in the background, on a table that is nearly empty.
CLAIM_DUE = """
UPDATE recording_uploads SET doomed = true, due_at = $2
WHERE (owner_id, object_key) IN (
    SELECT owner_id, object_key FROM recording_uploads WHERE due_at <= $1 ORDER BY due_at LIMIT $3
    FOR UPDATE SKIP LOCKED)
RETURNING owner_id, object_key"""


async def claim_due(connection: Connection, now: datetime, next_due: datetime, most: int) -> list[Claimed]:
    """Give up what is due, at most so many objects; they are due again at `next_due`."""
    return [Claimed(*row) for row in await connection.fetch(CLAIM_DUE, now, next_due, most)]


STORED = "SELECT object_key, size_bytes, sha256 FROM call_recordings WHERE owner_id = $1 AND call_id = $2"


async def stored(connection: Connection, owner_id: UUID, call_id: UUID) -> asyncpg.Record | None:
    """Where a recording lies, its size and its SHA-256; None if there is none."""
    return await connection.fetchrow(STORED, owner_id, call_id)


COLUMNS = """recording.call_id, recording.object_key, recording.size_bytes, recording.duration_ms, recording.codec,
    recording.channels, recording.sample_rate, recording.bits_per_sample, recording.sha256, recording.created_at,
    call.agent_id, call.campaign_id, call.phone_number"""
GET = f"""
SELECT {COLUMNS}, call.transcript
FROM call_recordings AS recording JOIN call_logs AS call ON call.owner_id = $1 AND call.id = $2
WHERE recording.owner_id = $1 AND recording.call_id = $2"""  # noqa: S608  # made of constants


async def get(connection: Connection, owner_id: UUID, call_id: UUID) -> asyncpg.Record | None:
    """A recording with what its call says, None if there is none."""
    return await connection.fetchrow(GET, owner_id, call_id)


LIST = f"""
SELECT {COLUMNS}
FROM (SELECT * FROM call_recordings WHERE owner_id = $1 ORDER BY call_id DESC OFFSET $2 LIMIT $3) AS recording
JOIN call_logs AS call ON call.owner_id = $1 AND call.id = recording.call_id
ORDER BY recording.call_id DESC"""  # noqa: S608  # made of constants


async def page(connection: Connection, owner_id: UUID, skip: int, limit: int) -> list[asyncpg.Record]:
    """Recordings of an owner, newest call first."""
    return await connection.fetch(LIST, owner_id, skip, limit)


COUNT = "SELECT count(*) FROM call_recordings WHERE owner_id = $1"


async def count(connection: Connection, owner_id: UUID) -> int:
    """How many recordings an owner has."""
    return int(await connection.fetchval(COUNT, owner_id))
