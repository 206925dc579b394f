"""What can go wrong with the do-not-call list."""

from __future__ import annotations

from voicera import ApiError


class NumbersListed(ApiError):
    """The campaign has phone numbers that must not be called."""

    code, status = "DNC_001", 409
    raised_in = ("campaign_launching",)


class NotListed(ApiError):
    """The phone number is not on the do-not-call list."""

    code, status = "DNC_002", 404


ALL: list[type[ApiError]] = [NumbersListed, NotListed]
