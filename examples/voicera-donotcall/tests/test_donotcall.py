"""The do-not-call list against a running service: whose list, what a campaign does with it, who is heard."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from voicera.testing import Answer, Client, Clock, check_plugin

import voicera_donotcall

MakeCalls = Callable[..., Awaitable[list[dict[str, Any]]]]
ONE, TWO, THREE, FOUR = "+1234567890", "+1234567891", "+1234567892", "+1234567893"
NOT_LISTED = {"code": "DNC_002", "message": "The phone number is not on the do-not-call list", "details": None}


async def put(client: Client, *numbers: str, **fields: Any) -> Answer:
    return await client.post("/do-not-call", {"phone_numbers": numbers, **fields})


async def listed(client: Client, query: str = "") -> list[str]:
    page = (await client.get(f"/do-not-call{query}")).data
    return [item["phone_number"] for item in page["items"]]


async def draft(client: Client, *numbers: str) -> str:
    """Create a campaign that calls these numbers; the path of it."""
    agent = await client.post("/agents", {"name": "Sales"})
    fields = {"name": "Spring", "phone_numbers": numbers, "end_time": "2090-01-01T00:00:00Z"}
    made = await client.post("/campaigns", {**fields, "agent_id": agent.data["id"]})
    assert made.status == 201, made.content
    return made.headers["Location"]


async def listed_number(client: Client) -> str:
    await put(client, ONE)
    return ONE


TestConformance = check_plugin(voicera_donotcall, make={"/do-not-call": listed_number})


class TestList:
    @pytest.mark.parametrize("method, path", [("POST", ""), ("GET", ""), ("GET", f"/{ONE}"), ("DELETE", f"/{ONE}")])
    async def test_anonymous_callers_get_401(self, anonymous: Client, method: str, path: str) -> None:
        body = {"phone_numbers": [ONE]} if method == "POST" else None
        answer = await anonymous.request(method, f"/do-not-call{path}", json=body)
        assert (answer.status, answer.code) == (401, "AUTH_003")

    async def test_a_neighbours_list_is_not_seen_and_not_touched(self, user: Client, neighbour: Client) -> None:
        await put(neighbour, ONE)
        assert await listed(user) == []
        for method in ("GET", "DELETE"):
            answer = await user.request(method, f"/do-not-call/{ONE}")
            assert (answer.status, answer.error) == (404, NOT_LISTED)
        assert await listed(neighbour) == [ONE]

    async def test_numbers_are_added_changed_checked_and_deleted(self, user: Client, clock: Clock) -> None:
        assert (await put(user, TWO, ONE, TWO)).data == {"added": 2, "changed": 0}
        assert (await put(user, THREE, TWO, reason=" by mail ")).data == {"added": 1, "changed": 1}
        entry = {"phone_number": TWO, "reason": "by mail", "source": "api", "created_at": clock.text}
        for written in (TWO, TWO.replace("+", "%2B")):
            assert (await user.get(f"/do-not-call/{written}")).data == {**entry, "expires_at": None}
        assert (await user.delete(f"/do-not-call/{TWO}")).status == 204
        assert (await user.delete(f"/do-not-call/{TWO}")).error == NOT_LISTED
        assert await listed(user) == [ONE, THREE]

    async def test_the_list_is_paged_and_searched_by_digits(self, user: Client) -> None:
        await put(user, ONE, TWO, "+4930123456")
        page = (await user.get("/do-not-call?limit=1&skip=1")).data
        assert (page["total"], page["items"][0]["phone_number"]) == (3, TWO)
        assert await listed(user, "?search=30123") == ["+4930123456"]
        assert await listed(user, "?search=%2B1") == [ONE, TWO]

    async def test_a_number_may_be_called_again_once_its_entry_has_expired(self, user: Client, clock: Clock) -> None:
        await put(user, ONE, expires_at=(clock.now + timedelta(hours=1)).isoformat())
        clock.move(minutes=59)
        assert await listed(user) == [ONE]
        clock.move(minutes=1)
        assert await listed(user) == []
        assert (await user.get(f"/do-not-call/{ONE}")).error == NOT_LISTED

    @pytest.mark.parametrize(
        "fields, named",
        [
            ({"phone_numbers": ["+123456"]}, "phone_numbers[0]"),
            ({"phone_numbers": [ONE, "1234567890"]}, "phone_numbers[1]"),
            ({"phone_numbers": []}, "phone_numbers"),
            ({"phone_numbers": [ONE], "reason": " "}, "reason"),
            ({"phone_numbers": [ONE], "expires_at": "2090-01-01T00:00:00"}, "expires_at"),
        ],
    )
    async def test_a_wrong_field_is_named(self, user: Client, fields: dict[str, Any], named: str) -> None:
        answer = await user.post("/do-not-call", fields)
        assert (answer.status, answer.code) == (422, "REQUEST_002")
        assert [detail["field"] for detail in answer.error["details"]] == [named]


class TestDrop:
    async def test_listed_numbers_leave_the_campaign_and_the_reason_is_kept(self, user: Client) -> None:
        await put(user, TWO, reason="by mail")
        campaign = await draft(user, ONE, TWO)
        launched = (await user.post(f"{campaign}/launch")).data
        assert (launched["status"], launched["phone_numbers"], launched["phone_number_count"]) == ("active", [ONE], 1)
        kept = (await user.get(f"{campaign}/suppressed-numbers")).data["items"]
        at = launched["launched_at"]
        assert kept == [{"phone_number": TWO, "reason": "do not call: by mail", "suppressed_at": at}]

    async def test_a_resumed_campaign_is_screened_again(self, user: Client) -> None:
        campaign = await draft(user, ONE, TWO)
        await user.post(f"{campaign}/launch")
        await user.post(f"{campaign}/pause")
        await put(user, ONE)
        assert (await user.post(f"{campaign}/resume")).data["phone_numbers"] == [TWO]

    async def test_with_all_numbers_listed_it_is_not_launched(self, user: Client) -> None:
        await put(user, ONE, TWO, reason="by mail")
        campaign = await draft(user, ONE, TWO)
        refused = await user.post(f"{campaign}/launch")
        details = "none of its phone numbers may be called: do not call: by mail (2)"
        assert (refused.status, refused.code, refused.error["details"]) == (409, "CAMPAIGN_002", details)
        assert (await user.get(campaign)).data["status"] == "draft"

    async def test_a_neighbours_list_and_expired_entries_stop_nobody(
        self, user: Client, neighbour: Client, clock: Clock
    ) -> None:
        await put(neighbour, ONE)
        await put(user, ONE, expires_at=clock.text)
        assert (await user.post(f"{await draft(user, ONE)}/launch")).data["phone_numbers"] == [ONE]

    async def test_a_list_of_a_hundred_thousand_is_sent_at_once(self, user: Client) -> None:
        numbers = [f"+1{2_000_000_000 + index}" for index in range(100_000)]
        assert (await put(user, *numbers)).data == {"added": 100_000, "changed": 0}
        campaign = await draft(user, numbers[0], ONE, numbers[-1])
        assert (await user.post(f"{campaign}/launch")).data["phone_numbers"] == [ONE]


class TestVeto:
    @pytest.fixture
    def voicera_environ(self) -> dict[str, str]:
        return {"VOICERA_DONOTCALL_MODE": "veto"}

    async def test_a_campaign_with_listed_numbers_is_not_launched(self, user: Client) -> None:
        numbers = (ONE, TWO, THREE, FOUR)
        await put(user, *numbers)
        campaign = await draft(user, "+4930123456", *numbers)
        refused = await user.post(f"{campaign}/launch")
        details = "4 of its 5 phone numbers are on the do-not-call list: +12…90, +12…91, +12…92 and 1 more"
        assert (refused.status, refused.code, refused.error["details"]) == (409, "DNC_001", details)
        assert (await user.get(campaign)).data["phone_number_count"] == 5
        await user.patch(campaign, {"phone_numbers": ["+4930123456"]})
        assert (await user.post(f"{campaign}/launch")).data["status"] == "active"

    async def test_the_document_says_so(self, user: Client) -> None:
        launch = (await user.get("/openapi.json")).json["paths"]["/campaigns/{campaign_id}/launch"]["post"]
        assert "DNC_001" in str(launch["responses"]["409"])


SAID = [
    {"transcript": "Caller: please do not call me again"},
    {"summary": "Stop calling."},
    {"key_phrases": ["Don\u2019t call"]},
]


class TestListen:
    @pytest.fixture
    def voicera_environ(self) -> dict[str, str]:
        return {"VOICERA_DONOTCALL_LISTEN": "1"}

    @pytest.mark.parametrize("said", SAID)
    async def test_who_asks_in_a_call_is_put_on_the_list(
        self, user: Client, make_calls: MakeCalls, said: dict[str, Any]
    ) -> None:
        await make_calls(user, [{"phone_number": ONE, **said}, {"phone_number": TWO, "transcript": "I do. Not. Call!"}])
        assert await listed(user) == [ONE]
        entry = (await user.get(f"/do-not-call/{ONE}")).data
        assert (entry["reason"], entry["source"]) == ("asked in a call", "call")

    async def test_what_was_written_by_hand_keeps_its_reason(self, user: Client, make_calls: MakeCalls) -> None:
        """What was to end one day ends no more: the caller has asked for it."""
        await put(user, ONE, reason="court order")
        await put(user, TWO, reason="on holiday", expires_at="2999-01-01T00:00:00Z")
        await make_calls(user, [{"phone_number": number, "summary": "Stop calling."} for number in (ONE, TWO)])
        entries = [(await user.get(f"/do-not-call/{number}")).data for number in (ONE, TWO)]
        kept = [(entry["reason"], entry["source"], entry["expires_at"]) for entry in entries]
        assert kept == [("court order", "api", None), ("asked in a call", "call", None)]

    async def test_a_transcript_that_comes_later_is_heard_too(self, user: Client, make_calls: MakeCalls) -> None:
        [call] = await make_calls(user, phone_number=TWO)
        await user.patch(f"/call-logs/{call['id']}", {"transcript": "Never call this number again."})
        assert await listed(user) == [TWO]


async def test_without_the_setting_nobody_is_listened_to(user: Client, make_calls: MakeCalls) -> None:
    await make_calls(user, SAID)
    assert await listed(user) == []
