"""What becomes an entry of the feed, and how the feed is read.

All of it is heard after the commit, in the background: the feed slows nothing down, and may miss what happens while
the process dies.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from plugins.agents.hookspecs import AgentsChanged
from plugins.auth.hookspecs import RegisteredUser
from plugins.campaigns.hookspecs import CampaignEvent, CampaignsChanged
from voicera import Page, Resources, milliseconds_of, uuid7

from voicera_activity import queries
from voicera_activity.schemas import ActivityEntry, ActivityQuery, CardRow, Kind

ON_THE_CARD = 20
Action = Literal["created", "changed", "deleted"]
AGENT: dict[Action, Kind] = {"created": "agent.created", "changed": "agent.changed", "deleted": "agent.deleted"}
CAMPAIGN: dict[Action, Kind] = {
    "created": "campaign.created",
    "changed": "campaign.changed",
    "deleted": "campaign.deleted",
}


async def account_created(resources: Resources, user: RegisteredUser) -> None:
    """Begin an owner's feed."""
    name = f"{user.first_name} {user.last_name}"
    await _record(resources, user.owner_id, [_entry("account.created", user.owner_id, name, resources.now())])


async def agents_changed(resources: Resources, event: AgentsChanged) -> None:
    """Note that agents were created, changed or deleted."""
    now = resources.now()
    entries = [_change(AGENT[each.action], each.id, each.agent, now) for each in event.changes]
    await _record(resources, event.owner_id, entries)


async def campaigns_changed(resources: Resources, event: CampaignsChanged) -> None:
    """Note that campaigns were created, changed or deleted."""
    now = resources.now()
    entries = [_change(CAMPAIGN[each.action], each.id, each.campaign, now) for each in event.changes]
    await _record(resources, event.owner_id, entries)


async def campaign_moved(resources: Resources, kind: Kind, campaign: CampaignEvent) -> None:
    """Note that a campaign went from one state to another."""
    await _record(resources, campaign.owner_id, [_entry(kind, campaign.id, campaign.name, campaign.at)])


async def page(resources: Resources, owner_id: UUID, wanted: ActivityQuery) -> Page[ActivityEntry]:
    """A page of an owner's feed, newest first, and how many entries match in all."""
    async with resources.db.connection() as connection:
        total = await queries.count(connection, owner_id, wanted.kind)
        items = await queries.page(connection, owner_id, wanted.kind, limit=wanted.limit, skip=wanted.skip)
    return Page(total=total, skip=wanted.skip, limit=wanted.limit, items=items)


async def card(resources: Resources, owner_id: UUID) -> list[CardRow]:
    """The newest entries of an owner in words."""
    async with resources.db.connection() as connection:
        newest = await queries.page(connection, owner_id, None, limit=ON_THE_CARD, skip=0)
    return [CardRow(when=f"{each.at:%Y-%m-%d %H:%M} UTC", what=_what(each), name=each.name) for each in newest]


def _what(entry: ActivityEntry) -> str:
    """`campaign.launched` is "Campaign launched", and `calls.recorded` "1,204 calls recorded"."""
    subject, happened = entry.kind.split(".")
    if entry.calls is not None:
        subject = f"{entry.calls:,} {'call' if entry.calls == 1 else 'calls'}"
    return f"{subject.capitalize()} {happened}"


def _change(kind: Kind, subject_id: UUID, shown: Mapping[str, Any] | None, now: datetime) -> ActivityEntry:
    """An entry of a change, at the time that the agent or campaign itself says; a deleted one says nothing."""
    if shown is None:
        return _entry(kind, subject_id, None, now)
    return _entry(kind, subject_id, shown["name"], datetime.fromisoformat(shown["updated_at"]))


def _entry(kind: Kind, subject_id: UUID, name: str | None, at: datetime) -> ActivityEntry:
    """An entry whose id carries its time: events may be heard in either order, and are listed in the right one."""
    return ActivityEntry(id=uuid7(milliseconds_of(at)), kind=kind, subject_id=subject_id, name=name, at=at)


async def _record(resources: Resources, owner_id: UUID, entries: list[ActivityEntry]) -> None:
    async with resources.db.connection() as connection:
        await queries.record(connection, owner_id, entries)
