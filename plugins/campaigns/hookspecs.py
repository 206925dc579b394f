"""What the campaigns publish: events around their transitions and changes, and what they ask about agents.

`campaign_launching`, `campaign_moving` and the questions are called inside a transaction: what one raises rolls it
back, and an ApiError reaches the client as it is. The other events come after the commit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol
from uuid import UUID

from plugins.campaigns.states import Action, Status
from voicera import Connection, Resources, hookspec


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignEvent:
    """A campaign that moved from one state to another: by which action, when (UTC), and how it stands after that."""

    owner_id: UUID
    id: UUID
    action: Action
    at: datetime
    status: Status
    name: str
    agent_id: UUID
    phone_number_count: int
    start_time: datetime | None
    end_time: datetime | None
    max_concurrent_calls: int | None


class CampaignNumbers(Protocol):
    """The phone numbers of a campaign that becomes active, for plugins that keep some from being called."""

    async def read(self) -> Sequence[str]:
        """The numbers that will be called, in order: without those suppressed so far. Up to 100,000."""
        ...

    def suppress(self, reasons: Mapping[str, str]) -> None:
        """Take numbers out of the campaign, each with the reason that is kept and shown, cut to 200 characters.

        Of a number that is suppressed twice the first reason counts; one that is not the campaign's is passed over.
        Raises ValueError for a reason that is empty.
        """
        ...


@dataclass(frozen=True, slots=True)
class CampaignChange:
    """What happened to a campaign, and how `GET /campaigns/{campaign_id}` shows it then, None if it was deleted.

    `version` counts its states from 1; of a deleted one it is the last that there was.
    """

    id: UUID
    action: Literal["created", "changed", "deleted"]
    version: int
    campaign: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class CampaignsChanged:
    """Campaigns of one owner that changed together."""

    owner_id: UUID
    changes: tuple[CampaignChange, ...]


@hookspec
async def campaign_launching(
    resources: Resources, connection: Connection, campaign: CampaignEvent, numbers: CampaignNumbers
) -> None:
    """Suppress phone numbers of a campaign that becomes active, or veto that it does by raising an ApiError.

    Called *within* the transaction that changes the state, for launch, resume and when its start_time has come:
    `campaign` is how it will stand, and its row is locked. The numbers are read when a plugin asks for them. Those
    suppressed leave the campaign, and are kept with their reasons, as part of that transaction; if none is left, the
    transition is refused. Any error rolls it back; an ApiError, with its details, is the answer to the client. At the
    start_time there is no client: the campaign stays scheduled, and is tried again until its end_time.
    """


@hookspec
async def campaign_moving(resources: Resources, connection: Connection, campaign: CampaignEvent) -> None:
    """Act inside the transaction of any transition, when it is settled how the campaign will stand.

    Called *within* that transaction, after `campaign_launching`, whether a request or the clock moves the campaign. It
    is for what must be written if and only if the campaign moves: any error rolls the transition back.
    """


@hookspec
async def campaign_scheduled(resources: Resources, campaign: CampaignEvent) -> None:
    """Hear of a campaign that waits for its start_time from now on.

    Called *after* the commit, in the background, in no transaction; an error or a hang is logged with your plugin's
    name, and nobody else notices.
    """


@hookspec
async def campaign_launched(resources: Resources, campaign: CampaignEvent) -> None:
    """Hear of a campaign that became active, by launch or because its start_time came.

    Called *after* the commit, in the background, in no transaction; an error or a hang is logged with your plugin's
    name, and nobody else notices.
    """


@hookspec
async def campaign_paused(resources: Resources, campaign: CampaignEvent) -> None:
    """Hear of a campaign that was paused.

    Called *after* the commit, in the background, in no transaction; an error or a hang is logged with your plugin's
    name, and nobody else notices.
    """


@hookspec
async def campaign_resumed(resources: Resources, campaign: CampaignEvent) -> None:
    """Hear of a paused campaign that became active again by resume.

    Called *after* the commit, in the background, in no transaction; an error or a hang is logged with your plugin's
    name, and nobody else notices.
    """


@hookspec
async def campaign_stopped(resources: Resources, campaign: CampaignEvent) -> None:
    """Hear of a campaign that was cancelled, by stop or at its end_time before it had started.

    Called *after* the commit, in the background, in no transaction; an error or a hang is logged with your plugin's
    name, and nobody else notices.
    """


@hookspec
async def campaign_completed(resources: Resources, campaign: CampaignEvent) -> None:
    """Hear of a campaign that reached its end_time.

    Called *after* the commit, in the background, in no transaction; an error or a hang is logged with your plugin's
    name, and nobody else notices.
    """


@hookspec
async def campaigns_changed(resources: Resources, event: CampaignsChanged) -> None:
    """Hear of campaigns that have been created, changed or deleted by a request; transitions have their own events.

    Called *after* the commit, in the background, in no transaction; an error or a hang is logged with your plugin's
    name, and nobody else notices. Two changes of one campaign may be told in either order: its `version` says which
    is the later. A change that changes nothing is not told.
    """


@hookspec
async def require_agent(connection: Connection, owner_id: UUID, agent_id: UUID) -> bool | None:
    """Answer True for an agent of the owner, and keep it from being deleted until the transaction ends.

    Raise your own error where the owner has no such agent; None if you keep no agents. A question (*first*), asked
    inside the transaction that creates or changes a campaign; an error rolls it back.
    """


@hookspec
async def agent_status(connection: Connection, owner_id: UUID, agent_id: UUID) -> str | None:
    """Say an agent's status (`active`, …; `deleted` where there is none), and keep it so until the transaction ends.

    None if you keep no agents. A question (*first*), asked inside the transaction that makes a campaign active or
    schedules it; an error rolls it back.
    """
