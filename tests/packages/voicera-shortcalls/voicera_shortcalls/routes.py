"""The flagged calls."""

from voicera_shortcalls import queries

from voicera import ApiError, Blueprint, Request, reply, requires

blueprint = Blueprint("/short-calls")


class TooManyFlags(ApiError):
    """Too many calls are flagged."""

    code, status = "SHORT_001", 409


@blueprint.get("", raises=(TooManyFlags,), returns=list[str])
@requires("calls:read")
async def list_flagged(request: Request):
    """List the ids of the flagged calls."""
    found = await queries.flagged(request.resources, request.principal.owner_id)
    if len(found) > 100:
        raise TooManyFlags
    return reply(found)
