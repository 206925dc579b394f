"""Tells a dialer that listens to PostgreSQL of each transition, if and only if it is committed."""

import json

from plugins.campaigns.hookspecs import CampaignEvent
from voicera import Connection, hookimpl

# PostgreSQL delivers a notification when its transaction commits, and forgets it otherwise.
NOTIFY = "SELECT pg_notify('campaigns', $1)"


@hookimpl
async def campaign_moving(connection: Connection, campaign: CampaignEvent) -> None:
    await connection.execute(NOTIFY, json.dumps({"id": str(campaign.id), "status": campaign.status}))
