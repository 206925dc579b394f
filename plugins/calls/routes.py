"""HTTP of the call logs."""

from __future__ import annotations

from uuid import UUID

from plugins.calls import service
from plugins.calls.errors import CallNotFound
from plugins.calls.schemas import (
    EXAMPLE_CALL,
    EXAMPLE_DETAIL,
    EXAMPLE_PAGE,
    EXAMPLE_REPORT,
    MOST_BODY,
    MOST_LOGS,
    BatchReport,
    CallDetail,
    CallFilter,
    CallItem,
    NewCalls,
)
from voicera import Blueprint, Page, Reply, Request, reply, requires

blueprint = Blueprint("/call-logs", tag="Call logs")


@blueprint.post(
    "/batch",
    body=NewCalls,
    media=("application/json", "application/x-ndjson"),
    returns=BatchReport,
    status=201,
    limit="ingest",
    max_body=MOST_BODY,
    deadline=30,
    examples={"body": [EXAMPLE_CALL], "reply": EXAMPLE_REPORT},
)
@requires("calls:write")
async def record_batch(request: Request) -> Reply:
    """Push in up to 10,000 call logs, all or nothing.

    A JSON array, or one JSON object a line. A log whose `external_id` is known already is counted as a
    duplicate and changes nothing, so a batch that was not answered can be sent again. The answer is sent
    after the commit.
    """
    logs = request.decode_many(NewCalls, most=MOST_LOGS)
    return reply(await service.record_batch(request.resources, request.principal.owner_id, logs), status=201)


@blueprint.get("", query=CallFilter, returns=Page[CallItem], examples={"reply": EXAMPLE_PAGE})
@requires("calls:read")
async def list_calls(request: Request) -> Reply:
    """List call logs, newest first."""
    wanted = request.query(CallFilter)
    return reply(await service.list_calls(request.resources, request.principal.owner_id, wanted))


@blueprint.get("/{call_id}", returns=CallDetail, raises=(CallNotFound,), examples={"reply": EXAMPLE_DETAIL})
@requires("calls:read")
async def get_call(request: Request, call_id: UUID) -> Reply:
    """Show a whole call log."""
    return reply(await service.get_call(request.resources, request.principal.owner_id, call_id))
