"""Knows that a campaign has no calls from before it was created: its id, a UUIDv7, says when that was."""

from plugins.calls.hookspecs import CallQuery, Seek
from voicera import hookimpl, lowest, milliseconds_of, time_of


@hookimpl(tryfirst=True)  # before the analytics
async def seek_calls(query: CallQuery, skip: int) -> Seek | None:
    if query.campaign_id is None or query.campaign_id.version != 7:
        return None
    return Seek(lowest=lowest(milliseconds_of(time_of(query.campaign_id))), below=None, skip=skip)
