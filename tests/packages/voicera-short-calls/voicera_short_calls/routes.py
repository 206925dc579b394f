"""The routes of `/short-calls`."""

from uuid import UUID

from voicera import ApiError, Blueprint, Page, Paging, Reply, Request, reply, requires

from voicera_short_calls import queries
from voicera_short_calls.queries import Note

blueprint = Blueprint("/short-calls")


class NoteNotFound(ApiError):
    """This call is not noted."""

    code, status = "SHORT_CALLS_001", 404


@blueprint.get(query=Paging, returns=Page[Note])
@requires("calls:read")
async def list_notes(request: Request) -> Reply:
    """List the noted calls, newest first."""
    async with request.resources.db.connection() as connection:
        return reply(await queries.page(connection, request.principal.owner_id, request.query(Paging)))


@blueprint.delete("/{call_id}", status=204, raises=(NoteNotFound,))
@requires("calls:write")
async def forget_note(request: Request, call_id: UUID) -> Reply:
    """Take the note of a call away; the call stays."""
    async with request.resources.db.tx() as connection:
        if not await queries.forget(connection, request.principal.owner_id, [call_id]):
            raise NoteNotFound
    return reply(status=204)
