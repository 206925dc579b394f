"""The settings of the webhooks."""

from pydantic import Field
from voicera import SettingsSection


class WebhooksSettings(SettingsSection):
    """Webhooks."""

    webhooks_allow_private: bool = Field(
        False, description="Send to private and local addresses too: for development, never where others subscribe."
    )
    webhooks_allow_http: bool = Field(False, description="Allow http:// beside https://: for development.")
    webhooks_poll_seconds: float = Field(
        1.0, ge=0.05, le=3600, description="How often a worker looks for deliveries that are due, in seconds."
    )
    webhooks_at_once: int = Field(32, ge=1, le=1000, description="Deliveries that a worker has under way at most.")
    webhooks_retention_days: float = Field(30.0, gt=0, description="Days after which a delivery is deleted.")
    webhooks_give_up_days: float = Field(
        5.0, gt=0, description="Days without one success after which a failing webhook is switched off."
    )
