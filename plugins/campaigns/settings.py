"""The settings of the campaigns."""

from __future__ import annotations

from pydantic import Field

from voicera import SettingsSection


class CampaignsSettings(SettingsSection):
    """Campaigns."""

    campaign_schedule_seconds: float = Field(
        10.0, ge=0.1, le=3600, description="How often a worker looks for campaigns that begin or end, in seconds."
    )
