"""Calls, which come by the thousand: counted in memory, and every few seconds added to one entry an hour.

So the feed costs the recording of calls nothing, however many there are: a statement for all owners together.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from uuid import UUID

from plugins.calls.hookspecs import CallsChanged, CallsRecorded
from voicera import Resources

from voicera_activity import queries
from voicera_activity.schemas import Kind

STATE = "activity"
Tally = Counter[tuple[UUID, datetime, Kind]]


def begin(resources: Resources) -> None:
    """Count from nothing, in this worker."""
    resources.state[STATE] = Tally()


def calls_recorded(resources: Resources, batch: CallsRecorded) -> None:
    """Count calls that were recorded."""
    _count(resources, batch.owner_id, "calls.recorded", len(batch.calls))


def calls_changed(resources: Resources, batch: CallsChanged) -> None:
    """Count calls that were changed, and those that were deleted."""
    deleted = sum(change.after is None for change in batch.changes)
    _count(resources, batch.owner_id, "calls.deleted", deleted)
    _count(resources, batch.owner_id, "calls.changed", len(batch.changes) - deleted)


async def write(resources: Resources) -> None:
    """Add what was counted to the entries of the hours; what cannot be written waits for the next time."""
    tally: Tally = resources.state[STATE]
    taken = dict(sorted(tally.items()))  # in one order: two workers never wait for each other in a ring
    tally.clear()
    try:
        async with resources.db.connection() as connection:
            await queries.add_calls(connection, taken)
    except Exception:
        tally.update(taken)  # adds
        raise


def _count(resources: Resources, owner_id: UUID, kind: Kind, calls: int) -> None:
    if calls:
        hour = resources.now().replace(minute=0, second=0, microsecond=0)
        tally: Tally = resources.state[STATE]
        tally[owner_id, hour, kind] += calls
