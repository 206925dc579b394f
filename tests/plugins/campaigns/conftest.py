"""What the campaigns' tests share: campaigns of a user, made in one call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from voicera.testing import Client

MakeCampaign = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def make() -> MakeCampaign:
    """What makes a campaign for a client: a draft that can be launched, unless `fields` say otherwise."""

    async def make_one(client: Client, **fields: Any) -> dict[str, Any]:
        if "agent_id" not in fields:
            agent = await client.post("/agents", {"name": f"Agent {datetime.now(UTC).timestamp()}"})
            fields["agent_id"] = agent.data["id"]
        later = (datetime.now(UTC) + timedelta(days=30)).isoformat()
        answer = await client.post(
            "/campaigns", {"name": "Spring", "phone_numbers": ["+1234567890"], "end_time": later, **fields}
        )
        assert answer.status == 201, answer.content
        data: dict[str, Any] = answer.data
        return data

    return make_one
