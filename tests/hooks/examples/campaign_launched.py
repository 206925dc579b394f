"""Puts a campaign that begins into the queue from which the dialers take their work (`BLPOP dialer:start`)."""

import json

from plugins.campaigns.hookspecs import CampaignEvent
from voicera import Resources, hookimpl


@hookimpl
async def campaign_launched(resources: Resources, campaign: CampaignEvent) -> None:
    work = {"id": str(campaign.id), "agent": str(campaign.agent_id), "at_once": campaign.max_concurrent_calls}
    await resources.cache.require().rpush("dialer:start", [json.dumps(work)])
