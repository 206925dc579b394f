"""The settings of this plugin."""

from pydantic import Field, field_validator
from voicera import Limit, SettingsSection

from voicera_providers.reading import E164


class ProvidersSettings(SettingsSection):
    """Calls of other providers."""

    providers_rate_limit: Limit = Field(
        Limit(6000, 60), description="Messages an address of a provider may send to connections."
    )
    providers_web_number: str | None = Field(
        None,
        description="Phone number under which calls without one (web, SIP) are recorded; without it they are left out.",
    )

    @field_validator("providers_web_number")
    @classmethod
    def _is_phone_number(cls, number: str | None) -> str | None:
        if number is not None and not E164.fullmatch(number):
            raise ValueError("must be a phone number in the form of E.164: +, then 7 to 15 digits")
        return number
