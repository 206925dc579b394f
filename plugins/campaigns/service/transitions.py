"""How a campaign moves from state to state: each transition of the table is one conditional UPDATE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from plugins.campaigns.hookspecs import CampaignEvent
from plugins.campaigns.queries import campaigns, moves
from plugins.campaigns.queries.rows import Stored
from plugins.campaigns.service import suppression
from plugins.campaigns.service.campaigns import allowed, now_of
from plugins.campaigns.states import State, Transition, forbidden
from voicera import Connection, Resources

ATTEMPTS = 3
ACTIVE = "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A transition that is wanted of one campaign, if it has one of these versions (any, for None)."""

    owner_id: UUID
    campaign_id: UUID
    transition: Transition
    versions: Sequence[str] | None = None


async def move(resources: Resources, wanted: Move) -> Stored:
    """Make a transition and tell the plugins.

    Raises CampaignNotFound, PreconditionFailed, the transition's error with the rule that forbids it, and what a
    plugin's veto raises.
    """

    async def work() -> Stored:
        async with resources.db.tx() as connection:
            moved, event = await apply(resources, connection, wanted)
        tell(resources, wanted.transition, event)
        return moved

    # Whoever hangs up meanwhile: what has been committed is told.
    return await resources.background.finish(f"campaign {wanted.transition.action}", work())


async def apply(resources: Resources, connection: Connection, wanted: Move) -> tuple[Stored, CampaignEvent]:
    """Make a transition in the caller's transaction; what became of it, and the event for `tell` after the commit.

    What is read before the UPDATE says which agent to keep, what is read after it why nothing was changed; where
    the campaign changed between the two, it is tried again. Raises as `move`.
    """
    now = now_of(resources)
    transition, whose = wanted.transition, (wanted.owner_id, wanted.campaign_id)
    for _ in range(ATTEMPTS):
        agent_id = None
        if "agent" in transition.rules:
            state = _refuse(await campaigns.state(connection, *whose), wanted, now)
            agent_id = state.agent_id
            await _keep_active(resources, connection, wanted, agent_id)
        moved = await moves.move(connection, *whose, transition, now, versions=wanted.versions, agent_id=agent_id)
        if moved is not None:
            if transition.activates:
                moved = await _ask(resources, connection, wanted, now, moved)
            event = _event(wanted, now, moved.state)
            await resources.hooks.within("campaign_moving", resources=resources, connection=connection, campaign=event)
            return moved, event
        _refuse(await campaigns.state(connection, *whose), wanted, now)
    raise transition.error("it is being changed at this moment")


async def _ask(resources: Resources, connection: Connection, wanted: Move, now: datetime, moved: Stored) -> Stored:
    """Ask the plugins whether the campaign may become active, and whom it must not call; how it stands then."""
    event = _event(wanted, now, moved.state)
    numbers = suppression.Numbers(connection, wanted.owner_id, wanted.campaign_id)
    await resources.hooks.within(
        "campaign_launching", resources=resources, connection=connection, campaign=event, numbers=numbers
    )
    return await numbers.drop(now, wanted.transition.error) or moved


def tell(resources: Resources, transition: Transition, event: CampaignEvent) -> None:
    """Let the plugins hear of a transition that has been committed."""
    resources.hooks.after(resources.background, transition.event, resources=resources, campaign=event)


async def _keep_active(resources: Resources, connection: Connection, wanted: Move, agent_id: UUID) -> None:
    """See to it that the agent is active until the transaction ends, or raise the transition's error."""
    status = await resources.hooks.first(
        "agent_status", connection=connection, owner_id=wanted.owner_id, agent_id=agent_id
    )
    if status not in (None, ACTIVE):  # None: nobody keeps agents here, so nobody can contradict
        raise wanted.transition.error(f"its agent is {status}, not {ACTIVE}")


def _refuse(state: State | None, wanted: Move, now: datetime) -> State:
    """The state, where it allows the transition; else raise with the reason."""
    there = allowed(state, wanted.versions)
    if reason := forbidden(wanted.transition, there, now):
        raise wanted.transition.error(reason)
    return there


def _event(wanted: Move, now: datetime, state: State) -> CampaignEvent:
    facts = {name: value for name, value in state._asdict().items() if name != "version"}
    return CampaignEvent(
        owner_id=wanted.owner_id, id=wanted.campaign_id, action=wanted.transition.action, at=now, **facts
    )
