"""What the agents publish to other plugins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from voicera import Connection, Resources, hookspec


@dataclass(frozen=True, slots=True)
class AgentChange:
    """What happened to an agent, and the agent after that as `GET /agents/{agent_id}` shows it, None if it was deleted.

    `version` counts its states from 1; of a deleted one it is the last that there was.
    """

    id: UUID
    action: Literal["created", "changed", "deleted"]
    version: int
    agent: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class AgentsChanged:
    """Agents of one owner that changed together."""

    owner_id: UUID
    changes: tuple[AgentChange, ...]


@hookspec
async def agent_deleting(resources: Resources, connection: Connection, owner_id: UUID, agent_id: UUID) -> None:
    """Veto the deletion of an agent by raising an ApiError, or delete what hangs on it, in the deleting transaction.

    Called *within* that transaction. The agent's row still stands, and is locked until the transaction ends; any
    error rolls it back.
    """


@hookspec
async def agents_changed(resources: Resources, event: AgentsChanged) -> None:
    """Hear of agents that have been created, changed or deleted.

    Called *after* the commit, in the background, in no transaction; an error or a hang is logged with your plugin's
    name, and nobody else notices. Two changes of one agent may be told in either order: its `version` says which is
    the later.
    """
