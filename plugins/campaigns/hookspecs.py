"""What the campaigns publish: events around their transitions, and the questions that they ask about agents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
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


@hookspec
async def campaign_launching(connection: Connection, campaign: CampaignEvent) -> None:
    """Veto that a campaign becomes active (by launch, resume or its start_time) by raising an ApiError.

    It is called inside the transaction that changes the state. A campaign whose start_time has come stays scheduled
    after a veto, and is tried again until its end_time.
    """


@hookspec
async def campaign_scheduled(resources: Resources, campaign: CampaignEvent) -> None:
    """Hear of a campaign that waits for its start_time from now on, after the commit."""


@hookspec
async def campaign_launched(resources: Resources, campaign: CampaignEvent) -> None:
    """Hear of a campaign that became active, by launch or because its start_time came, after the commit."""


@hookspec
async def campaign_paused(resources: Resources, campaign: CampaignEvent) -> None:
    """Hear of a campaign that was paused, after the commit."""


@hookspec
async def campaign_resumed(resources: Resources, campaign: CampaignEvent) -> None:
    """Hear of a paused campaign that became active again by resume, after the commit."""


@hookspec
async def campaign_stopped(resources: Resources, campaign: CampaignEvent) -> None:
    """Hear of a campaign that was cancelled, by stop or at its end_time before it had started, after the commit."""


@hookspec
async def campaign_completed(resources: Resources, campaign: CampaignEvent) -> None:
    """Hear of a campaign that reached its end_time, after the commit."""


@hookspec
async def require_agent(connection: Connection, owner_id: UUID, agent_id: UUID) -> bool | None:
    """Answer True for an agent of the owner, and keep it from being deleted until the transaction ends.

    Raise your own error where the owner has no such agent; None if you keep no agents.
    """


@hookspec
async def agent_status(connection: Connection, owner_id: UUID, agent_id: UUID) -> str | None:
    """Say an agent's status (`active`, …; `deleted` where there is none), and keep it so until the transaction ends.

    None if you keep no agents.
    """
