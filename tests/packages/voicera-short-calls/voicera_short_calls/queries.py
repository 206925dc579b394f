"""All SQL of this plugin."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from voicera import Connection, Page, Paging, Struct

NOTE = "INSERT INTO short_calls_notes (owner_id, id, seconds) SELECT $1, * FROM unnest($2::uuid[], $3::integer[])"
FORGET = "DELETE FROM short_calls_notes WHERE owner_id = $1 AND id = ANY($2) RETURNING id"
LIST = "SELECT id, seconds, noted_at FROM short_calls_notes WHERE owner_id = $1 ORDER BY id DESC OFFSET $2 LIMIT $3"
COUNT = "SELECT count(*) FROM short_calls_notes WHERE owner_id = $1"


class Note(Struct):
    """A flagged call, how long it lasted, and when it was flagged."""

    call_id: UUID
    seconds: int
    noted_at: datetime


async def note(connection: Connection, owner_id: UUID, seconds: Mapping[UUID, int]) -> None:
    """Note these calls with their seconds; without any it asks nothing of the database."""
    if seconds:
        await connection.execute(NOTE, owner_id, list(seconds), list(seconds.values()))


async def forget(connection: Connection, owner_id: UUID, call_ids: Sequence[UUID]) -> bool:
    """Take notes away; False where there was none."""
    return bool(await connection.fetch(FORGET, owner_id, call_ids))


async def page(connection: Connection, owner_id: UUID, wanted: Paging) -> Page[Note]:
    """The owner's noted calls, newest first."""
    rows = await connection.fetch(LIST, owner_id, wanted.skip, wanted.limit)
    total = await connection.fetchval(COUNT, owner_id)
    notes = [Note(call_id=row["id"], seconds=row["seconds"], noted_at=row["noted_at"]) for row in rows]
    return Page(items=notes, total=total, skip=wanted.skip, limit=wanted.limit)
