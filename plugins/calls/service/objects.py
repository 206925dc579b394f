"""Recordings as objects in storage, whatever that is: their keys, their sizes, and addresses to them.

Keys are made of UUIDs alone, a new one for each upload: an object never changes, and an earlier recording stays
whole until the new one is complete.
"""

from __future__ import annotations

from uuid import UUID

from voicera import Resources, uuid7

MEDIA = "audio/wav"
PART = 8 << 20  # bytes
URL_SECONDS = 900


def new_key(owner_id: UUID, call_id: UUID) -> str:
    """A key that no object has had."""
    return f"{owner_id}/{call_id}/{uuid7()}.wav"


async def url(resources: Resources, key: str) -> str:
    """An address from which anyone may read the object for 15 minutes. Never log it: it is a credential."""
    return await resources.storage.presign("GET", key, URL_SECONDS)
