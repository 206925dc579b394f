"""Two dashboards on one agent: ETag, If-Match and If-None-Match (RFC 9110, section 13)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from voicera.testing import Answer, Client

STALE = {"code": "REQUEST_006", "message": "If-Match does not match", "details": None}


@pytest.fixture
async def path(user: Client) -> str:
    """The path of a new agent of `user`, at version 1."""
    answer = await user.post("/agents", {"name": "Support Agent"})
    assert answer.headers["ETag"] == '"1"'
    return str(answer.headers["Location"])


async def change(user: Client, path: str, tags: str, **fields: Any) -> Answer:
    return await user.put(path, fields or {"description": "changed"}, headers={"If-Match": tags})


@pytest.mark.parametrize("tags", ['"1"', "*", '"7", "1"', '"a,b" ,"1"', ', "1",,', 'W/"1", "1"'])
async def test_a_change_goes_through_where_a_tag_matches(user: Client, path: str, tags: str) -> None:
    answer = await change(user, path, tags)
    assert (answer.status, answer.headers["ETag"]) == (200, '"2"')


@pytest.mark.parametrize("tags", ['"2"', '""', 'W/"1"', '"01"', '"1 "'.replace(" ", "!"), '"é"', f'"{2**80}"'])
async def test_a_change_is_refused_where_no_tag_matches(user: Client, path: str, tags: str) -> None:
    answer = await change(user, path, tags)
    assert (answer.status, answer.error) == (412, STALE)
    deleted = await user.delete(path, headers={"If-Match": tags})
    assert deleted.status == 412
    after = await user.get(path)
    assert (after.data["description"], after.headers["ETag"]) == (None, '"1"')


@pytest.mark.parametrize("tags", ["1", '"1', '"1" "2"', '*, "1"', 'w/"1"', ",", "W/1", "'1'", '"a b"'])
async def test_a_malformed_header_is_refused(user: Client, path: str, tags: str) -> None:
    assert (await change(user, path, tags)).code == "REQUEST_001"
    assert (await user.get(path, headers={"If-None-Match": tags})).code == "REQUEST_001"


async def test_a_read_is_not_repeated_where_the_client_has_the_version(user: Client, path: str) -> None:
    for tags in ('"1"', 'W/"1"', '"5", "1"', "*"):
        answer = await user.get(path, headers={"If-None-Match": tags})
        assert (answer.status, answer.content, answer.headers["ETag"]) == (304, b"", '"1"')
    await user.put(path, {"description": "changed"})
    answer = await user.get(path, headers={"If-None-Match": '"1"'})
    assert (answer.status, answer.headers["ETag"], answer.data["description"]) == (200, '"2"', "changed")


async def test_a_deletion_takes_the_version_too(user: Client, path: str) -> None:
    await change(user, path, '"1"')
    assert (await user.delete(path, headers={"If-Match": '"1"'})).error == STALE
    assert (await user.delete(path, headers={"If-Match": '"2"'})).status == 204


async def test_of_32_writers_with_one_tag_exactly_one_wins(user: Client, path: str) -> None:
    for version in range(1, 6):
        answers = await asyncio.gather(
            *(change(user, path, f'"{version}"', description=f"writer {n}") for n in range(32))
        )
        assert sorted(answer.status for answer in answers) == [200, *[412] * 31]
        winner = next(answer for answer in answers if answer.status == 200)
        after = await user.get(path)
        assert (after.data, after.headers["ETag"]) == (winner.data, f'"{version + 1}"')
