"""Keeps premium-rate numbers from being called, and campaigns from running longer than a quarter of a year."""

from collections.abc import Sequence
from datetime import timedelta

from plugins.campaigns.hookspecs import CampaignEvent, CampaignNumbers
from voicera import ApiError, hookimpl

PREMIUM = ("+1900", "+49900", "+449")
LONGEST = timedelta(days=92)


class CampaignTooLong(ApiError):
    """The campaign would run too long."""

    code, status = "DURATION_001", 409
    raised_in = ("campaign_launching",)


@hookimpl
def register_errors() -> Sequence[type[ApiError]]:
    return [CampaignTooLong]


@hookimpl
async def campaign_launching(campaign: CampaignEvent, numbers: CampaignNumbers) -> None:
    if campaign.end_time is not None and campaign.end_time - campaign.at > LONGEST:
        raise CampaignTooLong(f"{LONGEST.days} days at most")
    numbers.suppress({number: "a premium-rate number" for number in await numbers.read() if number.startswith(PREMIUM)})
