"""The errors of this plugin."""

from __future__ import annotations

from voicera import ApiError


class CallNotFound(ApiError):
    """Call log not found."""

    code, status = "CALL_001", 404


ALL = (CallNotFound,)
