"""The clock: scheduled campaigns become active at their start_time, and live ones end at their end_time.

Every worker looks now and then; who gets the advisory lock of its transaction does the work of that batch, the others
leave. The lock goes with the transaction, so a worker that dies leaves nothing behind but work for the next one.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from plugins.campaigns.hookspecs import CampaignEvent
from plugins.campaigns.queries import moves
from plugins.campaigns.queries.moves import Due
from plugins.campaigns.service import transitions
from plugins.campaigns.service.campaigns import now_of
from plugins.campaigns.service.transitions import Move
from plugins.campaigns.settings import CampaignsSettings
from plugins.campaigns.states import COMPLETE, EXPIRE, START, Transition
from voicera import ApiError, Connection, Resources

log = logging.getLogger("voicera.campaigns")
BATCH = 100


@asynccontextmanager
async def kept(resources: Resources) -> AsyncIterator[None]:
    """While the worker runs, look every so many seconds for campaigns whose time has come."""
    seconds = resources.settings.of(CampaignsSettings).campaign_schedule_seconds
    resources.background.repeat("campaign clock", seconds, lambda: turn(resources))
    yield


async def turn(resources: Resources) -> int:
    """Move all campaigns whose time has come, as far as no other worker does; how many were moved."""
    moved = 0
    for transition in (COMPLETE, EXPIRE, START):
        last: Due | None = moves.FIRST
        while last is not None:
            last, events = await _batch(resources, transition, last)
            for event in events:
                transitions.tell(resources, transition, event)
            moved += len(events)
    return moved


async def _batch(resources: Resources, transition: Transition, after: Due) -> tuple[Due | None, list[CampaignEvent]]:
    """One transaction: the next campaigns after `after`. The last one looked at (None at the end), and the events.

    Walking on, rather than beginning anew, keeps those that cannot start from standing in the way of the rest.
    """
    async with resources.db.tx() as connection:
        if not await moves.lead(connection):
            return None, []
        found = await moves.due(connection, transition, now_of(resources), after, BATCH)
        tried = [await _try(resources, connection, transition, each) for each in found]
    return found[-1] if len(found) == BATCH else None, [event for event in tried if event is not None]


async def _try(resources: Resources, connection: Connection, transition: Transition, due: Due) -> CampaignEvent | None:
    """Move one campaign within a savepoint; None where a rule or a plugin forbids it: the next turn tries again."""
    wanted = Move(owner_id=due.owner_id, campaign_id=due.campaign_id, transition=transition)
    extra = {"campaign_id": str(due.campaign_id), "action": transition.action}
    try:
        async with connection.transaction():
            _, event = await transitions.apply(resources, connection, wanted)
    except ApiError as refused:
        log.info("campaign stays as it is", extra={**extra, "code": refused.code, "reason": refused.details})
    except Exception:
        if connection.is_closed():
            raise
        log.exception("campaign cannot be moved", extra=extra)
    else:
        return event
    return None
