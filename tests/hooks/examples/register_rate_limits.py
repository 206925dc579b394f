"""Looks numbers up, which costs money each time: three times a minute for each user, whatever else they ask."""

from collections.abc import Mapping, Sequence

from voicera import Blueprint, Limit, Reply, Request, Settings, hookimpl, reply, requires

blueprint = Blueprint("/lookups")


@hookimpl
def register_rate_limits(settings: Settings) -> Mapping[str, Limit]:
    return {"lookups": Limit.parse("3/minute")}


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [blueprint]


@blueprint.get("/{number}", returns=str, limit="lookups")
@requires("calls:read")
async def look_up(request: Request, number: str) -> Reply:
    """Say whether a number is a mobile one; here the paid service would be asked."""
    return reply("mobile" if number.startswith(("+4915", "+4916", "+4917")) else "unknown")
