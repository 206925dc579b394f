"""Refuses revoked client certificates also while the cache is down: a file lists them, as `owner serial`."""

import asyncio
from pathlib import Path
from uuid import UUID, uuid5

from voicera import Principal, hookimpl

REVOKED = Path("revoked.txt")  # in the working directory


@hookimpl(tryfirst=True)  # the accounts call a session ended that they have never heard of
async def session_ended(principal: Principal) -> bool | None:
    if principal.kind != "certificate":
        return None
    text = await asyncio.to_thread(REVOKED.read_text)
    lines = [line.split() for line in text.splitlines()]
    return principal.session_id in {uuid5(UUID(owner_id), serial) for owner_id, serial in lines}
