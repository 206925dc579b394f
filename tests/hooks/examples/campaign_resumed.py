"""Counts how often each campaign has been resumed: often means that something is wrong with it."""

from collections.abc import Sequence

from plugins.campaigns.hookspecs import CampaignEvent
from voicera import Blueprint, Reply, Request, Resources, hookimpl, reply, requires

blueprint = Blueprint("/resumptions")


@hookimpl
async def campaign_resumed(resources: Resources, campaign: CampaignEvent) -> None:
    await resources.cache.require().hincrby(f"resumptions:{campaign.owner_id}", campaign.name, 1)


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [blueprint]


@blueprint.get(returns=dict[str, int])
@requires("campaigns:read")
async def show_resumptions(request: Request) -> Reply:
    """Say how often each campaign has been resumed."""
    found = await request.resources.cache.require().hgetall(f"resumptions:{request.principal.owner_id}")
    return reply({name.decode(): int(times) for name, times in found.items()})
