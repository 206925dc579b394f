"""Phone numbers that plugins keep from being called: taken out of a campaign that becomes active, the reason kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from plugins.campaigns.errors import CampaignNotFound
from plugins.campaigns.queries import campaigns, numbers, suppressed
from plugins.campaigns.queries.rows import Stored
from plugins.campaigns.schemas import MOST_NUMBERS, MOST_REASON, MOST_SHOWN, NumbersQuery, SuppressedView
from voicera import ApiError, Connection, Fragment, Page, Resources

MOST_NAMED = 3


class Numbers:
    """The phone numbers of one campaign in the transaction that makes it active; plugins see a `CampaignNumbers`."""

    def __init__(self, connection: Connection, owner_id: UUID, campaign_id: UUID) -> None:
        self._connection = connection
        self._whose = (owner_id, campaign_id)
        self._all: list[str] | None = None
        self._reasons: dict[str, str] = {}

    async def read(self) -> Sequence[str]:
        """The numbers that will be called, in order: without those suppressed so far."""
        if self._all is None:
            self._all = await numbers.read(self._connection, *self._whose)
        return [number for number in self._all if number not in self._reasons]

    def suppress(self, reasons: Mapping[str, str]) -> None:
        """Take numbers out, each with its reason; raises ValueError for a reason that is empty."""
        clean = {reason: _clean(reason) for reason in set(reasons.values())}
        self._reasons = {number: clean[reason] for number, reason in reasons.items()} | self._reasons

    async def drop(self, now: datetime, error: type[ApiError]) -> Stored | None:
        """Store what was suppressed; how the campaign stands then, None where it keeps all of its numbers.

        However many they are, it takes five statements. Raises `error` if no number is left.
        """
        left = await self.read() if self._reasons else ()
        found = [(number, self._reasons[number]) for number in self._all or () if number in self._reasons]
        if not found:
            return None
        if not left:
            raise error(_nobody(found))
        await suppressed.add(self._connection, *self._whose, now, found)
        await numbers.delete(self._connection, *self._whose)
        await numbers.add(self._connection, *self._whose, left)
        return await campaigns.recount(self._connection, *self._whose, left[:MOST_SHOWN], len(left))


async def page(resources: Resources, owner_id: UUID, campaign_id: UUID, wanted: NumbersQuery) -> Page[SuppressedView]:
    """A page of the numbers that were taken out of a campaign, by number; raises CampaignNotFound."""
    skip = min(wanted.skip, MOST_NUMBERS)
    found = await resources.db.reading(
        lambda connection: suppressed.page(connection, owner_id, campaign_id, limit=wanted.limit, skip=skip)
    )
    if found is None:
        raise CampaignNotFound
    return Page(total=found[0], skip=wanted.skip, limit=wanted.limit, items=Fragment(found[1]))


def _clean(reason: str) -> str:
    text = reason.replace("\0", "").strip()[:MOST_REASON]
    if not text:
        raise ValueError("a phone number is suppressed for a reason: say which")
    return text


def _nobody(found: Sequence[tuple[str, str]]) -> str:
    """Why no number is left."""
    counted = Counter(reason for _, reason in found).most_common()
    named = [f"{reason} ({count})" for reason, count in counted[:MOST_NAMED]]
    more = ", …" if len(counted) > MOST_NAMED else ""
    return f"none of its phone numbers may be called: {', '.join(named)}{more}"
