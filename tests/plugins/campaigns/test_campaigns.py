"""The campaigns' endpoints over a real socket: whose data, what is answered, what is kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from plugins.campaigns.schemas import CHANGE_EXAMPLE, CREATE_EXAMPLE
from voicera.testing import Client

Make = Callable[..., Awaitable[dict[str, Any]]]
NOBODYS = "018d54f1-2d40-7c11-8f5e-0242ac120002"
NOT_FOUND = {"code": "CAMPAIGN_001", "message": "Campaign not found", "details": None}
NO_AGENT = {"code": "AGENT_001", "message": "Agent not found", "details": None}
STALE = {"code": "REQUEST_006", "message": "If-Match does not match", "details": None}
ACTIONS = ("schedule", "launch", "pause", "resume", "stop")
ROUTES = [
    *(("GET", ""), ("GET", "/phone-numbers"), ("GET", "/suppressed-numbers")),
    *(("PUT", ""), ("PATCH", ""), ("DELETE", "")),
    *(("POST", f"/{action}") for action in ACTIONS),
]
BODIES = {"POST": {"name": "x", "agent_id": NOBODYS}, "PUT": {"name": "x"}, "PATCH": {"name": "x"}}
NEVER = dict.fromkeys(("scheduled_at", "launched_at", "paused_at", "resumed_at", "completed_at", "cancelled_at"))


async def agent_of(client: Client, name: str = "Sales Agent") -> str:
    return str((await client.post("/agents", {"name": name})).data["id"])


def number(index: int) -> str:
    return f"+1{2_000_000_000 + index}"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/campaigns"), ("POST", "/campaigns"), *((m, f"/campaigns/{NOBODYS}{p}") for m, p in ROUTES)],
)
async def test_anonymous_callers_get_401_on_every_route(anonymous: Client, method: str, path: str) -> None:
    answer = await anonymous.request(method, path, json=BODIES.get(method))
    assert (answer.status, answer.code) == (401, "AUTH_003")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_neighbours_an_unknown_and_a_malformed_id_answer_the_same(
    user: Client, neighbour: Client, make: Make, method: str, path: str
) -> None:
    theirs = await make(neighbour)
    body = BODIES.get(method) if method != "POST" else None
    for identifier in (theirs["id"], NOBODYS, "nonsense", "%00", "..%2f"):
        for headers in ({}, {"If-Match": '"9"'}):
            answer = await user.request(method, f"/campaigns/{identifier}{path}", json=body, headers=headers)
            assert (answer.status, answer.error) == (404, NOT_FOUND), identifier
    assert (await neighbour.get(f"/campaigns/{theirs['id']}")).data == theirs


class TestList:
    async def test_a_neighbours_campaigns_are_not_listed(self, user: Client, neighbour: Client, make: Make) -> None:
        theirs = await make(neighbour)
        for query in ("", f"?agent_id={theirs['agent_id']}", "?search=spring"):
            answer = await user.get(f"/campaigns{query}")
            assert answer.data == {"total": 0, "skip": 0, "limit": 20, "items": []}

    async def test_an_item_is_the_campaign_as_it_was_created(self, user: Client, make: Make) -> None:
        made = await make(user)
        assert (await user.get("/campaigns")).data == {"total": 1, "skip": 0, "limit": 20, "items": [made]}

    async def test_pages_are_newest_first_and_the_total_counts_all(self, user: Client, make: Make) -> None:
        agent_id = await agent_of(user)
        for index in range(23):
            await make(user, name=f"C{index:02}", agent_id=agent_id)
        first, second = await user.get("/campaigns"), await user.get("/campaigns?skip=20&limit=20")
        assert (first.data["total"], second.data["total"]) == (23, 23)
        together = [item["name"] for item in first.data["items"] + second.data["items"]]
        assert together == [f"C{index:02}" for index in reversed(range(23))]
        beyond = await user.get(f"/campaigns?skip={2**63 - 1}&limit=1000")
        assert (beyond.data["total"], beyond.data["items"]) == (23, [])

    async def test_filters_narrow_items_and_total_together(self, user: Client, make: Make) -> None:
        one, other = await agent_of(user, "One"), await agent_of(user, "Other")
        spring = await make(user, name="Spring Sale", agent_id=one)
        await make(user, name="Straße", agent_id=other)
        await make(user, name="spring cleaning", agent_id=other)
        await user.post(f"/campaigns/{spring['id']}/launch")

        async def found(query: str) -> list[str]:
            answer = await user.get(f"/campaigns?{query}")
            assert answer.data["total"] == len(answer.data["items"])
            return [item["name"] for item in answer.data["items"]]

        assert await found("status=active") == ["Spring Sale"]
        assert await found(f"agent_id={other}") == ["spring cleaning", "Straße"]
        assert await found("search=SPRING") == ["spring cleaning", "Spring Sale"]
        assert await found("search=STRASSE") == ["Straße"]
        assert await found(f"search=spring&status=draft&agent_id={other}") == ["spring cleaning"]
        assert await found("status=completed") == []
        assert await found(f"agent_id={NOBODYS}") == []
        assert await found("search=%25") == []

    @pytest.mark.parametrize(
        "query",
        [
            *("limit=0", "limit=1001", "skip=-1", "status=gone", "status=", "agent_id=x", "agent_id="),
            *("search=%00", f"search={'x' * 201}", "page=2", "status=draft&status=active"),
        ],
    )
    async def test_a_wrong_parameter_is_refused_and_never_ignored(self, user: Client, query: str) -> None:
        answer = await user.get(f"/campaigns?{query}")
        assert (answer.status, answer.code) == (400, "REQUEST_001")


class TestCreate:
    async def test_the_example_of_the_reference_makes_a_draft(self, user: Client) -> None:
        agent_id = await agent_of(user)
        answer = await user.post("/campaigns", {**CREATE_EXAMPLE, "agent_id": agent_id})
        whole = answer.data
        assert answer.status == 201, answer.content
        assert whole == {
            **CREATE_EXAMPLE,
            **NEVER,
            "id": whole["id"],
            "user_id": user.user["id"],
            "agent_id": agent_id,
            "status": "draft",
            "phone_number_count": 2,
            "start_time": "2024-04-01T00:00:00.000Z",
            "end_time": "2024-06-30T23:59:59.000Z",
            "created_at": whole["created_at"],
            "updated_at": whole["created_at"],
        }
        assert UUID(whole["id"]).version == 7
        assert (answer.headers["Location"], answer.headers["ETag"]) == (f"/campaigns/{whole['id']}", '"1"')
        assert (await user.get(answer.headers["Location"])).data == whole

    async def test_only_name_and_agent_are_required(self, user: Client) -> None:
        agent_id = await agent_of(user)
        whole = (await user.post("/campaigns", {"name": " Lonely\n", "agent_id": agent_id})).data
        assert (whole["name"], whole["phone_numbers"], whole["phone_number_count"]) == ("Lonely", [], 0)
        assert [whole[name] for name in ("start_time", "end_time", "max_concurrent_calls")] == [None] * 3
        refused = await user.post("/campaigns", {})
        assert [detail["field"] for detail in refused.error["details"]] == ["name", "agent_id"]

    async def test_an_agent_that_is_not_the_owners_is_not_found(self, user: Client, neighbour: Client) -> None:
        for agent_id in (NOBODYS, await agent_of(neighbour)):
            answer = await user.post("/campaigns", {"name": "x", "agent_id": agent_id})
            assert (answer.status, answer.error) == (404, NO_AGENT)
        assert (await user.get("/campaigns")).data["total"] == 0

    async def test_phone_numbers_keep_their_order_and_the_first_of_equal_ones(self, user: Client, make: Make) -> None:
        sent = [number(3), number(1), number(3), "+1234567", "+123456789012345", number(1), number(2)]
        whole = await make(user, phone_numbers=sent)
        assert whole["phone_numbers"] == [number(3), number(1), "+1234567", "+123456789012345", number(2)]
        assert whole["phone_number_count"] == 5

    @pytest.mark.parametrize(
        "wrong",
        [
            "+123456",
            "+1234567890123456",
            "1234567890",
            "+12345678a0",
            "+1234567890\n",
            "",
            "+",
            " +1234567890",
            "+١٢٣٤٥٦٧",
        ],
    )
    async def test_what_is_not_e164_in_form_is_refused_with_its_place(self, user: Client, wrong: str) -> None:
        body = {"name": "x", "agent_id": await agent_of(user), "phone_numbers": [number(1), wrong]}
        answer = await user.post("/campaigns", body)
        assert (answer.status, answer.code) == (422, "REQUEST_002")
        said = "must be a phone number in the form of E.164: +, then 7 to 15 digits"
        assert answer.error["details"] == [{"field": "phone_numbers[1]", "message": said}]

    @pytest.mark.parametrize(
        ("fields", "named"),
        [
            ({"start_time": "2024-04-01T00:00:00Z", "end_time": "2024-04-01T00:00:00Z"}, "end_time"),
            ({"start_time": "2024-04-01T00:00:00Z", "end_time": "2024-03-01T00:00:00Z"}, "end_time"),
            ({"start_time": "2024-04-01T02:00:00+02:00", "end_time": "2024-04-01T00:00:00.0004Z"}, "end_time"),
            ({"start_time": "2024-04-01T00:00:00"}, "start_time"),
            ({"end_time": "9999-12-31T23:59:59-10:00"}, "end_time"),
            ({"start_time": "0001-01-01T00:00:00+10:00"}, "start_time"),
            ({"max_concurrent_calls": 0}, "max_concurrent_calls"),
            ({"max_concurrent_calls": 10_001}, "max_concurrent_calls"),
            ({"max_concurrent_calls": 1.5}, "max_concurrent_calls"),
            ({"name": " "}, "name"),
            ({"name": "x" * 201}, "name"),
            ({"agent_id": "x"}, "agent_id"),
            ({"phone_numbers": None}, "phone_numbers"),
            *(({name: "active"}, name) for name in ("id", "status", "user_id", "version", "phone_number_count")),
        ],
    )
    async def test_a_wrong_field_is_named(self, user: Client, fields: dict[str, Any], named: str) -> None:
        answer = await user.post("/campaigns", {"name": "x", "agent_id": await agent_of(user), **fields})
        assert (answer.status, answer.code) == (422, "REQUEST_002"), answer.content
        assert [detail["field"] for detail in answer.error["details"]] == [named]

    async def test_times_are_kept_in_utc_to_the_millisecond(self, user: Client, make: Make) -> None:
        made = await make(
            user, start_time="0001-01-01T00:00:00Z", end_time="9999-12-31T23:59:59.999999Z", max_concurrent_calls=10_000
        )
        assert (made["start_time"], made["end_time"]) == ("0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z")


class TestHundredThousandNumbers:
    async def test_they_are_created_in_under_3_seconds_listed_by_the_first_100_and_read_page_by_page(
        self, user: Client, make: Make
    ) -> None:
        everything = [number(index) for index in range(100_000)]
        agent_id = await agent_of(user)
        body = {"name": "Large", "agent_id": agent_id, "phone_numbers": [*everything, everything[0]]}
        began = time.process_time()  # not by the clock, which goes on while others compute
        answer = await user.post("/campaigns", body)
        took = time.process_time() - began
        assert answer.status == 201, answer.content[:500]
        assert took < 3, took
        assert (answer.data["phone_number_count"], answer.data["phone_numbers"]) == (100_000, everything[:100])
        listed = await user.get("/campaigns")
        assert listed.data["items"] == [answer.data]
        assert len(listed.content) < 4000

        path = f"/campaigns/{answer.data['id']}/phone-numbers"
        walked: list[str] = []
        while page := (await user.get(f"{path}?skip={len(walked)}&limit=10000")).data["items"]:
            walked += page
        assert walked == everything
        first = (await user.get(path)).data
        assert first == {"total": 100_000, "skip": 0, "limit": 1000, "items": everything[:1000]}
        odd = (await user.get(f"{path}?skip=1999&limit=1002")).data["items"]
        assert odd == everything[1999:3001]
        beyond = (await user.get(f"{path}?skip={2**63 - 1}")).data
        assert (beyond["total"], beyond["items"]) == (100_000, [])

    async def test_one_more_is_refused(self, user: Client) -> None:
        body = {"name": "x", "agent_id": await agent_of(user), "phone_numbers": [number(i) for i in range(100_001)]}
        answer = await user.post("/campaigns", body)
        details = [{"field": "phone_numbers", "message": "must not be more than 100000; there are 100001"}]
        assert (answer.status, answer.code, answer.error["details"]) == (422, "REQUEST_002", details)
        assert (await user.get("/campaigns")).data["total"] == 0


class TestUpdate:
    @pytest.mark.parametrize("method", ["PUT", "PATCH"])
    async def test_the_fields_given_change_and_the_others_stay(self, user: Client, make: Make, method: str) -> None:
        before = await make(user)
        answer = await user.request(method, f"/campaigns/{before['id']}", json=CHANGE_EXAMPLE)
        assert answer.data == {**before, **CHANGE_EXAMPLE, "updated_at": answer.data["updated_at"]}
        assert answer.headers["ETag"] == '"2"'
        assert (await user.get(f"/campaigns/{before['id']}")).data == answer.data
        assert (await user.get("/campaigns?search=q2")).data["items"] == [answer.data]

    async def test_phone_numbers_are_replaced_as_a_whole(self, user: Client, make: Make) -> None:
        made = await make(user, phone_numbers=[number(i) for i in range(2500)])
        path = f"/campaigns/{made['id']}"
        for replaced in ([number(9), number(8), number(9)], [number(i) for i in range(1500)], []):
            expected = list(dict.fromkeys(replaced))
            answer = await user.patch(path, {"phone_numbers": replaced})
            assert (answer.data["phone_numbers"], answer.data["phone_number_count"]) == (expected[:100], len(expected))
            assert (await user.get(f"{path}/phone-numbers?limit=10000")).data["items"] == expected

    async def test_null_clears_what_a_draft_may_lack(self, user: Client, make: Make) -> None:
        made = await make(user, start_time="2024-04-01T00:00:00Z", max_concurrent_calls=5)
        cleared = {"start_time": None, "end_time": None, "max_concurrent_calls": None}
        answer = await user.put(f"/campaigns/{made['id']}", cleared)
        assert answer.data == {**made, **cleared, "updated_at": answer.data["updated_at"]}
        for name in ("name", "agent_id", "phone_numbers"):
            assert (await user.put(f"/campaigns/{made['id']}", {name: None})).status == 422

    async def test_the_end_comes_after_the_start_also_where_one_of_them_changes(self, user: Client, make: Make) -> None:
        made = await make(user, start_time="2024-04-01T00:00:00Z", end_time="2024-06-30T23:59:59Z")
        path = f"/campaigns/{made['id']}"
        for wrong in ({"start_time": "2024-06-30T23:59:59Z"}, {"end_time": "2024-04-01T00:00:00Z"}):
            answer = await user.patch(path, wrong)
            details = [{"field": "end_time", "message": "must come after start_time"}]
            assert (answer.status, answer.error["details"]) == (422, details)
        both = {"start_time": "2025-01-01T00:00:00Z", "end_time": "2025-01-02T00:00:00Z"}
        assert (await user.patch(path, both)).status == 200

    async def test_another_owners_agent_is_not_found(self, user: Client, neighbour: Client, make: Make) -> None:
        made = await make(user)
        for agent_id in (NOBODYS, await agent_of(neighbour)):
            answer = await user.patch(f"/campaigns/{made['id']}", {"agent_id": agent_id})
            assert (answer.status, answer.error) == (404, NO_AGENT)
        other = await agent_of(user, "Other")
        assert (await user.patch(f"/campaigns/{made['id']}", {"agent_id": other})).data["agent_id"] == other

    async def test_of_32_writers_with_one_tag_exactly_one_wins(self, user: Client, make: Make) -> None:
        path = f"/campaigns/{(await make(user))['id']}"
        for version in range(1, 4):
            tag = {"If-Match": f'"{version}"'}
            answers = await asyncio.gather(*(user.put(path, {"name": f"w{n}"}, headers=tag) for n in range(32)))
            assert sorted(answer.status for answer in answers) == [200, *[412] * 31]
            winner = next(answer for answer in answers if answer.status == 200)
            assert (await user.get(path)).data == winner.data

    async def test_a_read_is_not_repeated_where_the_client_has_the_version(self, user: Client, make: Make) -> None:
        path = f"/campaigns/{(await make(user))['id']}"
        assert (await user.get(path, headers={"If-None-Match": '"1"'})).status == 304
        assert (await user.get(path, headers={"If-None-Match": '"2"'})).status == 200
        assert (await user.put(path, {}, headers={"If-Match": "nonsense"})).code == "REQUEST_001"

    @pytest.mark.parametrize("action", ACTIONS)
    async def test_a_transition_takes_the_version_too(self, user: Client, make: Make, action: str) -> None:
        path = f"/campaigns/{(await make(user))['id']}"
        assert (await user.post(f"{path}/{action}", headers={"If-Match": '"2"'})).error == STALE
        launched = await user.post(f"{path}/launch", headers={"If-Match": '"1"'})
        assert (launched.status, launched.headers["ETag"]) == (200, '"2"')


class TestDelete:
    async def test_a_deleted_draft_is_gone_with_its_numbers(self, user: Client, make: Make) -> None:
        path = f"/campaigns/{(await make(user))['id']}"
        assert (await user.delete(path, headers={"If-Match": '"7"'})).error == STALE
        answer = await user.delete(path)
        assert (answer.status, answer.content) == (204, b"")
        for gone in (await user.get(path), await user.get(f"{path}/phone-numbers"), await user.delete(path)):
            assert (gone.status, gone.error) == (404, NOT_FOUND)

    async def test_of_16_deletions_exactly_one_succeeds(self, user: Client, make: Make) -> None:
        path = f"/campaigns/{(await make(user))['id']}"
        answers = await asyncio.gather(*(user.delete(path) for _ in range(16)))
        assert sorted(answer.status for answer in answers) == [204, *[404] * 15]

    async def test_a_live_campaign_is_stopped_first(self, user: Client, make: Make) -> None:
        path = f"/campaigns/{(await make(user))['id']}"
        for action, status in (("launch", "active"), ("pause", "paused")):
            assert (await user.post(f"{path}/{action}")).status == 200
            refused = await user.delete(path)
            assert (refused.status, refused.code) == (409, "CAMPAIGN_003")
            assert refused.error["details"] == f"it is {status}; stop it first"
        await user.post(f"{path}/stop")
        assert (await user.delete(path)).status == 204


async def test_head_answers_the_headers_of_get(user: Client, make: Make) -> None:
    path = f"/campaigns/{(await make(user))['id']}"
    answer = await user.request("HEAD", path)
    assert (answer.status, answer.content, answer.headers["ETag"]) == (200, b"", '"1"')


async def test_created_at_is_the_time_of_the_id(user: Client, make: Make) -> None:
    made = await make(user)
    moment = datetime.fromisoformat(made["created_at"])
    assert UUID(made["id"]).int >> 80 == round(moment.timestamp() * 1000)
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 60
