"""The errors of this plugin."""

from __future__ import annotations

from voicera import ApiError


class CallNotFound(ApiError):
    """Call log not found."""

    code, status = "CALL_001", 404


class CallConflict(ApiError):
    """A call log with this external_id exists, with different content."""

    code, status = "CALL_002", 409


class CallFinished(ApiError):
    """A finished call cannot go back to an unfinished status."""

    code, status = "CALL_003", 409


class UnknownSource(ApiError):
    """No plugin understands calls of this source."""

    code, status = "CALL_004", 404


class RecordingNotFound(ApiError):
    """No recording for this call."""

    code, status = "RECORDING_001", 404


class NotAWav(ApiError):
    """Not a WAV file."""

    code, status = "RECORDING_002", 415


class BrokenWav(ApiError):
    """Not a WAV file that can be played."""

    code, status = "RECORDING_002", 422


ALL = (CallNotFound, CallConflict, CallFinished, UnknownSource, RecordingNotFound, NotAWav, BrokenWav)
