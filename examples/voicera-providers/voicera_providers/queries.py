"""The SQL of connections. `owner_id` stands in every WHERE clause but one, which finds out whose a message is."""

from datetime import datetime
from typing import Any
from uuid import UUID

from voicera import Connection

Row = dict[str, Any]
VIEW = "id, provider, name, '/provider-connections/' || id || '/events' AS events_path, created_at, last_used_at"

LOCK_OWNER = "SELECT pg_advisory_xact_lock(hashtextextended('provider connections of ' || $1::text, 0))"


async def lock_owner(connection: Connection, owner_id: UUID) -> None:
    """Let nobody else add a connection of this owner until the transaction ends."""
    await connection.execute(LOCK_OWNER, str(owner_id))


COUNT = "SELECT count(*) FROM provider_connections WHERE owner_id = $1"


async def count(connection: Connection, owner_id: UUID) -> int:
    """How many connections an owner has."""
    found: int = await connection.fetchval(COUNT, owner_id)
    return found


INSERT = f"""
INSERT INTO provider_connections (owner_id, id, provider, name, secret, created_at)
VALUES ($1, $2, $3, $4, $5, $6) RETURNING {VIEW}"""  # noqa: S608  # constants


async def insert(
    connection: Connection, owner_id: UUID, connection_id: UUID, now: datetime, *, provider: str, name: str, secret: str
) -> Row:
    """Add a connection; its row without the secret."""
    row = await connection.fetchrow(INSERT, owner_id, connection_id, provider, name, secret, now)
    assert row is not None  # noqa: S101  # INSERT without a condition returns its row
    return dict(row)


LIST = f"""
SELECT {VIEW} FROM provider_connections WHERE owner_id = $1
ORDER BY id DESC LIMIT $2 OFFSET $3"""  # noqa: S608  # constants


async def page(connection: Connection, owner_id: UUID, limit: int, skip: int) -> list[Row]:
    """One page of an owner's connections, newest first."""
    return [dict(row) for row in await connection.fetch(LIST, owner_id, limit, skip)]


GET = f"SELECT {VIEW} FROM provider_connections WHERE owner_id = $1 AND id = $2"  # noqa: S608  # constants


async def get(connection: Connection, owner_id: UUID, connection_id: UUID) -> Row | None:
    """One connection, None where the owner has no such."""
    row = await connection.fetchrow(GET, owner_id, connection_id)
    return None if row is None else dict(row)


DELETE = "DELETE FROM provider_connections WHERE owner_id = $1 AND id = $2 RETURNING true"


async def delete(connection: Connection, owner_id: UUID, connection_id: UUID) -> bool:
    """Delete a connection; False where the owner has no such."""
    return await connection.fetchval(DELETE, owner_id, connection_id) is not None


# The exception: a provider knows the connection and not the owner. A unique index on `id` alone serves it.
FIND = "SELECT owner_id, provider, secret FROM provider_connections WHERE id = $1"


async def find(connection: Connection, connection_id: UUID) -> tuple[UUID, str, str] | None:
    """Whose a connection is, its provider, and what is kept of its secret."""
    row = await connection.fetchrow(FIND, connection_id)
    return None if row is None else (row["owner_id"], row["provider"], row["secret"])


TOUCH = """
UPDATE provider_connections SET last_used_at = $3
WHERE owner_id = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at < $3::timestamptz - interval '1 minute')"""


async def touch(connection: Connection, owner_id: UUID, connection_id: UUID, now: datetime) -> None:
    """Note that a connection is used, at most once a minute."""
    await connection.execute(TOUCH, owner_id, connection_id, now)
