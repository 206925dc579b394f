"""`POST /call-logs/from/vapi` and `/retell`: messages that come with an API key."""

from collections.abc import Mapping

import pytest
from conftest import NUMBER, names, payload
from voicera.testing import Client, Log

FINAL = [name for name in [*names("vapi"), *names("retell")] if not name.endswith(("_update", "_started", "_ended"))]
WITH_NUMBER = [name for name in FINAL if not name.endswith("web_call")]


def path(name: str) -> str:
    return f"/call-logs/from/{name.partition('/')[0]}"


async def test_anonymous_callers_are_refused(anonymous: Client) -> None:
    answer = await anonymous.post("/call-logs/from/vapi", payload("vapi/completed"))
    assert (answer.status, answer.code) == (401, "AUTH_003")


async def test_another_source_is_none_of_ours(user: Client) -> None:
    assert (await user.post("/call-logs/from/vapid", payload("vapi/completed"))).code == "CALL_004"


@pytest.mark.parametrize("name", WITH_NUMBER)
async def test_a_message_is_recorded_once(user: Client, neighbour: Client, name: str) -> None:
    """Its owner's analytics count it; a neighbour has the same call for themselves."""
    first, again = [await user.post(path(name), payload(name)) for _ in range(2)]
    assert (first.status, first.data["created"], first.data["duplicates"]) == (201, 1, 0)
    assert (again.status, again.data["created"], again.data["duplicates"]) == (200, 0, 1)
    assert (await user.get("/analytics/calls")).data["total_calls"] == 1
    assert (await neighbour.get("/call-logs")).data["total"] == 0
    assert (await neighbour.post(path(name), payload(name))).data["created"] == 1


async def test_the_whole_call_log_is_there(user: Client) -> None:
    for name, cost in (("vapi/completed", 0.1284), ("retell/completed", 0.1284)):
        await user.post(path(name), payload(name))
        item = (await user.get("/call-logs")).data["items"][0]
        call = (await user.get(f"/call-logs/{item['id']}")).data
        assert (call["phone_number"], call["status"], call["duration_seconds"]) == (NUMBER, "completed", 93)
        assert (call["created_at"], call["cost"], call["sentiment"]) == ("2025-06-01T10:00:00.250Z", cost, "positive")
        assert call["key_phrases"] == ["move my appointment", "Thursday at ten"]
        assert call["metadata"]["provider"] == name.partition("/")[0]
        assert call["metadata"]["recording_url"].endswith("recording.wav")
        assert (await user.delete(f"/call-logs/{item['id']}")).status == 204


@pytest.mark.parametrize("name", ["vapi/status_update", "retell/call_started", "retell/call_ended"])
async def test_other_messages_are_answered_and_forgotten(user: Client, name: str) -> None:
    answer = await user.post(path(name), payload(name))
    assert (answer.status, answer.data["received"]) == (200, 0)
    assert (await user.get("/call-logs")).data["total"] == 0


@pytest.mark.parametrize("provider", ["vapi", "retell"])
async def test_a_web_call_is_left_out_and_logged(user: Client, voicera_log: Log, provider: str) -> None:
    answer = await user.post(path(f"{provider}/"), payload(f"{provider}/web_call"))
    assert (answer.status, answer.data["received"]) == (200, 0)
    (line,) = voicera_log.find("a call without a phone number is left out")
    assert line["external_id"].startswith(f"{provider}:")


@pytest.mark.parametrize("message", [[], 1, None, "x", {"message": []}, {"event": "call_analyzed", "call": [1]}])
async def test_what_is_no_message_is_no_error(user: Client, message: object) -> None:
    for provider in ("vapi", "retell"):
        assert (await user.post(path(f"{provider}/"), message or [])).data["received"] == 0


class TestWebNumber:
    @pytest.fixture
    def voicera_environ(self) -> Mapping[str, str]:
        return {"VOICERA_PROVIDERS_WEB_NUMBER": "+10000000000"}

    @pytest.mark.parametrize("provider", ["vapi", "retell"])
    async def test_with_the_setting_a_web_call_is_recorded(self, user: Client, provider: str) -> None:
        assert (await user.post(path(f"{provider}/"), payload(f"{provider}/web_call"))).data["created"] == 1
        (item,) = (await user.get("/call-logs")).data["items"]
        assert (item["phone_number"], item["status"]) == ("+10000000000", "completed")
