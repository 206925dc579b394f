"""What this plugin publishes: two events around the recording of calls, and the questions that it asks."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from plugins.calls.schemas import NewCall
from voicera import Connection, Resources, hookspec


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call log as it was recorded: its id, and what was sent (with `created_at` filled in)."""

    id: UUID
    log: NewCall


@dataclass(frozen=True, slots=True)
class CallsRecorded:
    """New call logs of one owner, in the order in which they were sent; duplicates are not among them."""

    owner_id: UUID
    calls: tuple[RecordedCall, ...]


@hookspec
async def calls_recording(connection: Connection, batch: CallsRecorded) -> None:
    """Act inside the transaction that records these calls; raise an ApiError to refuse the whole batch."""


@hookspec
async def calls_recorded(resources: Resources, batch: CallsRecorded) -> None:
    """Hear of calls that have been recorded, after their transaction has committed."""


@hookspec
async def known_agents(connection: Connection, owner_id: UUID, agent_ids: frozenset[UUID]) -> frozenset[UUID] | None:
    """Say which of these agents are the owner's; None if you keep no agents."""


@hookspec
async def known_campaigns(
    connection: Connection, owner_id: UUID, campaign_ids: frozenset[UUID]
) -> frozenset[UUID] | None:
    """Say which of these campaigns are the owner's; None if you keep no campaigns."""
