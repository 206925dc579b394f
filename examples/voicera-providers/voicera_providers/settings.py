"""The settings of this plugin."""

from pydantic import Field
from voicera import Limit, SettingsSection


class ProvidersSettings(SettingsSection):
    """Calls of other providers."""

    providers_rate_limit: Limit = Field(
        Limit(6000, 60), description="Messages an address of a provider may send to connections."
    )
    providers_web_number: str | None = Field(
        None,
        pattern=r"^\+[0-9]{7,15}$",
        description="Phone number under which calls without one (web, SIP) are recorded; without it they are left out.",
    )
