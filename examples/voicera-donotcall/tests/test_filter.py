"""The filter `do_not_call`: the call list, the export and the analytics agree on whose number is listed now."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from voicera.testing import Client, Running

COLLATIONS = """
SELECT count(*) AS tables FROM pg_attribute
WHERE attname = 'phone_number' AND attrelid IN ('call_logs'::regclass, 'donotcall_numbers'::regclass)
GROUP BY attcollation
"""
ONE, TWO, THREE = "+1234567890", "+1234567891", "+1234567892"


async def put(client: Client, *numbers: str, **fields: Any) -> None:
    assert (await client.post("/do-not-call", {"phone_numbers": numbers, **fields})).status == 200


async def called(client: Client, *numbers: str) -> None:
    """Record a call with each of these numbers."""
    logs = [{"phone_number": number, "status": "completed", "duration_seconds": 60} for number in numbers]
    assert (await client.post("/call-logs/batch", logs)).status == 201


async def found(client: Client, wanted: str) -> list[str]:
    """The numbers of the calls that the filter leaves, of which every route must know the same."""
    params = {"do_not_call": wanted}
    page = (await client.get("/call-logs", params=params)).data
    numbers = sorted(item["phone_number"] for item in page["items"])
    assert page["total"] == len(numbers)
    assert (await client.get("/analytics/calls", params=params)).data["total_calls"] == len(numbers)
    exported = (await client.get("/call-logs/export", params=params)).content.splitlines()
    assert sorted(json.loads(line)["phone_number"] for line in exported) == numbers
    return numbers


@pytest.mark.parametrize("path", ["/call-logs", "/call-logs/export", "/analytics/calls", "/do-not-call/count"])
async def test_anonymous_callers_get_401(anonymous: Client, path: str) -> None:
    answer = await anonymous.get(path, params={} if path.endswith("count") else {"do_not_call": "true"})
    assert (answer.status, answer.code) == (401, "AUTH_003")


async def test_the_list_the_analytics_and_the_export_agree(user: Client) -> None:
    await called(user, ONE, TWO, ONE, THREE)
    assert (await found(user, "true"), await found(user, "false")) == ([], [ONE, ONE, TWO, THREE])
    await put(user, ONE, "+4930123456")
    assert (await found(user, "true"), await found(user, "false")) == ([ONE, ONE], [TWO, THREE])
    await user.delete(f"/do-not-call/{ONE}")
    assert await found(user, "true") == []


async def test_another_owners_list_has_no_influence(user: Client, neighbour: Client) -> None:
    for client in (user, neighbour):
        await called(client, ONE, TWO)
    await put(neighbour, ONE)
    assert (await found(user, "true"), await found(user, "false")) == ([], [ONE, TWO])
    assert (await found(neighbour, "true"), await found(neighbour, "false")) == ([ONE], [TWO])


async def test_an_entry_that_has_expired_does_not_count(user: Client) -> None:
    """By the clock of the database."""
    await called(user, ONE, TWO)
    hour = timedelta(hours=1)
    await put(user, ONE, expires_at=(datetime.now(UTC) - hour).isoformat())
    await put(user, TWO, expires_at=(datetime.now(UTC) + hour).isoformat())
    assert (await found(user, "true"), await found(user, "false")) == ([TWO], [ONE])


async def test_another_value_is_refused_by_name(user: Client) -> None:
    answer = await user.get("/call-logs", params={"do_not_call": "perhaps"})
    assert (answer.status, answer.code) == (400, "REQUEST_001")
    assert [detail["field"] for detail in answer.error["details"]] == ["do_not_call"]


async def test_its_indexes_and_those_of_the_calls_can_be_used(voicera_app: Running) -> None:
    """With two collations PostgreSQL would use the index of one side alone, and never begin with the list."""
    async with voicera_app.resources.db.connection() as connection:
        rows = await connection.fetch(COLLATIONS)
    assert [row["tables"] for row in rows] == [2]


async def test_the_dashboard_shows_how_many_are_listed(user: Client, neighbour: Client) -> None:
    card = {"key": "do-not-call", "title": "Do not call", "path": "/do-not-call/count", "kind": "figure", "filters": []}
    assert card in (await user.get("/dashboard/cards")).data
    await put(neighbour, ONE, TWO)
    assert (await user.get(card["path"])).data == {"value": 0, "unit": "phone numbers"}
    await put(user, ONE)
    await put(user, TWO, expires_at=(datetime.now(UTC) - timedelta(hours=1)).isoformat())
    assert (await user.get(card["path"])).data == {"value": 1, "unit": "phone number"}
