"""Knows a caller again: how often this number was talked to, and when last."""

from collections.abc import Sequence
from datetime import datetime

from voicera import Blueprint, Reply, Request, Struct, hookimpl, reply, requires

blueprint = Blueprint("/callers")
KNOWN = "SELECT count(*) AS calls, max(created_at) AS last FROM call_logs WHERE owner_id = $1 AND phone_number = $2"


class Caller(Struct):
    """What is known of a number."""

    calls: int
    last: datetime | None


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [blueprint]


@blueprint.get("/{number}", returns=Caller)
@requires("calls:read")
async def show_caller(request: Request, number: str) -> Reply:
    """Say how often there was a call with a number, and when last."""
    async with request.resources.db.connection() as connection:
        row = await connection.fetchrow(KNOWN, request.principal.owner_id, number)
    return reply(Caller(calls=row["calls"], last=row["last"]))
