"""API keys. Raw SQL: `find` is on the way of a machine's first request in every half minute."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from voicera import Connection

INSERT = """
INSERT INTO api_keys (id, owner_id, name, prefix, key_hash, scopes, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""


async def insert(connection: Connection, row: tuple[Any, ...]) -> None:
    """Insert a key: id, owner, name, prefix, hash, scopes, created_at, expires_at."""
    await connection.execute(INSERT, *row)


PAGE = """
SELECT id, name, prefix, scopes, created_at, expires_at, last_used_at, count(*) OVER () AS total
FROM api_keys WHERE owner_id = $1 AND ended_at IS NULL ORDER BY id DESC OFFSET $2 LIMIT $3
"""


async def page(connection: Connection, owner_id: UUID, skip: int, limit: int) -> list[asyncpg.Record]:
    """A page of an owner's keys, newest first, each with the total of all."""
    return await connection.fetch(PAGE, owner_id, skip, limit)


COUNT = "SELECT count(*) FROM api_keys WHERE owner_id = $1 AND ended_at IS NULL"


async def count(connection: Connection, owner_id: UUID) -> int:
    """How many keys an owner has."""
    total: int = await connection.fetchval(COUNT, owner_id)
    return total


END = """
UPDATE api_keys SET ended_at = clock_timestamp() WHERE owner_id = $1 AND id = $2 AND ended_at IS NULL RETURNING id
"""


async def end(connection: Connection, owner_id: UUID, key_id: UUID) -> bool:
    """End a key; False if the owner has no such key."""
    return await connection.fetchval(END, owner_id, key_id) is not None


FIND = """
SELECT key.id, key.owner_id, key.scopes, key.expires_at, key.last_used_at, account.role
FROM api_keys AS key JOIN users AS account ON account.id = key.owner_id
WHERE key.key_hash = $1 AND key.ended_at IS NULL AND account.disabled_at IS NULL
"""


async def find(connection: Connection, key_hash: bytes) -> asyncpg.Record | None:
    """A key that has not ended (it may have expired), and its owner's role."""
    return await connection.fetchrow(FIND, key_hash)


TOUCH = "UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)"


async def touch(connection: Connection, key_id: UUID, now: datetime) -> None:
    """Note that a key was used."""
    await connection.execute(TOUCH, key_id, now)
