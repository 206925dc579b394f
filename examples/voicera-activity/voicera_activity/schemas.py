"""What a client asks of the feed, and what it gets."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from voicera import Meta, Paging, Struct

Kind = Literal[
    "account.created",
    "agent.created",
    "agent.changed",
    "agent.deleted",
    "campaign.created",
    "campaign.changed",
    "campaign.deleted",
    "campaign.scheduled",
    "campaign.launched",
    "campaign.paused",
    "campaign.resumed",
    "campaign.stopped",
    "campaign.completed",
    "calls.recorded",
    "calls.changed",
    "calls.deleted",
]


class ActivityQuery(Paging, kw_only=True, frozen=True):
    """Which entries are wanted."""

    kind: Annotated[Kind, Meta(description="Only entries of this kind.")] | None = None


class ActivityEntry(Struct, kw_only=True):
    """One thing that happened: of which kind, to which account, agent or campaign, what that was called, and when.

    Calls have one entry an hour and kind: `calls` says how many, `at` when the hour began.
    """

    id: UUID
    kind: Kind
    subject_id: UUID
    name: Annotated[
        str | None, Meta(description="Null where something was deleted whose name is not known, and of calls.")
    ]
    calls: int | None = None
    at: datetime


class CardRow(Struct, kw_only=True):
    """An entry as the dashboard shows it: the names of the fields are the headings."""

    when: str
    what: str
    name: str | None


ENTRY = {
    "id": "01a20b96-97cc-7bad-b199-fc8cb2d44233",
    "kind": "campaign.launched",
    "subject_id": "01a20b96-8e10-7c3e-9d2f-0a1b2c3d4e5f",
    "name": "Spring",
    "calls": None,
    "at": "2026-11-24T04:00:00.000Z",
}
CARD_ROW = {"when": "2026-11-24 04:00 UTC", "what": "Campaign launched", "name": "Spring"}
