"""Changing and deleting call logs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from plugins.calls.errors import CallFinished, CallNotFound
from plugins.calls.hookspecs import CallChange as Change
from plugins.calls.hookspecs import CallsChanged, RecordedCall
from plugins.calls.queries import calls as queries
from plugins.calls.schemas.calls import CallChange, CallStatus
from plugins.calls.service import listing, recordings, rows
from voicera import UNSET, Connection, Fragment, Resources

UNFINISHED = frozenset({CallStatus.queued, CallStatus.in_progress})
MILLISECOND = timedelta(milliseconds=1)


async def change_call(resources: Resources, owner_id: UUID, call_id: UUID, change: CallChange) -> Fragment:
    """Set the fields given; return the resource. Raises CallNotFound, CallFinished, and what plugins raise."""
    given = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not UNSET}
    async with resources.db.tx() as connection:
        before, updated_at = await _lock(connection, owner_id, call_id)
        if before.log.status not in UNFINISHED and given.get("status") in UNFINISHED:
            raise CallFinished
        after = RecordedCall(before.id, msgspec.structs.replace(before.log, **given))
        if changed := after.log != before.log:
            await _write(resources, connection, owner_id, after, updated_at)
            event = CallsChanged(owner_id, (Change(before, after),))
            await resources.hooks.within("calls_changing", resources=resources, connection=connection, batch=event)
        stored = await queries.get_call(connection, owner_id, call_id)
    if changed:
        resources.hooks.after(resources.background, "calls_changed", resources=resources, batch=event)
    assert stored is not None
    return await listing.shown(resources, owner_id, call_id, stored)


async def delete_call(resources: Resources, owner_id: UUID, call_id: UUID) -> None:
    """Delete a call log, and its recording. Raises CallNotFound, and what plugins raise."""
    async with resources.db.tx() as connection:
        before, _ = await _lock(connection, owner_id, call_id)
        await queries.delete_call(connection, owner_id, call_id, before.log.external_id)
        object_key = await recordings.forget(connection, owner_id, call_id, resources.now())
        event = CallsChanged(owner_id, (Change(before, None),))
        await resources.hooks.within("calls_changing", resources=resources, connection=connection, batch=event)
    recordings.discard(resources, owner_id, object_key)
    resources.hooks.after(resources.background, "calls_changed", resources=resources, batch=event)


async def _lock(connection: Connection, owner_id: UUID, call_id: UUID) -> tuple[RecordedCall, datetime]:
    row = await queries.lock_call(connection, owner_id, call_id)
    if row is None:
        raise CallNotFound
    return rows.call_of(row), row["updated_at"]


async def _write(
    resources: Resources, connection: Connection, owner_id: UUID, after: RecordedCall, updated_at: datetime
) -> None:
    log = after.log
    if log.external_id is not None:
        await queries.keep_digest(connection, owner_id, log.external_id, after.id)
    values: dict[str, Any] = {**msgspec.structs.asdict(log), "cost_micros": rows.micros(log.cost)}
    moment = max(resources.now(), updated_at + MILLISECOND)  # so that of two changes the later one looks later
    await queries.update_call(connection, owner_id, after.id, moment, values)
