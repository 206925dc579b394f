"""The outbox: deliveries are written in the transaction in which the thing itself happens.

So an event is sent if and only if it happened: a batch that is rolled back leaves none behind, and one that was
acknowledged is sent even if every process dies right after it.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from plugins.calls.hookspecs import CallChange, CallsChanged, CallsRecorded, RecordedCall
from plugins.campaigns.hookspecs import CampaignEvent
from voicera import Connection, Fragment, Resources, encode, milliseconds_of, uuid7s

from voicera_webhooks.queries import outbox, webhooks

RECORDED, CHANGED, DELETED = "call.recorded", "call.changed", "call.deleted"
CAMPAIGN = {
    "schedule": "campaign.scheduled",
    "launch": "campaign.launched",
    "start": "campaign.launched",
    "pause": "campaign.paused",
    "resume": "campaign.resumed",
    "stop": "campaign.stopped",
    "expire": "campaign.stopped",
    "complete": "campaign.completed",
}
Event = tuple[str, dict[str, Any]]


async def calls_recorded(resources: Resources, connection: Connection, batch: CallsRecorded) -> None:
    """Write `call.recorded` for each call."""
    await _write(
        resources, connection, batch.owner_id, [RECORDED], lambda: ((RECORDED, _of_call(call)) for call in batch.calls)
    )


async def calls_changed(resources: Resources, connection: Connection, batch: CallsChanged) -> None:
    """Write `call.changed` or `call.deleted` for each call."""
    types = sorted({DELETED if change.after is None else CHANGED for change in batch.changes})
    await _write(resources, connection, batch.owner_id, types, lambda: map(_of_change, batch.changes))


async def campaign_moved(resources: Resources, connection: Connection, campaign: CampaignEvent) -> None:
    """Write the event of a campaign's transition, if it has one."""
    kind = CAMPAIGN.get(campaign.action)
    if kind is not None:
        data = asdict(campaign)
        owner_id = data.pop("owner_id")
        await _write(resources, connection, owner_id, [kind], lambda: [(kind, data)])


def body_of(event_id: UUID, kind: str, now: datetime, data: dict[str, Any]) -> str:
    """The JSON that is sent, and signed as it is."""
    return encode({"id": event_id, "type": kind, "created_at": now, "data": data}).decode()


async def _write(
    resources: Resources,
    connection: Connection,
    owner_id: UUID,
    types: list[str],
    events: Callable[[], Iterable[Event]],
) -> None:
    """Write the events' deliveries: one statement where nobody wants any, two where somebody does.

    It asks each time and remembers nothing: a webhook that was made a moment ago, by whichever worker, misses nothing.
    """
    if not await webhooks.wanted(connection, owner_id, types):
        return
    now = resources.now()
    found = list(events())
    ids = uuid7s([milliseconds_of(now)] * len(found))
    bodies = [body_of(event_id, kind, now, data) for event_id, (kind, data) in zip(ids, found, strict=True)]
    await outbox.write(connection, owner_id, now, ids, [kind for kind, _ in found], bodies)


def _of_call(call: RecordedCall) -> dict[str, Any]:
    """A call log as it was sent. Integers of its metadata may be of any size, which `encode` alone would refuse."""
    fields = {"id": call.id, **msgspec.structs.asdict(call.log)}
    if call.log.metadata is not None:
        fields["metadata"] = Fragment(msgspec.json.encode(call.log.metadata))
    return fields


def _of_change(change: CallChange) -> Event:
    """A change with the call log as it is now, a deletion with how it was."""
    if change.after is None:
        return DELETED, _of_call(change.before)
    return CHANGED, _of_call(change.after)
