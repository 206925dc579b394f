"""What the agents publish to other plugins."""

from __future__ import annotations

from uuid import UUID

from voicera import Connection, hookspec


@hookspec
async def agent_deleting(connection: Connection, owner_id: UUID, agent_id: UUID) -> None:
    """Veto the deletion of an agent by raising an ApiError, or delete what hangs on it, in the deleting transaction.

    The agent's row still stands, and is locked until that transaction ends.
    """
