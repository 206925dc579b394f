"""The SQL of the do-not-call list. `owner_id` stands in every WHERE clause: it is the wall between owners."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from voicera import Connection

from voicera_donotcall.schemas import Entry

ENTRY = "phone_number, reason, source, created_at, expires_at"

ADD = """
WITH written AS (
    INSERT INTO donotcall_numbers (owner_id, phone_number, reason, source, created_at, expires_at)
    SELECT $1, phone_number, $3, 'api', $4, $5 FROM unnest($2::text[]) AS phone_number
    ON CONFLICT (owner_id, phone_number) DO UPDATE
        SET reason = excluded.reason, source = excluded.source, expires_at = excluded.expires_at
    RETURNING old.phone_number IS NULL AS added)
SELECT count(*) FILTER (WHERE added) FROM written
"""


async def add(
    connection: Connection,
    owner_id: UUID,
    phone_numbers: Sequence[str],
    reason: str,
    now: datetime,
    expires_at: datetime | None,
) -> int:
    """Add numbers, or change those that are there; how many were added."""
    added: int = await connection.fetchval(ADD, owner_id, phone_numbers, reason, now, expires_at)
    return added


HEAR = """
INSERT INTO donotcall_numbers (owner_id, phone_number, reason, source, created_at)
SELECT $1, phone_number, $3, 'call', $4 FROM unnest($2::text[]) AS phone_number
ON CONFLICT (owner_id, phone_number) DO UPDATE
    SET reason = excluded.reason, source = excluded.source, expires_at = NULL
    WHERE donotcall_numbers.expires_at IS NOT NULL
"""


async def hear(
    connection: Connection, owner_id: UUID, phone_numbers: Sequence[str], reason: str, now: datetime
) -> None:
    """Add numbers for good. What stands there without an expiry stays, with the reason that somebody wrote."""
    await connection.execute(HEAR, owner_id, phone_numbers, reason, now)


GET = f"""
SELECT {ENTRY} FROM donotcall_numbers
WHERE owner_id = $1 AND phone_number = $2 AND (expires_at IS NULL OR expires_at > $3)
"""  # noqa: S608  # constants


async def get(connection: Connection, owner_id: UUID, phone_number: str, now: datetime) -> Entry | None:
    """The entry of a number that must not be called now."""
    row = await connection.fetchrow(GET, owner_id, phone_number, now)
    return Entry(**row) if row is not None else None


MATCHING = """
FROM donotcall_numbers
WHERE owner_id = $1 AND (expires_at IS NULL OR expires_at > $2) AND position($3 IN phone_number) > 0
"""
COUNT = f"SELECT count(*) {MATCHING}"
PAGE = f"SELECT {ENTRY} {MATCHING} ORDER BY phone_number LIMIT $4 OFFSET $5"


async def page(
    connection: Connection, owner_id: UUID, now: datetime, digits: str, *, limit: int, skip: int
) -> tuple[int, list[Entry]]:
    """How many numbers match, and one page of them."""
    total: int = await connection.fetchval(COUNT, owner_id, now, digits)
    rows = await connection.fetch(PAGE, owner_id, now, digits, limit, skip)
    return total, [Entry(**row) for row in rows]


async def count(connection: Connection, owner_id: UUID, now: datetime) -> int:
    """How many numbers must not be called now."""
    found: int = await connection.fetchval(COUNT, owner_id, now, "")
    return found


REASONS = """
SELECT phone_number, reason FROM donotcall_numbers
WHERE owner_id = $1 AND phone_number = ANY($2) AND (expires_at IS NULL OR expires_at > $3)
"""


async def reasons(
    connection: Connection, owner_id: UUID, phone_numbers: Sequence[str], now: datetime
) -> dict[str, str]:
    """Those of the numbers that must not be called now, with their reasons."""
    rows = await connection.fetch(REASONS, owner_id, phone_numbers, now)
    return {row["phone_number"]: row["reason"] for row in rows}


DELETE = "DELETE FROM donotcall_numbers WHERE owner_id = $1 AND phone_number = $2 RETURNING true"


async def delete(connection: Connection, owner_id: UUID, phone_number: str) -> bool:
    """Delete a number; False where the owner has no such."""
    return bool(await connection.fetchval(DELETE, owner_id, phone_number))
