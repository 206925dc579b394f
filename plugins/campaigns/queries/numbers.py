"""The SQL of campaigns' phone numbers, which are kept a thousand a row."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from voicera import Connection

CHUNK = 1000
COLUMNS = ("owner_id", "campaign_id", "chunk", "phone_numbers")


async def add(connection: Connection, owner_id: UUID, campaign_id: UUID, numbers: Sequence[str]) -> None:
    """Store the phone numbers of a campaign that has none yet, in order."""
    chunks = [numbers[at : at + CHUNK] for at in range(0, len(numbers), CHUNK)]
    records = [(owner_id, campaign_id, index, chunk) for index, chunk in enumerate(chunks)]
    if records:
        await connection.copy_records_to_table("campaign_phone_numbers", records=records, columns=COLUMNS)


READ = """
SELECT phone_numbers FROM campaign_phone_numbers WHERE owner_id = $1 AND campaign_id = $2 ORDER BY chunk
"""


async def read(connection: Connection, owner_id: UUID, campaign_id: UUID) -> list[str]:
    """All phone numbers of a campaign, in order."""
    rows = await connection.fetch(READ, owner_id, campaign_id)
    return [number for row in rows for number in row["phone_numbers"]]


DELETE = "DELETE FROM campaign_phone_numbers WHERE owner_id = $1 AND campaign_id = $2"


async def delete(connection: Connection, owner_id: UUID, campaign_id: UUID) -> None:
    """Delete all phone numbers of a campaign."""
    await connection.execute(DELETE, owner_id, campaign_id)


PAGE = f"""
SELECT phone_number_count AS total,
       (SELECT coalesce(json_agg(number ORDER BY chunk, place), '[]')::text
        FROM campaign_phone_numbers AS part, unnest(part.phone_numbers) WITH ORDINALITY AS each (number, place)
        WHERE part.owner_id = $1 AND part.campaign_id = $2
            AND chunk BETWEEN $3::bigint / {CHUNK} AND ($4::bigint - 1) / {CHUNK}
            AND chunk::bigint * {CHUNK} + place - 1 >= $3 AND chunk::bigint * {CHUNK} + place - 1 < $4) AS items
FROM campaigns WHERE owner_id = $1 AND id = $2
"""  # noqa: S608  # constants


async def page(
    connection: Connection, owner_id: UUID, campaign_id: UUID, first: int, end: int
) -> tuple[int, str] | None:
    """How many phone numbers a campaign has, and those from `first` up to and without `end` as a JSON array."""
    row = await connection.fetchrow(PAGE, owner_id, campaign_id, first, end)
    return (row["total"], row["items"]) if row is not None else None
