"""The examples of the agents' hooks do what docs/hooks.md says, in a running application."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from voicera.testing import Client, Running, a_call


async def test_agent_deleting(user: Client) -> None:
    """An agent that talks cannot be deleted; when the call has ended it can."""
    agent = (await user.post("/agents", {"name": "Reception"})).data
    call = (await user.post("/call-logs", a_call(agent_id=agent["id"], status="in_progress"))).data
    refused = await user.delete(f"/agents/{agent['id']}")
    assert (refused.status, refused.code, refused.error["details"]) == (409, "TALKING_001", "wait until it has ended")
    assert (await user.get(f"/agents/{agent['id']}")).status == 200
    assert (await user.patch(f"/call-logs/{call['id']}", {"status": "completed"})).status == 200
    assert (await user.delete(f"/agents/{agent['id']}")).status == 204


async def test_agents_changed(app: Running, user: Client) -> None:
    """The prompt in the cache follows the agent, whichever event comes first."""

    async def prompt() -> Any:
        await app.settled()
        return json.loads(await app.resources.cache.require().hget(f"prompt:{agent['id']}", "prompt"))

    name = f"Agent {uuid4()}"
    agent = (await user.post("/agents", {"name": name, "system_prompt": "Be kind."})).data
    assert await prompt() == "Be kind."
    assert (await user.patch(f"/agents/{agent['id']}", {"system_prompt": "Be brief."})).status == 200
    assert (await user.patch(f"/agents/{agent['id']}", {"system_prompt": "Be both."})).status == 200
    assert await prompt() == "Be both."
    assert (await user.delete(f"/agents/{agent['id']}")).status == 204
    assert await prompt() is None
