"""What can go wrong with a campaign."""

from __future__ import annotations

from voicera import ApiError


class CampaignNotFound(ApiError):
    """Campaign not found."""

    code, status = "CAMPAIGN_001", 404


class CannotLaunch(ApiError):
    """Cannot launch campaign."""

    code, status = "CAMPAIGN_002", 409


class StateForbids(ApiError):
    """The campaign's state does not allow this."""

    code, status = "CAMPAIGN_003", 409
    raised_in = ("agent_deleting",)


ALL: list[type[ApiError]] = [CampaignNotFound, CannotLaunch, StateForbids]
