"""The routes of `/campaigns`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from plugins.campaigns import schemas, states
from plugins.campaigns.errors import CampaignNotFound, StateForbids
from plugins.campaigns.schemas import (
    CampaignChange,
    CampaignQuery,
    CampaignView,
    NewCampaign,
    NumbersQuery,
    SuppressedView,
)
from plugins.campaigns.service import campaigns, suppression, transitions
from plugins.campaigns.service.transitions import Move
from plugins.campaigns.states import Transition
from voicera import (
    BadRequest,
    Blueprint,
    Fragment,
    IdempotencyConflict,
    Page,
    PreconditionFailed,
    Reply,
    Request,
    etag,
    if_match,
    if_none_match,
    raw,
    reply,
    requires,
)

READ, WRITE = "campaigns:read", "campaigns:write"
ETAG = {"ETag": "The campaign's version; send it as If-Match to change only that version."}
LOCATION = {"Location": "The path of the new campaign."}
BODY_BYTES = 4 * 1024 * 1024  # 100,000 phone numbers, generously written

blueprint = Blueprint("/campaigns")


@blueprint.get(query=CampaignQuery, returns=Page[CampaignView], examples={"reply": schemas.LIST_EXAMPLE})
@requires(READ)
async def list_campaigns(request: Request) -> Reply:
    """List your campaigns, newest first, each with at most the first 100 of its phone numbers."""
    wanted = request.query(CampaignQuery)
    return reply(await campaigns.page(request.resources, request.principal.owner_id, wanted))


@blueprint.post(
    body=NewCampaign,
    returns=CampaignView,
    status=201,
    raises=(IdempotencyConflict,),
    headers={**ETAG, **LOCATION},
    examples={"body": schemas.CREATE_EXAMPLE, "reply": schemas.VIEW_EXAMPLE},
    max_body=BODY_BYTES,
    hooks=("require_agent",),
)
@requires(WRITE)
async def create_campaign(request: Request) -> Reply:
    """Create a campaign: a draft. Only the name and the agent are required.

    What is missing can follow until it is launched; its times may lie in the past.
    """
    new = request.decode(NewCampaign)
    campaign_id, made = await campaigns.create(request.resources, request.principal.owner_id, new)
    headers = {"ETag": etag(made.state.version), "Location": f"/campaigns/{campaign_id}"}
    return reply(Fragment(made.resource), 201, headers)


@blueprint.get(
    "/{campaign_id}",
    returns=CampaignView,
    raises=(CampaignNotFound, BadRequest),
    headers=ETAG,
    examples={"reply": schemas.VIEW_EXAMPLE},
)
@requires(READ)
async def get_campaign(request: Request, campaign_id: UUID) -> Reply:
    """Get one of your campaigns; 304 where `If-None-Match` names the version that it has."""
    found = await campaigns.get(request.resources, request.principal.owner_id, campaign_id)
    headers = {"ETag": etag(found.state.version)}
    if if_none_match(request, found.state.version):
        return raw(b"", status=304, content_type="application/json", headers=headers)
    return reply(Fragment(found.resource), headers=headers)


@blueprint.get(
    "/{campaign_id}/phone-numbers",
    query=NumbersQuery,
    returns=Page[str],
    raises=(CampaignNotFound,),
    examples={"reply": schemas.NUMBERS_EXAMPLE},
)
@requires(READ)
async def list_phone_numbers(request: Request, campaign_id: UUID) -> Reply:
    """List a campaign's phone numbers, in the order in which they were given."""
    wanted = request.query(NumbersQuery)
    return reply(await campaigns.numbers(request.resources, request.principal.owner_id, campaign_id, wanted))


@blueprint.get(
    "/{campaign_id}/suppressed-numbers",
    query=NumbersQuery,
    returns=Page[SuppressedView],
    raises=(CampaignNotFound,),
    examples={"reply": schemas.SUPPRESSED_EXAMPLE},
)
@requires(READ)
async def list_suppressed_numbers(request: Request, campaign_id: UUID) -> Reply:
    """List the phone numbers that were taken out of a campaign when it became active, and why, by number.

    `phone_numbers` and `phone_number_count` leave them out. One that a change gives again is asked about again.
    """
    wanted = request.query(NumbersQuery)
    return reply(await suppression.page(request.resources, request.principal.owner_id, campaign_id, wanted))


