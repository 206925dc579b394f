"""The rules of recordings: what an owner sees of them, and what deleting one means."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from plugins.calls.errors import RecordingNotFound
from plugins.calls.queries import recordings as queries
from plugins.calls.schemas.recordings import RecordingItem, RecordingMetadata, RecordingPaging, RecordingView
from plugins.calls.service import objects
from plugins.calls.service.sweep import remove_soon
from voicera import Connection, Page, Resources


async def get(resources: Resources, owner_id: UUID, call_id: UUID) -> RecordingView:
    """A recording with a fresh address to download it from; raises RecordingNotFound."""
    row = await resources.db.reading(lambda connection: queries.get(connection, owner_id, call_id))
    if row is None:
        raise RecordingNotFound
    url = await recording_url(resources, owner_id, call_id, row["object_key"])
    return RecordingView(**_item(row), download_url=url, transcript=row["transcript"])


async def page(resources: Resources, owner_id: UUID, wanted: RecordingPaging) -> Page[RecordingItem]:
    """A page of an owner's recordings, newest call first."""

    async def read(connection: Connection) -> Page[RecordingItem]:
        total = await queries.count(connection, owner_id)
        rows = await queries.page(connection, owner_id, wanted.skip, wanted.limit)
        items = [RecordingItem(**_item(row)) for row in rows]
        return Page(total=total, skip=wanted.skip, limit=wanted.limit, items=items)

    return await resources.db.reading(read)


async def delete(resources: Resources, owner_id: UUID, call_id: UUID) -> None:
    """Delete a recording, and in the background its object; raises RecordingNotFound."""
    async with resources.db.tx() as connection:
        key = await forget(connection, owner_id, call_id, resources.now())
    if key is None:
        raise RecordingNotFound
    discard(resources, owner_id, key)


async def forget(connection: Connection, owner_id: UUID, call_id: UUID, now: datetime) -> str | None:
    """Delete the recording of a call inside the caller's transaction; None if it has none.

    The call log itself is to be deleted (or locked FOR UPDATE) before, in the same transaction: an upload that ends
    meanwhile then finds no call. After the commit give what this returns to `discard`.
    """
    return await queries.forget(connection, owner_id, call_id, now)


def discard(resources: Resources, owner_id: UUID, object_key: str | None) -> None:
    """After the commit: take the object of a forgotten recording away, in the background; None is nothing to do.

    If nobody calls this, the sweep does it.
    """
    if object_key is not None:
        remove_soon(resources, owner_id, object_key)


async def recording_url(resources: Resources, owner_id: UUID, call_id: UUID, object_key: str) -> str:
    """An address of a recording's audio that works for 15 minutes without a token."""
    assert object_key.startswith(f"{owner_id}/{call_id}/"), "a recording lies under its owner and call"
    return await objects.url(resources, object_key)


def _item(row: Any) -> dict[str, Any]:
    """What list and detail have in common."""
    return {
        "call_id": row["call_id"],
        "duration_seconds": (row["duration_ms"] + 500) // 1000,
        "duration_ms": row["duration_ms"],
        "format": "wav",
        "codec": row["codec"],
        "channels": row["channels"],
        "sample_rate": row["sample_rate"],
        "bits_per_sample": row["bits_per_sample"],
        "size_bytes": row["size_bytes"],
        "sha256": row["sha256"].hex(),
        "metadata": RecordingMetadata(row["agent_id"], row["campaign_id"], row["phone_number"]),
        "created_at": row["created_at"],
    }
