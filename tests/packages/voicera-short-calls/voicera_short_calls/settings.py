"""The settings of this plugin."""

from pydantic import Field
from voicera import SettingsSection


class ShortCallsSettings(SettingsSection):
    """Short calls."""

    short_calls_seconds: int = Field(5, ge=0, description="Completed calls shorter than this are flagged, in seconds.")
