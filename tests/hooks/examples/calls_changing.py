"""Keeps calls under a legal hold (`{"hold": true}` in their metadata) from being changed or deleted."""

from collections.abc import Sequence

from plugins.calls.hookspecs import CallsChanged
from voicera import ApiError, hookimpl


class LegalHold(ApiError):
    """The call log is under a legal hold."""

    code, status = "HOLD_001", 409
    raised_in = ("calls_changing",)


@hookimpl
def register_errors() -> Sequence[type[ApiError]]:
    return [LegalHold]


@hookimpl
async def calls_changing(batch: CallsChanged) -> None:
    if any((change.before.log.metadata or {}).get("hold") for change in batch.changes):
        raise LegalHold
