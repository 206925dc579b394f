"""Keeps the names of campaigns in the cache, where the screens of the dialers read them."""

from plugins.campaigns.hookspecs import CampaignsChanged
from voicera import Resources, hookimpl

# Events may come in either order: a version that is older than what is known is passed over.
KEEP = """
local known = redis.call('HGET', KEYS[1], 'version')
if known and tonumber(known) >= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'name', ARGV[2])
return 1
"""


@hookimpl
async def campaigns_changed(resources: Resources, event: CampaignsChanged) -> None:
    for change in event.changes:
        name = "(deleted)" if change.campaign is None else change.campaign["name"]
        version = change.version + (change.campaign is None)  # a deletion comes after the last state
        await resources.cache.require().eval(KEEP, [f"campaign:{change.id}"], [version, name])
