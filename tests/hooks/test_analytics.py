"""The examples of the analytics' hooks do what docs/hooks.md says, in a running application."""

from __future__ import annotations

from voicera.testing import Client, a_call


async def test_register_cards(user: Client) -> None:
    """The dashboard lists the card, and the card's route answers what its kind shows."""
    assert (await user.post("/call-logs", a_call(status="in_progress"))).status == 201
    card = {"key": "going-on", "title": "Calls going on", "path": "/going-on", "kind": "figure", "filters": []}
    assert card in (await user.get("/dashboard/cards")).data
    assert (await user.get(card["path"])).data == {"value": 1, "unit": "calls"}
