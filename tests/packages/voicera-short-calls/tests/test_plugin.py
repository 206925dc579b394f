"""The plugin in a running service, on real servers."""

from voicera.testing import Client, check_plugin

import voicera_short_calls

CALL = {"phone_number": "+1234567890", "status": "completed"}

TestConformance = check_plugin(voicera_short_calls)


async def test_short_calls_are_flagged(user: Client) -> None:
    """A completed call that is shorter than the setting says is flagged; the others are not."""
    answers = [await user.post("/call-logs", {**CALL, "duration_seconds": seconds}) for seconds in (600, 5, 4)]
    noted = (await user.get("/short-calls")).data
    assert [each["call_id"] for each in noted["items"]] == [answers[-1].data["id"]]
    assert noted["items"][0]["seconds"] == 4
    assert noted["total"] == 1


async def test_a_note_is_taken_away_once(user: Client, neighbour: Client) -> None:
    """Its owner can take it away, nobody else can, and a second time there is none."""
    made = await user.post("/call-logs", {**CALL, "duration_seconds": 3})
    path = f"/short-calls/{made.data['id']}"
    assert (await neighbour.delete(path)).code == "SHORT_CALLS_001"
    assert (await user.delete(path)).status == 204
    assert (await user.delete(path)).code == "SHORT_CALLS_001"


async def test_a_note_follows_its_call(user: Client) -> None:
    """A call that turns out to be short is flagged then; one that is deleted leaves no flag."""
    made = await user.post("/call-logs", {**CALL, "status": "in_progress"})
    path = f"/call-logs/{made.data['id']}"
    await user.patch(path, {"status": "completed", "duration_seconds": 3})
    assert (await user.get("/short-calls")).data["total"] == 1
    await user.delete(path)
    assert (await user.get("/short-calls")).data["total"] == 0
