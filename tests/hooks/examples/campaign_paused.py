"""Sets a mark in the cache that the dialers look at before each call of a campaign."""

from plugins.campaigns.hookspecs import CampaignEvent
from voicera import Resources, hookimpl

WEEK = 604_800


@hookimpl
async def campaign_paused(resources: Resources, campaign: CampaignEvent) -> None:
    await resources.cache.require().set(f"dialer:paused:{campaign.id}", campaign.at.isoformat(), ex=WEEK)
