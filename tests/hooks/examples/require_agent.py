"""Lets campaigns use the agents that every customer has from the start, and no others.

For a service without the plugin `agents`: only one plugin answers.
"""

from collections.abc import Sequence
from uuid import UUID, uuid5

from voicera import ApiError, hookimpl

STOCK = ("reception", "sales", "support")


class NoSuchStockAgent(ApiError):
    """There is no such agent."""

    code, status = "STOCK_001", 404
    raised_in = ("require_agent",)


@hookimpl
def register_errors() -> Sequence[type[ApiError]]:
    return [NoSuchStockAgent]


@hookimpl
async def require_agent(owner_id: UUID, agent_id: UUID) -> bool:
    if agent_id not in {uuid5(owner_id, name) for name in STOCK}:
        raise NoSuchStockAgent(f"there are {', '.join(STOCK)}")
    return True  # these are never deleted, so nothing needs to be locked
