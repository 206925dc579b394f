"""The SQL of reading, creating, changing and deleting campaigns. PostgreSQL makes the JSON of an answer.

`owner_id` stands in every WHERE clause: it is the tenant wall.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from plugins.campaigns.queries.rows import SHOWN, STATE, WHOLE, Stored, plain, state_of, stored
from plugins.campaigns.states import LIVE, State
from voicera import Connection

FIELDS = """name, name_key, agent_id, phone_numbers, phone_number_count, start_time, end_time,
    max_concurrent_calls"""

FILTERS = {"agent_id": "agent_id = {0}", "status": "status = {0}", "search": "position({0}::text IN name_key) > 0"}

LIST = """
SELECT (SELECT count(*) FROM campaigns WHERE {where}) AS total,
       (SELECT '[' || coalesce(string_agg(row_to_json(item)::text, ','), '') || ']' FROM (
            SELECT {item} FROM campaigns WHERE {where} ORDER BY id DESC LIMIT $2 OFFSET $3) AS item) AS items
"""


@lru_cache(maxsize=32)
def listing(filters: tuple[str, ...]) -> str:
    """The text of the list statement: from fixed parts only, so that few texts are ever prepared."""
    conditions = ["owner_id = $1", *(FILTERS[name].format(f"${i}") for i, name in enumerate(filters, 4))]
    return LIST.format(where=" AND ".join(conditions), item=SHOWN)


async def page(
    connection: Connection, owner_id: UUID, filters: dict[str, Any], *, limit: int, skip: int
) -> tuple[int, str]:
    """Count all that match, and make the JSON array of one page of them, in one statement."""
    row = await connection.fetchrow(listing(tuple(filters)), owner_id, limit, skip, *filters.values())
    assert row is not None
    return row["total"], row["items"]


GET = f"SELECT {STATE}, {WHOLE} AS resource FROM campaigns WHERE owner_id = $1 AND id = $2"  # noqa: S608  # constants


async def get(connection: Connection, owner_id: UUID, campaign_id: UUID) -> Stored | None:
    """One campaign, None where the owner has no such."""
    return stored(await connection.fetchrow(GET, owner_id, campaign_id))


READ_STATE = f"SELECT {STATE} FROM campaigns WHERE owner_id = $1 AND id = $2"  # noqa: S608  # constants


async def state(connection: Connection, owner_id: UUID, campaign_id: UUID) -> State | None:
    """A campaign's state, None where the owner has no such."""
    row = await connection.fetchrow(READ_STATE, owner_id, campaign_id)
    return state_of(row) if row is not None else None


LOCK_STATE = READ_STATE + " FOR UPDATE"


async def lock(connection: Connection, owner_id: UUID, campaign_id: UUID) -> State | None:
    """Lock a campaign until the transaction ends; its state, None where the owner has no such."""
    row = await connection.fetchrow(LOCK_STATE, owner_id, campaign_id)
    return state_of(row) if row is not None else None


INSERT = f"""
INSERT INTO campaigns (owner_id, id, status, version, created_at, updated_at, {FIELDS})
SELECT $1, $2, 'draft', 1, $3, $3, {FIELDS} FROM json_populate_record(NULL::campaigns, $4)
RETURNING {STATE}, {WHOLE} AS resource
"""  # noqa: S608  # constants


async def insert(connection: Connection, owner_id: UUID, campaign_id: UUID, now: datetime, fields: str) -> Stored:
    """Insert a draft; `fields` is a JSON object of columns."""
    made = stored(await connection.fetchrow(INSERT, owner_id, campaign_id, now, fields))
    assert made is not None
    return made


# The keys that the JSON object has are changed, the others keep the row's values: one text for every set of fields.
UPDATE = f"""
UPDATE campaigns AS campaign
SET ({FIELDS}) = (SELECT {FIELDS} FROM json_populate_record(campaign, $4)),
    version = campaign.version + 1, updated_at = greatest($3, campaign.updated_at)
WHERE owner_id = $1 AND id = $2
RETURNING {STATE}, {WHOLE} AS resource
"""  # noqa: S608  # constants


async def update(connection: Connection, owner_id: UUID, campaign_id: UUID, now: datetime, fields: str) -> Stored:
    """Change a campaign that is locked."""
    made = stored(await connection.fetchrow(UPDATE, owner_id, campaign_id, now, fields))
    assert made is not None
    return made


RECOUNT = f"""
UPDATE campaigns SET phone_numbers = $3, phone_number_count = $4 WHERE owner_id = $1 AND id = $2
RETURNING {STATE}, {WHOLE} AS resource
"""  # noqa: S608  # constants


async def recount(
    connection: Connection, owner_id: UUID, campaign_id: UUID, first: Sequence[str], count: int
) -> Stored:
    """Say which phone numbers a campaign shows and how many it has, as part of the change that made its version."""
    made = stored(await connection.fetchrow(RECOUNT, owner_id, campaign_id, first, count))
    assert made is not None
    return made


DELETE = "DELETE FROM campaigns WHERE owner_id = $1 AND id = $2"


async def delete(connection: Connection, owner_id: UUID, campaign_id: UUID) -> None:
    """Delete a campaign with its phone numbers."""
    await connection.execute(DELETE, owner_id, campaign_id)


KNOWN = "SELECT id FROM campaigns WHERE owner_id = $1 AND id = ANY($2)"


async def known(connection: Connection, owner_id: UUID, campaign_ids: Iterable[UUID]) -> frozenset[UUID]:
    """Those of the ids that are campaigns of the owner."""
    rows = await connection.fetch(KNOWN, owner_id, list(campaign_ids))
    return frozenset(plain(row["id"]) for row in rows)


LIVE_OF_AGENT = f"""
SELECT name, count(*) OVER () AS together FROM campaigns
WHERE owner_id = $1 AND agent_id = $2 AND status IN {LIVE} ORDER BY id LIMIT $3
"""  # noqa: S608  # constants


async def live_of_agent(connection: Connection, owner_id: UUID, agent_id: UUID, most: int) -> tuple[list[str], int]:
    """The names of at most so many live campaigns of an agent, oldest first, and how many there are."""
    rows = await connection.fetch(LIVE_OF_AGENT, owner_id, agent_id, most)
    return [row["name"] for row in rows], rows[0]["together"] if rows else 0
