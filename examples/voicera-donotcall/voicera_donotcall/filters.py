"""The filter `do_not_call` of the call logs: in the list, the export, and all analytics."""

from __future__ import annotations

from plugins.calls.hookspecs import CallFilter, Parameters

# PostgreSQL begins with what is shorter: with the list, whose numbers it finds in the call logs' index by phone number,
# or with the call logs, each of which it looks up by the list's primary key. `now()` is its own: a filter has no clock.
LISTED = """EXISTS (
    SELECT FROM donotcall_numbers AS listed
    WHERE listed.owner_id = {owner} AND listed.phone_number = log.phone_number
        AND (listed.expires_at IS NULL OR listed.expires_at > now()))"""


def is_listed(wanted: bool, owner: str, parameters: Parameters) -> str:
    """The condition that the number of a call log stands on its owner's list now, or that it does not."""
    return f"{'' if wanted else 'NOT '}{LISTED.format(owner=owner)}"


DO_NOT_CALL = CallFilter(
    name="do_not_call",
    kind=bool,
    description="Only calls whose phone number is on your do-not-call list now (true), or is not (false).",
    condition=is_listed,
)
