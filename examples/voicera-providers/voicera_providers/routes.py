"""The routes of `/provider-connections`."""

from typing import Any
from uuid import UUID

from voicera import Blueprint, InvalidFields, Page, Paging, Reply, Request, Unauthenticated, public, reply, requires

from voicera_providers import service
from voicera_providers.errors import ConnectionNotFound, TooManyConnections
from voicera_providers.schemas import (
    CREATE_EXAMPLE,
    MESSAGE_EXAMPLE,
    SECRET_EXAMPLE,
    VIEW_EXAMPLE,
    ConnectionView,
    ConnectionWithSecret,
    NewConnection,
    Received,
)

READ, WRITE = "providers:read", "providers:write"
MOST_MESSAGE = 4 << 20  # a transcript several times over: as text, as turns, word by word

blueprint = Blueprint("/provider-connections")


@blueprint.post(
    body=NewConnection,
    returns=ConnectionWithSecret,
    status=201,
    raises=(TooManyConnections, InvalidFields),
    headers={"Location": "The path of the new connection."},
    examples={"body": CREATE_EXAMPLE, "reply": SECRET_EXAMPLE},
)
@requires(WRITE)
async def create_connection(request: Request) -> Reply:
    """Connect an account at Vapi or Retell. For Vapi, the answer is the only one that shows the secret."""
    new = request.decode(NewConnection)
    made = await service.create(request.resources, request.principal.owner_id, new)
    return reply(made, 201, {"Location": f"/provider-connections/{made['id']}"})


@blueprint.get(query=Paging, returns=Page[ConnectionView])
@requires(READ)
async def list_connections(request: Request) -> Reply:
    """List your connections, newest first."""
    wanted = request.query(Paging)
    return reply(await service.page(request.resources, request.principal.owner_id, wanted))


@blueprint.get(
    "/{connection_id}", returns=ConnectionView, raises=(ConnectionNotFound,), examples={"reply": VIEW_EXAMPLE}
)
@requires(READ)
async def get_connection(request: Request, connection_id: UUID) -> Reply:
    """Get one of your connections."""
    return reply(await service.get(request.resources, request.principal.owner_id, connection_id))


@blueprint.delete("/{connection_id}", status=204, raises=(ConnectionNotFound,))
@requires(WRITE)
async def delete_connection(request: Request, connection_id: UUID) -> Reply:
    """Delete a connection: what the provider sends from now on is refused. The calls stay."""
    await service.delete(request.resources, request.principal.owner_id, connection_id)
    return reply(status=204)


@blueprint.post(
    "/{connection_id}/events",
    body=Any,
    returns=Received,
    limit="providers",
    max_body=MOST_MESSAGE,
    raises=(Unauthenticated, InvalidFields),
    request_headers={
        "X-Retell-Signature": "From Retell: when it was sent, and its signature. It is good for five minutes.",
        "X-Vapi-Secret": "From Vapi: the connection's secret, which may come as `Authorization: Bearer` too.",
    },
    hooks=("calls_recording",),
    examples={"body": MESSAGE_EXAMPLE, "reply": {"received": 1, "created": 1, "duplicates": 0}},
)
@public
async def receive_event(request: Request, connection_id: UUID) -> Reply:
    """Take what a provider sends at the end of a call; the providers call this.

    Only the report at the end of a call is recorded, once however often it is sent; other messages are answered and
    forgotten. A connection that does not exist answers as a wrong secret. The answer is sent after the commit.
    """
    owner_id, provider = await service.sender_of(request.resources, connection_id, request.headers, request.body)
    payload = request.decode(Any)  # after the check: nobody else's JSON is looked at
    return reply(await service.record(request.resources, owner_id, connection_id, provider, payload))