CHANGING: dict[str, Any] = {
    "body": CampaignChange,
    "returns": CampaignView,
    "raises": (CampaignNotFound, StateForbids, PreconditionFailed),
    "headers": ETAG,
    "examples": {"body": schemas.CHANGE_EXAMPLE, "reply": schemas.CHANGED_EXAMPLE},
    "max_body": BODY_BYTES,
    "hooks": ("require_agent",),
}


@blueprint.put("/{campaign_id}", **CHANGING)
@blueprint.patch("/{campaign_id}", **CHANGING)
@requires(WRITE)
async def update_campaign(request: Request, campaign_id: UUID) -> Reply:
    """Change the fields given and leave the rest; null clears a field that may be null. PUT and PATCH do the same.

    A draft may change in everything, an ended campaign in its name alone; `phone_numbers` replaces all of them.
    """
    change, versions = request.decode(CampaignChange), if_match(request)
    changed = await campaigns.update(request.resources, request.principal.owner_id, campaign_id, change, versions)
    return reply(Fragment(changed.resource), headers={"ETag": etag(changed.state.version)})


@blueprint.delete("/{campaign_id}", status=204, raises=(CampaignNotFound, StateForbids, PreconditionFailed, BadRequest))
@requires(WRITE)
async def delete_campaign(request: Request, campaign_id: UUID) -> Reply:
    """Delete a campaign and its phone numbers. A live one is stopped first: else 409. Its calls stay."""
    await campaigns.delete(request.resources, request.principal.owner_id, campaign_id, if_match(request))
    return reply(status=204)


def _moving(transition: Transition) -> dict[str, Any]:
    """What the routes of transitions have in common."""
    return {
        "returns": CampaignView,
        "raises": (CampaignNotFound, transition.error, PreconditionFailed, BadRequest),
        "headers": ETAG,
        "examples": {"reply": schemas.moved_example(transition.to, transition.stamp)},
        "hooks": ("campaign_launching",) if transition.activates else (),
    }


async def _move(request: Request, campaign_id: UUID, transition: Transition) -> Reply:
    owner_id, versions = request.principal.owner_id, if_match(request)
    wanted = Move(owner_id=owner_id, campaign_id=campaign_id, transition=transition, versions=versions)
    moved = await transitions.move(request.resources, wanted)
    return reply(Fragment(moved.resource), headers={"ETag": etag(moved.state.version)})


@blueprint.post("/{campaign_id}/schedule", **_moving(states.SCHEDULE))
@requires(WRITE)
async def schedule_campaign(request: Request, campaign_id: UUID) -> Reply:
    """Let a draft become active by itself at its `start_time`, which lies in the future."""
    return await _move(request, campaign_id, states.SCHEDULE)


@blueprint.post("/{campaign_id}/launch", **_moving(states.LAUNCH))
@requires(WRITE)
async def launch_campaign(request: Request, campaign_id: UUID) -> Reply:
    """Make a draft, scheduled or paused campaign active at once, whatever its `start_time`.

    It needs a phone number, an active agent and an `end_time` in the future; `details` of the error says what lacks.
    Plugins may take phone numbers out: see `GET /campaigns/{campaign_id}/suppressed-numbers`.
    """
    return await _move(request, campaign_id, states.LAUNCH)


@blueprint.post("/{campaign_id}/pause", **_moving(states.PAUSE))
@requires(WRITE)
async def pause_campaign(request: Request, campaign_id: UUID) -> Reply:
    """Pause an active campaign. It still ends at its `end_time`."""
    return await _move(request, campaign_id, states.PAUSE)


@blueprint.post("/{campaign_id}/resume", **_moving(states.RESUME))
@requires(WRITE)
async def resume_campaign(request: Request, campaign_id: UUID) -> Reply:
    """Make a paused campaign active again; it needs what a launch needs."""
    return await _move(request, campaign_id, states.RESUME)


@blueprint.post("/{campaign_id}/stop", **_moving(states.STOP))
@requires(WRITE)
async def stop_campaign(request: Request, campaign_id: UUID) -> Reply:
    """Cancel a campaign for good."""
    return await _move(request, campaign_id, states.STOP)
