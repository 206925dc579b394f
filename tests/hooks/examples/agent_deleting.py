"""Keeps an agent from being deleted while it talks."""

from collections.abc import Sequence
from uuid import UUID

from voicera import ApiError, Connection, hookimpl

TALKS = "SELECT EXISTS (SELECT FROM call_logs WHERE owner_id = $1 AND agent_id = $2 AND status = 'in_progress')"


class AgentTalks(ApiError):
    """The agent is in a call."""

    code, status = "TALKING_001", 409
    raised_in = ("agent_deleting",)


@hookimpl
def register_errors() -> Sequence[type[ApiError]]:
    return [AgentTalks]


@hookimpl
async def agent_deleting(connection: Connection, owner_id: UUID, agent_id: UUID) -> None:
    if await connection.fetchval(TALKS, owner_id, agent_id):
        raise AgentTalks("wait until it has ended")
