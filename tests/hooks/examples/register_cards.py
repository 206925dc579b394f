"""Puts on the dashboard how many calls are going on."""

from collections.abc import Sequence

from plugins.analytics.hookspecs import Card
from voicera import Blueprint, Reply, Request, Struct, hookimpl, reply, requires

blueprint = Blueprint("/going-on")
COUNT = "SELECT count(*) FROM call_logs WHERE owner_id = $1 AND status = 'in_progress'"


class Figure(Struct):
    """A figure of the dashboard."""

    value: int
    unit: str


@hookimpl
def register_cards() -> Sequence[Card]:
    return [Card(key="going-on", title="Calls going on", path="/going-on", kind="figure")]


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [blueprint]


@blueprint.get(returns=Figure)
@requires("analytics:read")
async def going_on(request: Request) -> Reply:
    """Count the calls that are going on."""
    async with request.resources.db.connection() as connection:
        calls = await connection.fetchval(COUNT, request.principal.owner_id)
    return reply(Figure(value=calls, unit="calls"))
