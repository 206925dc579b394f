"""The agents' endpoints over a real socket: whose data, what is answered, what is kept."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from plugins.agents.schemas import CHANGE_EXAMPLE, CREATE_EXAMPLE
from voicera.testing import Client

ITEM_FIELDS = {
    *("id", "name", "description", "llm_provider", "llm_model", "stt_provider", "tts_provider"),
    *("language", "status", "created_at", "updated_at"),
}
NOBODYS = "018d54f1-2d40-7c11-8f5e-0242ac120002"
NOT_FOUND = {"code": "AGENT_001", "message": "Agent not found", "details": None}


async def made(client: Client, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/agents", {"name": "Support Agent", **fields})
    assert answer.status == 201, answer.content
    data: dict[str, Any] = answer.data
    return data


async def names(client: Client, query: str = "") -> list[str]:
    answer = await client.get(f"/agents?{query}" if query else "/agents")
    assert answer.status == 200, answer.content
    return [item["name"] for item in answer.data["items"]]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/agents"),
        ("POST", "/agents"),
        *((method, f"/agents/{NOBODYS}") for method in ("GET", "PUT", "PATCH", "DELETE")),
    ],
)
async def test_anonymous_callers_get_401_on_every_route(anonymous: Client, method: str, path: str) -> None:
    answer = await anonymous.request(method, path, json={"name": "x"} if method in ("POST", "PUT", "PATCH") else None)
    assert (answer.status, answer.code) == (401, "AUTH_003")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_a_neighbours_an_unknown_and_a_malformed_id_answer_the_same(
    user: Client, neighbour: Client, method: str
) -> None:
    theirs = await made(neighbour)
    body = {"name": "Taken over"} if method in ("PUT", "PATCH") else None
    for identifier in (theirs["id"], NOBODYS, "nonsense", "%00", "..%2f", "1" * 2000):
        answer = await user.request(method, f"/agents/{identifier}", json=body)
        assert (answer.status, answer.error) == (404, NOT_FOUND), identifier
        conditional = await user.request(method, f"/agents/{identifier}", json=body, headers={"If-Match": '"9"'})
        assert (conditional.status, conditional.error) == (404, NOT_FOUND), identifier
    assert (await neighbour.get(f"/agents/{theirs['id']}")).data == theirs


class TestList:
    async def test_a_neighbours_agents_are_not_listed(self, user: Client, neighbour: Client) -> None:
        await made(neighbour)
        answer = await user.get("/agents")
        assert answer.data == {"total": 0, "skip": 0, "limit": 10, "items": []}

    async def test_an_item_has_the_fields_of_the_reference_and_no_prompt(self, user: Client) -> None:
        whole = await made(user, **CREATE_EXAMPLE)
        answer = await user.get("/agents")
        assert answer.data == {
            "total": 1,
            "skip": 0,
            "limit": 10,
            "items": [{name: whole[name] for name in ITEM_FIELDS}],
        }

    async def test_pages_do_not_overlap_and_the_total_counts_all(self, user: Client) -> None:
        for number in range(13):
            await made(user, name=f"Agent {number:02}")
        first, second = await user.get("/agents"), await user.get("/agents?skip=10")
        assert (first.data["total"], len(first.data["items"])) == (13, 10)
        assert (second.data["total"], second.data["skip"], len(second.data["items"])) == (13, 10, 3)
        together = [item["name"] for item in first.data["items"] + second.data["items"]]
        assert together == [f"Agent {number:02}" for number in reversed(range(13))]
        beyond = await user.get(f"/agents?skip={2**63 - 1}&limit=1000")
        assert (beyond.data["total"], beyond.data["items"]) == (13, [])

    @pytest.mark.parametrize("order", ["created_at", "name", "updated_at"])
    async def test_each_order_and_its_reverse_walk_the_same_agents(self, user: Client, order: str) -> None:
        for name in ("beta", "Alpha", "Émile", "gamma"):
            await made(user, name=name)
        first = (await user.get("/agents?sort=created_at&limit=1")).data["items"][0]
        await user.put(f"/agents/{first['id']}", {"description": "changed last"})
        expected = {
            "created_at": ["beta", "Alpha", "Émile", "gamma"],
            "name": ["Alpha", "beta", "gamma", "Émile"],
            "updated_at": ["Alpha", "Émile", "gamma", "beta"],
        }[order]
        assert await names(user, f"sort={order}") == expected
        assert await names(user, f"sort=-{order}") == expected[::-1]
        paged = [(await names(user, f"sort={order}&limit=1&skip={skip}"))[0] for skip in range(4)]
        assert paged == expected

    async def test_search_looks_in_name_and_description_whatever_the_case(self, user: Client) -> None:
        await made(user, name="Sales Agent")
        await made(user, name="Other", description="Handles SALES inquiries")
        await made(user, name="Straße", description="Cafe\N{COMBINING ACUTE ACCENT}")
        await made(user, name="No match")
        assert sorted(await names(user, "search=sales")) == ["Other", "Sales Agent"]
        assert await names(user, "search=STRASSE") == ["Straße"]
        assert await names(user, "search=CAF%C3%89") == ["Straße"]
        assert len(await names(user, "search=")) == 4

    @pytest.mark.parametrize("sign", ["%", "_", "\\", "'", '"', "%%", "$1", "{0}", "{where}"])
    async def test_search_takes_every_sign_as_itself(self, user: Client, sign: str) -> None:
        await made(user, name=f"with {sign} sign")
        await made(user, name="without")
        answer = await user.get("/agents", params={"search": sign})
        assert [item["name"] for item in answer.data["items"]] == [f"with {sign} sign"]
        assert answer.data["total"] == 1

    async def test_filters_narrow_items_and_total_together(self, user: Client) -> None:
        await made(user, name="a", llm_provider="openai", language="pt-BR")
        await made(user, name="b", llm_provider="openai", status="inactive")
        await made(user, name="c", llm_provider="anthropic", status="archived")
        assert await names(user, "status=active") == ["a"]
        assert await names(user, "llm_provider=openai&sort=name") == ["a", "b"]
        assert await names(user, "language=PT-br") == ["a"]
        everything = await user.get("/agents?search=b&status=inactive&llm_provider=openai&limit=1")
        assert (everything.data["total"], everything.data["items"][0]["name"]) == (1, "b")

    @pytest.mark.parametrize(
        "query",
        [
            *("limit=0", "limit=1001", "limit=x", "skip=-1", f"skip={2**63}", "limit=", "limit=1&limit=2"),
            *("status=gone", "status=", "sort=color", "sort=name;drop", "page=2", "search=%00", "search=%ff"),
            *(f"search={'x' * 201}", "language=e", "language=en%0a", "llm_provider="),
        ],
    )
    async def test_a_wrong_parameter_is_refused_and_never_ignored(self, user: Client, query: str) -> None:
        answer = await user.get(f"/agents?{query}")
        assert (answer.status, answer.code) == (400, "REQUEST_001")

    async def test_an_unknown_parameter_is_named_with_those_there_are(self, user: Client) -> None:
        answer = await user.get("/agents?colour=red")
        known = "skip, limit, search, status, llm_provider, language, sort"
        assert answer.error["details"] == [
            {"field": "colour", "message": f"is not a parameter here; there are: {known}"}
        ]


class TestCreate:
    async def test_the_example_of_the_reference_makes_an_agent(self, user: Client) -> None:
        before = datetime.now(UTC)
        answer = await user.post("/agents", CREATE_EXAMPLE)
        whole = answer.data
        assert answer.status == 201
        assert whole == {
            **CREATE_EXAMPLE,
            "id": whole["id"],
            "user_id": user.user["id"],
            "status": "active",
            "created_at": whole["created_at"],
            "updated_at": whole["created_at"],
        }
        assert answer.headers["Location"] == f"/agents/{whole['id']}"
        assert answer.headers["ETag"] == '"1"'
        assert UUID(whole["id"]).version == 7
        assert whole["created_at"].endswith("Z")
        assert abs((datetime.fromisoformat(whole["created_at"]) - before).total_seconds()) < 30
        assert (await user.get(answer.headers["Location"])).data == whole

    async def test_only_the_name_is_required(self, user: Client) -> None:
        whole = await made(user, name="  Lonely \n")
        empty = dict.fromkeys(CREATE_EXAMPLE)
        assert whole == {
            **empty,
            "id": whole["id"],
            "user_id": user.user["id"],
            "name": "Lonely",
            "status": "active",
            "created_at": whole["created_at"],
            "updated_at": whole["created_at"],
        }

    @pytest.mark.parametrize("other", ["Support Agent", "SUPPORT agent", " Support Agent "])
    async def test_a_name_that_the_owner_has_is_refused_whatever_its_case(self, user: Client, other: str) -> None:
        await made(user)
        answer = await user.post("/agents", {"name": other})
        assert (answer.status, answer.error) == (
            409,
            {
                "code": "AGENT_002",
                "message": "Agent already exists",
                "details": "another agent of yours has this name",
            },
        )

    async def test_composed_and_decomposed_names_are_the_same_name(self, user: Client) -> None:
        await made(user, name="Café")
        assert (await user.post("/agents", {"name": "CAFE\N{COMBINING ACUTE ACCENT}"})).code == "AGENT_002"

    async def test_two_owners_may_use_one_name(self, user: Client, neighbour: Client) -> None:
        assert (await made(user))["name"] == (await made(neighbour))["name"]

    async def test_of_32_creations_of_one_name_exactly_one_succeeds(self, user: Client) -> None:
        answers = await asyncio.gather(*(user.post("/agents", {"name": "Race"}) for _ in range(32)))
        assert sorted(answer.status for answer in answers) == [201, *[409] * 31]
        assert await names(user) == ["Race"]


class TestUpdate:
    @pytest.mark.parametrize("method", ["PUT", "PATCH"])
    async def test_the_fields_given_change_and_the_others_stay(self, user: Client, method: str) -> None:
        before = await made(user, **CREATE_EXAMPLE)
        answer = await user.request(method, f"/agents/{before['id']}", json=CHANGE_EXAMPLE)
        assert answer.status == 200
        assert answer.data == {**before, **CHANGE_EXAMPLE, "updated_at": answer.data["updated_at"]}
        assert answer.data["updated_at"] >= before["updated_at"]
        assert answer.headers["ETag"] == '"2"'
        assert (await user.get(f"/agents/{before['id']}")).data == answer.data

    async def test_null_clears_what_may_be_null(self, user: Client) -> None:
        before = await made(user, **CREATE_EXAMPLE)
        nulls = dict.fromkeys(CREATE_EXAMPLE.keys() - {"name"})
        answer = await user.put(f"/agents/{before['id']}", nulls)
        assert answer.data == {**before, **nulls, "updated_at": answer.data["updated_at"]}

    @pytest.mark.parametrize("field", ["name", "status"])
    async def test_null_is_refused_where_a_value_is_needed(self, user: Client, field: str) -> None:
        before = await made(user)
        answer = await user.put(f"/agents/{before['id']}", {field: None})
        assert (answer.status, answer.code) == (422, "REQUEST_002")
        assert [detail["field"] for detail in answer.error["details"]] == [field]

    async def test_texts_of_the_wrong_form_are_answered_with_what_is_wanted(self, user: Client) -> None:
        answer = await user.post("/agents", {**CREATE_EXAMPLE, "name": " ", "language": "e"})
        assert (answer.status, answer.code) == (422, "REQUEST_002")
        assert answer.error["details"] == [
            {"field": "name", "message": "must not be blank"},
            {"field": "language", "message": "must be a language tag such as en or pt-BR"},
        ]

    async def test_nothing_given_changes_nothing_but_the_time(self, user: Client) -> None:
        before = await made(user, **CREATE_EXAMPLE)
        answer = await user.put(f"/agents/{before['id']}", {})
        assert answer.data == {**before, "updated_at": answer.data["updated_at"]}

    async def test_a_name_that_another_agent_has_is_refused(self, user: Client) -> None:
        await made(user, name="First")
        second = await made(user, name="Second")
        answer = await user.put(f"/agents/{second['id']}", {"name": "FIRST"})
        assert (answer.status, answer.code) == (409, "AGENT_002")
        assert (await user.get(f"/agents/{second['id']}")).data == second

    async def test_an_agent_may_change_the_case_of_its_own_name(self, user: Client) -> None:
        agent = await made(user, name="First")
        assert (await user.put(f"/agents/{agent['id']}", {"name": "FIRST"})).data["name"] == "FIRST"

    async def test_search_finds_what_was_written_last(self, user: Client) -> None:
        agent = await made(user, name="Old", description="before")
        await user.put(f"/agents/{agent['id']}", {"name": "New"})
        assert await names(user, "search=old") == []
        assert await names(user, "search=before") == ["New"]
        await user.put(f"/agents/{agent['id']}", {"description": None})
        assert await names(user, "search=before") == []

    async def test_writers_of_different_fields_do_not_undo_each_other(self, user: Client) -> None:
        agent = await made(user)
        fields = ("llm_model", "stt_provider", "tts_provider", "description")
        for turn in range(5):
            path = f"/agents/{agent['id']}"
            await asyncio.gather(*(user.patch(path, {field: f"{field} {turn}"}) for field in fields))
            now = (await user.get(path)).data
            assert {field: now[field] for field in fields} == {field: f"{field} {turn}" for field in fields}


class TestDelete:
    async def test_a_deleted_agent_is_gone_and_its_name_is_free(self, user: Client) -> None:
        agent = await made(user)
        answer = await user.delete(f"/agents/{agent['id']}")
        assert (answer.status, answer.content) == (204, b"")
        assert (await user.get(f"/agents/{agent['id']}")).error == NOT_FOUND
        assert (await user.delete(f"/agents/{agent['id']}")).error == NOT_FOUND
        assert (await user.get("/agents")).data["total"] == 0
        await made(user)

    async def test_of_16_deletions_exactly_one_succeeds(self, user: Client) -> None:
        agent = await made(user)
        answers = await asyncio.gather(*(user.delete(f"/agents/{agent['id']}") for _ in range(16)))
        assert sorted(answer.status for answer in answers) == [204, *[404] * 15]


async def test_head_answers_the_headers_of_get(user: Client) -> None:
    agent = await made(user)
    answer = await user.request("HEAD", f"/agents/{agent['id']}")
    assert (answer.status, answer.content, answer.headers["ETag"]) == (200, b"", '"1"')
