"""Refuses calls to countries that are not served, as part of the transaction that would record them."""

from collections.abc import Sequence

from plugins.calls.hookspecs import CallsRecorded
from voicera import ApiError, hookimpl

SERVED = ("+1", "+44", "+49")


class CountryNotServed(ApiError):
    """Calls to this country are not allowed."""

    code, status = "SERVED_001", 409
    raised_in = ("calls_recording",)


@hookimpl
def register_errors() -> Sequence[type[ApiError]]:
    return [CountryNotServed]


@hookimpl
async def calls_recording(batch: CallsRecorded) -> None:
    if not all(call.log.phone_number.startswith(SERVED) for call in batch.calls):
        raise CountryNotServed(f"there are {', '.join(SERVED)}")
