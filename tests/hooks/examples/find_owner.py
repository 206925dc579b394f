"""Finds owners by the customer numbers of the CRM, in a file: `voicera export calls --owner C-4711`."""

import asyncio
import csv
from pathlib import Path
from uuid import UUID

from voicera import hookimpl

CUSTOMERS = Path("customers.csv")  # in the working directory


@hookimpl
async def find_owner(email: str) -> UUID | None:
    text = await asyncio.to_thread(CUSTOMERS.read_text)
    owners = {row["customer"]: row["owner_id"] for row in csv.DictReader(text.splitlines())}
    return UUID(owners[email]) if email in owners else None
