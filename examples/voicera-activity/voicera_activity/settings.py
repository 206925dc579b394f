"""The settings of the activity."""

from __future__ import annotations

from pydantic import Field
from voicera import SettingsSection


class ActivitySettings(SettingsSection):
    """Activity."""

    activity_days: float = Field(30.0, gt=0, le=3650, description="Days after which an entry of the feed is deleted.")
