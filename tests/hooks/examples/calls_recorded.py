"""Counts today's calls in the cache, for a screen on the wall that asks every second."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from plugins.calls.hookspecs import CallsRecorded
from voicera import Blueprint, Reply, Request, Resources, hookimpl, reply, requires

blueprint = Blueprint("/calls-today")
TWO_DAYS = 172_800


def key_of(owner_id: UUID, now: datetime) -> str:
    return f"calls-today:{owner_id}:{now.date()}"


@hookimpl
async def calls_recorded(resources: Resources, batch: CallsRecorded) -> None:
    key, cache = key_of(batch.owner_id, resources.now()), resources.cache.require()
    await cache.incrby(key, len(batch.calls))
    await cache.expire(key, TWO_DAYS)


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [blueprint]


@blueprint.get(returns=int)
@requires("calls:read")
async def calls_today(request: Request) -> Reply:
    """Say how many calls were recorded today."""
    key = key_of(request.principal.owner_id, request.resources.now())
    return reply(int(await request.resources.cache.require().get(key) or 0))
