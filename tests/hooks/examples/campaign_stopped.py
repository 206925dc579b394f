"""Tells all dialers to hang up the calls of a campaign that was cancelled (`SUBSCRIBE dialer:hang-up`)."""

from plugins.campaigns.hookspecs import CampaignEvent
from voicera import Resources, hookimpl


@hookimpl
async def campaign_stopped(resources: Resources, campaign: CampaignEvent) -> None:
    await resources.cache.require().publish("dialer:hang-up", str(campaign.id))
