"""Keeps the prompts of agents in the cache, where voice servers read them at the beginning of each call."""

import json

from plugins.agents.hookspecs import AgentsChanged
from voicera import Resources, hookimpl

# Events may come in either order: a version that is older than what is known is passed over.
KEEP = """
local known = redis.call('HGET', KEYS[1], 'version')
if known and tonumber(known) >= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'prompt', ARGV[2])
return 1
"""


@hookimpl
async def agents_changed(resources: Resources, event: AgentsChanged) -> None:
    for change in event.changes:
        prompt = None if change.agent is None else change.agent["system_prompt"]
        version = change.version + (change.agent is None)  # a deletion comes after the last state
        await resources.cache.require().eval(KEEP, [f"prompt:{change.id}"], [version, json.dumps(prompt)])
