"""The examples of the accounts' hooks do what docs/hooks.md says, in a running application."""

from __future__ import annotations

from uuid import uuid4

from voicera.testing import Running


async def test_user_registered(app: Running) -> None:
    """Who tries the service finds a call; others find none."""
    trial = await app.client.new_user(f"{uuid4()}@trial.example.com")
    other = await app.client.new_user(f"{uuid4()}@example.com")
    await app.settled()
    assert [call["external_id"] for call in (await trial.get("/call-logs")).data["items"]] == ["welcome"]
    assert (await other.get("/call-logs")).data["items"] == []
