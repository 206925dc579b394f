"""The SQL of the phone numbers that plugins took out of campaigns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from voicera import Connection, rfc3339_sql

COLUMNS = ("owner_id", "campaign_id", "phone_number", "reason", "suppressed_at")


async def add(
    connection: Connection, owner_id: UUID, campaign_id: UUID, at: datetime, found: Iterable[tuple[str, str]]
) -> None:
    """Store numbers with their reasons."""
    records = [(owner_id, campaign_id, number, reason, at) for number, reason in found]
    await connection.copy_records_to_table("campaign_suppressed_numbers", records=records, columns=COLUMNS)


FORGET = """
DELETE FROM campaign_suppressed_numbers WHERE owner_id = $1 AND campaign_id = $2 AND phone_number = ANY($3)
"""


async def forget(connection: Connection, owner_id: UUID, campaign_id: UUID, numbers: Sequence[str]) -> None:
    """Delete numbers that the campaign calls again."""
    await connection.execute(FORGET, owner_id, campaign_id, numbers)


PAGE = f"""
SELECT (SELECT count(*) FROM campaign_suppressed_numbers WHERE owner_id = $1 AND campaign_id = $2) AS total,
       (SELECT '[' || coalesce(string_agg(row_to_json(item)::text, ','), '') || ']' FROM (
            SELECT phone_number, reason, {rfc3339_sql("suppressed_at")} AS suppressed_at
            FROM campaign_suppressed_numbers WHERE owner_id = $1 AND campaign_id = $2
            ORDER BY phone_number LIMIT $3 OFFSET $4) AS item) AS items
FROM campaigns WHERE owner_id = $1 AND id = $2
"""  # noqa: S608  # constants


async def page(
    connection: Connection, owner_id: UUID, campaign_id: UUID, *, limit: int, skip: int
) -> tuple[int, str] | None:
    """How many numbers were taken out of a campaign, and one page of them as a JSON array; None without a campaign."""
    row = await connection.fetchrow(PAGE, owner_id, campaign_id, limit, skip)
    return (row["total"], row["items"]) if row is not None else None
