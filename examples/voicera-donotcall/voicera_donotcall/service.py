"""The rules of the do-not-call list."""

from __future__ import annotations

import re
from collections.abc import Iterable
from uuid import UUID

from plugins.calls.hookspecs import RecordedCall
from plugins.campaigns.hookspecs import CampaignNumbers
from voicera import Connection, Page, Resources

from voicera_donotcall import queries
from voicera_donotcall.errors import NotListed, NumbersListed
from voicera_donotcall.schemas import Entry, EntryQuery, Figure, NewNumbers, Report
from voicera_donotcall.settings import DoNotCallSettings

MOST_NAMED = 3
ASKED = re.compile(r"\b(?:do[ -]not|don['\u2019]t|never|stop) call(?:ing)?\b", re.IGNORECASE)


async def add(resources: Resources, owner_id: UUID, new: NewNumbers) -> Report:
    """Put numbers on an owner's list."""
    numbers = sorted(set(new.phone_numbers))  # in one order: two requests at once never wait for each other in a ring
    now, reason = resources.now(), new.reason.strip()
    async with resources.db.tx() as connection:
        added = await queries.add(connection, owner_id, numbers, reason, now, new.expires_at)
    return Report(added=added, changed=len(numbers) - added)


async def page(resources: Resources, owner_id: UUID, wanted: EntryQuery) -> Page[Entry]:
    """A page of an owner's list, by number, and how many match in all."""
    now, digits = resources.now(), wanted.search.strip()
    total, items = await resources.db.reading(
        lambda connection: queries.page(connection, owner_id, now, digits, limit=wanted.limit, skip=wanted.skip)
    )
    return Page(total=total, skip=wanted.skip, limit=wanted.limit, items=items)


async def count(resources: Resources, owner_id: UUID) -> Figure:
    """How many numbers are on an owner's list."""
    now = resources.now()
    listed = await resources.db.reading(lambda connection: queries.count(connection, owner_id, now))
    return Figure(value=listed, unit="phone number" if listed == 1 else "phone numbers")


async def get(resources: Resources, owner_id: UUID, phone_number: str) -> Entry:
    """The entry of a number; raises NotListed."""
    now = resources.now()
    found = await resources.db.reading(lambda connection: queries.get(connection, owner_id, phone_number, now))
    if found is None:
        raise NotListed
    return found


async def delete(resources: Resources, owner_id: UUID, phone_number: str) -> None:
    """Take a number off the list; raises NotListed."""
    async with resources.db.tx() as connection:
        if not await queries.delete(connection, owner_id, phone_number):
            raise NotListed


async def screen(resources: Resources, connection: Connection, owner_id: UUID, numbers: CampaignNumbers) -> None:
    """Suppress the listed numbers of a campaign that becomes active, or raise NumbersListed, as the mode says."""
    wanted = await numbers.read()
    reasons = await queries.reasons(connection, owner_id, wanted, resources.now())
    if reasons and resources.settings.of(DoNotCallSettings).donotcall_mode == "veto":
        raise NumbersListed(_told(sorted(reasons), len(wanted)))
    numbers.suppress({number: f"do not call: {reason}" for number, reason in reasons.items()})


async def listen(resources: Resources, connection: Connection, owner_id: UUID, calls: Iterable[RecordedCall]) -> None:
    """Put on the list who asked for it in one of these calls, in the transaction that records them."""
    if not resources.settings.of(DoNotCallSettings).donotcall_listen:
        return
    numbers = sorted({call.log.phone_number for call in calls if asks(call)})
    if numbers:
        await queries.hear(connection, owner_id, numbers, "asked in a call", resources.now())


def asks(call: RecordedCall) -> bool:
    """True if the transcript, the summary or a key phrase of a call says that nobody is to call."""
    texts = (call.log.transcript, call.log.summary, *call.log.key_phrases)
    return any(text and ASKED.search(text) for text in texts)


def _told(listed: list[str], together: int) -> str:
    """How many numbers are listed, and the first of them, masked."""
    named = ", ".join(f"{number[:3]}…{number[-2:]}" for number in listed[:MOST_NAMED])
    more = f" and {len(listed) - MOST_NAMED} more" if len(listed) > MOST_NAMED else ""
    return f"{len(listed)} of its {together} phone numbers are on the do-not-call list: {named}{more}"
