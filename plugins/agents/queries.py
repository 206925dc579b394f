"""All SQL about agents. The JSON of an answer is made by PostgreSQL and passed on as it is.

`owner_id` stands in every WHERE clause: it is the tenant wall.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from voicera import Connection, rfc3339_sql

NAME_CONSTRAINT = "agents_name_of_owner"
ITEM = f"""id, name, description, llm_provider, llm_model, stt_provider, tts_provider, language, status,
    {rfc3339_sql("created_at")} AS created_at, {rfc3339_sql("updated_at")} AS updated_at"""
WHOLE = f"""row_to_json((SELECT whole FROM (
    SELECT {ITEM}, owner_id AS user_id, system_prompt, voice_parameters) AS whole))::text"""  # noqa: S608  # constants
FIELDS = """name, name_key, description, description_key, llm_provider, llm_model, stt_provider, tts_provider,
    system_prompt, language, voice_parameters, status"""

# Ids sort by creation time. Every order has an index that begins with owner_id, and ends in what is unique.
# A bare updated_at would be the text that ITEM makes of it.
ORDERS = {
    "-created_at": "id DESC",
    "created_at": "id",
    "name": "name_key",
    "-name": "name_key DESC",
    "updated_at": "agents.updated_at, agents.id",
    "-updated_at": "agents.updated_at DESC, agents.id DESC",
}
FILTERS = {
    "search": "(position({0}::text IN name_key) > 0 OR position({0}::text IN description_key) > 0)",
    "status": "status = {0}",
    "llm_provider": "llm_provider = {0}",
    "language": "lower(language) = lower({0}::text)",
}


class Stored(NamedTuple):
    """An agent as it stands in the table: its version, and the resource as JSON text."""

    version: int
    resource: str


class Changed(NamedTuple):
    """What an update did: `stored` is None where nothing was changed; `exists` says whether there was such an agent."""

    stored: Stored | None
    exists: bool


LIST = """
SELECT (SELECT count(*) FROM agents WHERE {where}) AS total,
       (SELECT '[' || coalesce(string_agg(row_to_json(item)::text, ','), '') || ']' FROM (
            SELECT {item} FROM agents WHERE {where} ORDER BY {order} LIMIT $2 OFFSET $3) AS item) AS items
"""


@lru_cache(maxsize=256)
def listing(filters: tuple[str, ...], order: str) -> str:
    """The text of the list statement: from fixed parts only, so that few texts are ever prepared."""
    conditions = ["owner_id = $1", *(FILTERS[name].format(f"${i}") for i, name in enumerate(filters, 4))]
    return LIST.format(where=" AND ".join(conditions), item=ITEM, order=ORDERS[order])


async def page(
    connection: Connection, owner_id: UUID, filters: dict[str, str], order: str, *, limit: int, skip: int
) -> tuple[int, str]:
    """Count all that match, and make the JSON array of one page of them, in one statement."""
    row = await connection.fetchrow(listing(tuple(filters), order), owner_id, limit, skip, *filters.values())
    assert row is not None
    return row["total"], row["items"]


GET = f"SELECT version, {WHOLE} AS resource FROM agents WHERE owner_id = $1 AND id = $2"  # noqa: S608  # constants


async def get(connection: Connection, owner_id: UUID, agent_id: UUID) -> Stored | None:
    """One agent, None where the owner has no such."""
    return _stored(await connection.fetchrow(GET, owner_id, agent_id))


INSERT = f"""
INSERT INTO agents (owner_id, id, version, created_at, updated_at, {FIELDS})
SELECT $1, $2, 1, $3, $3, {FIELDS} FROM json_populate_record(NULL::agents, $4)
RETURNING version, {WHOLE} AS resource
"""  # noqa: S608  # constants


async def insert(connection: Connection, owner_id: UUID, agent_id: UUID, now: datetime, fields: str) -> Stored:
    """Insert an agent; `fields` is a JSON object of columns. Raises UniqueViolationError for a name that is taken."""
    stored = _stored(await connection.fetchrow(INSERT, owner_id, agent_id, now, fields))
    assert stored is not None
    return stored


# The keys that the JSON object has are changed, the others keep the row's values: one text for every set of fields.
UPDATE = f"""
WITH changed AS (
    UPDATE agents AS agent
    SET ({FIELDS}) = (SELECT {FIELDS} FROM json_populate_record(agent, $4)),
        version = agent.version + 1, updated_at = greatest($3, agent.updated_at)
    WHERE owner_id = $1 AND id = $2 AND ($5::text[] IS NULL OR version::text = ANY($5))
    RETURNING version, {WHOLE} AS resource)
SELECT version, resource, EXISTS (SELECT FROM agents WHERE owner_id = $1 AND id = $2) AS found
FROM (VALUES (1)) AS always LEFT JOIN changed ON true
"""  # noqa: S608  # constants


async def update(
    connection: Connection,
    owner_id: UUID,
    agent_id: UUID,
    now: datetime,
    fields: str,
    *,
    versions: Sequence[str] | None,
) -> Changed:
    """Change an agent if it has one of these versions (any, for None); of many at once, one wins.

    Raises UniqueViolationError for a name that is taken.
    """
    row = await connection.fetchrow(UPDATE, owner_id, agent_id, now, fields, versions)
    assert row is not None
    return Changed(_stored(row) if row["version"] is not None else None, row["found"])


LOCK = "SELECT version FROM agents WHERE owner_id = $1 AND id = $2 FOR UPDATE"


async def lock(connection: Connection, owner_id: UUID, agent_id: UUID) -> int | None:
    """Lock an agent until the transaction ends; its version, None where the owner has no such."""
    version: int | None = await connection.fetchval(LOCK, owner_id, agent_id)
    return version


KEEP = "SELECT true FROM agents WHERE owner_id = $1 AND id = $2 FOR KEY SHARE"


async def keep(connection: Connection, owner_id: UUID, agent_id: UUID) -> bool:
    """Keep an agent from being deleted until the transaction ends; False where the owner has no such."""
    return await connection.fetchval(KEEP, owner_id, agent_id) is not None


KEEP_STATUS = "SELECT status FROM agents WHERE owner_id = $1 AND id = $2 FOR SHARE"


async def keep_status(connection: Connection, owner_id: UUID, agent_id: UUID) -> str | None:
    """Keep an agent as it is until the transaction ends; its status, None where the owner has no such."""
    status: str | None = await connection.fetchval(KEEP_STATUS, owner_id, agent_id)
    return status


DELETE = "DELETE FROM agents WHERE owner_id = $1 AND id = $2"


async def delete(connection: Connection, owner_id: UUID, agent_id: UUID) -> None:
    """Delete an agent."""
    await connection.execute(DELETE, owner_id, agent_id)


KNOWN = "SELECT id FROM agents WHERE owner_id = $1 AND id = ANY($2)"


async def known(connection: Connection, owner_id: UUID, agent_ids: Iterable[UUID]) -> frozenset[UUID]:
    """Those of the ids that are agents of the owner."""
    rows = await connection.fetch(KNOWN, owner_id, list(agent_ids))
    return frozenset(UUID(int=row["id"].int) for row in rows)


def _stored(row: Any) -> Stored | None:
    return Stored(row["version"], row["resource"]) if row is not None else None
