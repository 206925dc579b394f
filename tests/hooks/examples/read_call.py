"""Shows in one line what a call was about, for the pop-up of a CRM."""

from collections.abc import Sequence
from uuid import UUID

from voicera import Blueprint, NoSuchRoute, Reply, Request, hookimpl, reply, requires

blueprint = Blueprint("/call-headlines")


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [blueprint]


@blueprint.get("/{call_id}", returns=str, raises=(NoSuchRoute,))
@requires("calls:read")
async def show_headline(request: Request, call_id: UUID) -> Reply:
    """Show the headline of a call."""
    resources, owner_id = request.resources, request.principal.owner_id
    call = await resources.hooks.first("read_call", resources=resources, owner_id=owner_id, call_id=call_id)
    if call is None:
        raise NoSuchRoute
    return reply(f"{call['phone_number']}, {call['status']}: {call['summary'] or 'no summary'}")
