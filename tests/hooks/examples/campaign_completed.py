"""Counts, when a campaign ends, how many calls it has had, and keeps that as its report."""

from collections.abc import Sequence
from uuid import UUID

from plugins.campaigns.hookspecs import CampaignEvent
from voicera import Blueprint, Reply, Request, Resources, hookimpl, reply, requires

blueprint = Blueprint("/campaign-reports")
CALLS = "SELECT count(*) FROM call_logs WHERE owner_id = $1 AND campaign_id = $2"


@hookimpl
async def campaign_completed(resources: Resources, campaign: CampaignEvent) -> None:
    async with resources.db.connection() as connection:
        calls = await connection.fetchval(CALLS, campaign.owner_id, campaign.id)
    report = f"{campaign.name}: {campaign.phone_number_count} numbers, {calls} calls"
    await resources.cache.require().set(f"report:{campaign.owner_id}:{campaign.id}", report)


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [blueprint]


@blueprint.get("/{campaign_id}", returns=str | None)
@requires("campaigns:read")
async def show_report(request: Request, campaign_id: UUID) -> Reply:
    """Show the report of a campaign; null while it goes on."""
    key = f"report:{request.principal.owner_id}:{campaign_id}"
    found = await request.resources.cache.require().get(key)
    return reply(None if found is None else found.decode())
