"""Puts calls whose caller turns out to be unhappy on a list, for somebody to call back."""

from collections.abc import Sequence

from plugins.calls.hookspecs import CallsChanged
from voicera import Blueprint, Reply, Request, Resources, hookimpl, reply, requires

blueprint = Blueprint("/unhappy-calls")
UNHAPPY = "negative"


@hookimpl
async def calls_changed(resources: Resources, batch: CallsChanged) -> None:
    key, cache = f"unhappy-calls:{batch.owner_id}", resources.cache.require()
    for change in batch.changes:
        call_id = str(change.before.id)
        if change.after is not None and change.after.log.sentiment == UNHAPPY:
            await cache.sadd(key, [call_id])
        else:
            await cache.srem(key, [call_id])


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [blueprint]


@blueprint.get(returns=list[str])
@requires("calls:read")
async def list_unhappy(request: Request) -> Reply:
    """List the calls of unhappy callers."""
    found = await request.resources.cache.require().smembers(f"unhappy-calls:{request.principal.owner_id}")
    return reply(sorted(call_id.decode() for call_id in found))
