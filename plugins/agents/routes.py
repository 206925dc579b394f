"""The routes of `/agents`."""

from __future__ import annotations

from uuid import UUID

from plugins.agents import schemas, service
from plugins.agents.errors import AgentExists, AgentNotFound
from plugins.agents.schemas import AgentChange, AgentItem, AgentQuery, AgentView, NewAgent
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

READ, WRITE = "agents:read", "agents:write"
ETAG = {"ETag": "The agent's version; send it as If-Match to change only that version."}
LOCATION = {"Location": "The path of the new agent."}

blueprint = Blueprint("/agents")


@blueprint.get(query=AgentQuery, returns=Page[AgentItem], examples={"reply": schemas.LIST_EXAMPLE})
@requires(READ)
async def list_agents(request: Request) -> Reply:
    """List your agents, newest first unless `sort` says otherwise."""
    wanted = request.query(AgentQuery)
    return reply(await service.page(request.resources, request.principal.owner_id, wanted))


@blueprint.post(
    body=NewAgent,
    returns=AgentView,
    status=201,
    raises=(AgentExists, IdempotencyConflict),
    headers={**ETAG, **LOCATION},
    examples={"body": schemas.CREATE_EXAMPLE, "reply": schemas.VIEW_EXAMPLE},
)
@requires(WRITE)
async def create_agent(request: Request) -> Reply:
    """Create an agent. Only the name is required; the status is `active`, every other field null unless given."""
    new = request.decode(NewAgent)
    agent_id, made = await service.create(request.resources, request.principal.owner_id, new)
    headers = {"ETag": etag(made.version), "Location": f"/agents/{agent_id}"}
    return reply(Fragment(made.resource), 201, headers)


@blueprint.get(
    "/{agent_id}",
    returns=AgentView,
    raises=(AgentNotFound, BadRequest),
    headers=ETAG,
    examples={"reply": schemas.VIEW_EXAMPLE},
)
@requires(READ)
async def get_agent(request: Request, agent_id: UUID) -> Reply:
    """Get one of your agents; 304 where `If-None-Match` names the version that it has."""
    found = await service.get(request.resources, request.principal.owner_id, agent_id)
    headers = {"ETag": etag(found.version)}
    if if_none_match(request, found.version):
        return raw(b"", status=304, content_type="application/json", headers=headers)
    return reply(Fragment(found.resource), headers=headers)


CHANGING = {
    "body": AgentChange,
    "returns": AgentView,
    "raises": (AgentNotFound, AgentExists, PreconditionFailed),
    "headers": ETAG,
    "examples": {"body": schemas.CHANGE_EXAMPLE, "reply": schemas.CHANGED_EXAMPLE},
}


@blueprint.put("/{agent_id}", **CHANGING)
@blueprint.patch("/{agent_id}", **CHANGING)
@requires(WRITE)
async def update_agent(request: Request, agent_id: UUID) -> Reply:
    """Change the fields given and leave the rest; null clears a field that may be null. PUT and PATCH do the same."""
    change, versions = request.decode(AgentChange), if_match(request)
    changed = await service.update(request.resources, request.principal.owner_id, agent_id, change, versions)
    return reply(Fragment(changed.resource), headers={"ETag": etag(changed.version)})


@blueprint.delete(
    "/{agent_id}", status=204, raises=(AgentNotFound, PreconditionFailed, BadRequest), hooks=("agent_deleting",)
)
@requires(WRITE)
async def delete_agent(request: Request, agent_id: UUID) -> Reply:
    """Delete an agent. One that is still in use, by a live campaign for example, stays: 409."""
    await service.delete(request.resources, request.principal.owner_id, agent_id, if_match(request))
    return reply(status=204)
