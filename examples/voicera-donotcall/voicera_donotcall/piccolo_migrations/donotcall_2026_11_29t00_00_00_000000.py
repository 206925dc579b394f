"""Phone numbers are compared as the call logs compare theirs, so that the indexes of both serve one condition."""

from __future__ import annotations

from typing import Any

from voicera import sql_migration

ID = "donotcall_2026_11_29t00_00_00_000000"
VERSION = "1.38.0"
DESCRIPTION = "donotcall_numbers: the collation of the database"


async def forwards() -> Any:
    """Run the statements."""
    return sql_migration(
        ID,
        'ALTER TABLE donotcall_numbers ALTER COLUMN phone_number TYPE text COLLATE "default"',
        description=DESCRIPTION,
    )
