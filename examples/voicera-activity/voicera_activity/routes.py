"""The routes of `/activity`."""

from __future__ import annotations

from voicera import Blueprint, Page, Reply, Request, reply, requires

from voicera_activity import service
from voicera_activity.schemas import CARD_ROW, ENTRY, ActivityEntry, ActivityQuery, CardRow

READ = "activity:read"

blueprint = Blueprint("/activity")


@blueprint.get(
    query=ActivityQuery,
    returns=Page[ActivityEntry],
    examples={"reply": {"total": 1, "skip": 0, "limit": 50, "items": [ENTRY]}},
)
@requires(READ)
async def list_activity(request: Request) -> Reply:
    """List what happened in your account lately, newest first."""
    wanted = request.query(ActivityQuery)
    return reply(await service.page(request.resources, request.principal.owner_id, wanted))


@blueprint.get("/card", returns=list[CardRow], examples={"reply": [CARD_ROW]})
@requires(READ)
async def show_card(request: Request) -> Reply:
    """Get the newest entries as the card on the dashboard shows them."""
    return reply(await service.card(request.resources, request.principal.owner_id))
