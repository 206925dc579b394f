"""Keeps an agenda of the campaigns that wait for their start."""

from collections.abc import Sequence

from plugins.campaigns.hookspecs import CampaignEvent
from voicera import Blueprint, Reply, Request, Resources, hookimpl, reply, requires

blueprint = Blueprint("/agenda")


@hookimpl
async def campaign_scheduled(resources: Resources, campaign: CampaignEvent) -> None:
    assert campaign.start_time is not None
    start = {campaign.name: campaign.start_time.timestamp()}
    await resources.cache.require().zadd(f"agenda:{campaign.owner_id}", start)


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [blueprint]


@blueprint.get(returns=list[str])
@requires("campaigns:read")
async def show_agenda(request: Request) -> Reply:
    """List the campaigns that start from now on, the next one first."""
    key, now = f"agenda:{request.principal.owner_id}", request.resources.now().timestamp()
    found = await request.resources.cache.require().zrange(key, now, "+inf", sortby="BYSCORE")
    return reply([name.decode() for name in found])
