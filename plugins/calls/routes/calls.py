"""HTTP of the call logs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from plugins.calls.errors import CallConflict, CallFinished, CallNotFound, UnknownSource
from plugins.calls.hookspecs import Delivery
from plugins.calls.schemas import examples
from plugins.calls.schemas.calls import (
    MOST_BODY,
    MOST_LOGS,
    MOST_MESSAGE,
    BatchQuery,
    BatchReport,
    CallChange,
    CallDetail,
    NewCall,
    NewCalls,
)
from plugins.calls.schemas.listing import CallExport, CallListing, CallPage
from plugins.calls.service import changes, ingestion, listing, receiving
from voicera import Blueprint, IdempotencyConflict, Reply, Request, reply, requires, streamed

READ, WRITE = "calls:read", "calls:write"
FILTERS = "register_call_filters"
LOCATION = {"Location": "The path of the call log."}

blueprint = Blueprint("/call-logs", tag="Call logs")


@blueprint.post(
    body=NewCall,
    returns=CallDetail,
    status=201,
    limit="ingest",
    max_body=MOST_BODY,
    raises=(CallConflict, IdempotencyConflict),
    headers=LOCATION,
    also={200: "It was recorded before, and is the same."},
    hooks=("calls_recording",),
    examples={"body": examples.EXAMPLE_CALL, "reply": examples.EXAMPLE_DETAIL},
)
@requires(WRITE)
async def record_call(request: Request) -> Reply:
    """Push in one call log. The answer is sent after the commit.

    Sent again with the same `external_id` and content, it answers 200 with what is there, and creates nothing.
    """
    log = request.decode(NewCall)
    created, call_id, resource = await ingestion.record_call(request.resources, request.principal.owner_id, log)
    return reply(resource, 201 if created else 200, {"Location": f"/call-logs/{call_id}"})


@blueprint.post(
    "/batch",
    streamed_body=NewCalls,
    query=BatchQuery,
    media=("application/json", "application/x-ndjson"),
    returns=BatchReport,
    status=201,
    limit="ingest",
    max_body=MOST_BODY,
    deadline=30,
    raises=(IdempotencyConflict,),
    request_headers={"Content-Encoding": "`gzip` or `zstd`, if the body is."},
    hooks=("calls_recording",),
    examples={"body": [examples.EXAMPLE_CALL], "reply": examples.EXAMPLE_REPORT},
)
@requires(WRITE)
async def record_batch(request: Request) -> Reply:
    """Push in up to 10,000 call logs, all or nothing unless `on_error=skip`.

    A JSON array, or one JSON object a line. A log whose `external_id` is known already is counted as a
    duplicate and changes nothing, so a batch that was not answered can be sent again. The answer is sent
    after the commit.
    """
    skip = request.query(BatchQuery).on_error == "skip"
    logs = await request.read_many(NewCalls, most=MOST_LOGS, limit=MOST_BODY, skip=skip)
    report = await ingestion.record_batch(request.resources, request.principal.owner_id, logs, skip=skip)
    return reply(report, status=201)


@blueprint.post(
    "/from/{source}",
    body=Any,
    returns=BatchReport,
    status=201,
    limit="ingest",
    max_body=MOST_MESSAGE,
    raises=(UnknownSource,),
    also={200: "It holds no call log that was not recorded before."},
    hooks=("calls_receiving", "calls_recording"),
    examples={"body": examples.EXAMPLE_MESSAGE, "reply": examples.EXAMPLE_REPORT},
)
@requires(WRITE)
async def receive_calls(request: Request, source: str) -> Reply:
    """Push in what a provider of voice calls sends by itself, such as a webhook at the end of a call.

    A plugin that knows the source turns the message into call logs; without one it answers CALL_004. They are
    recorded all or nothing, and one whose `external_id` is known is counted as a duplicate, so a message may be sent
    again. The answer is sent after the commit.
    """
    payload, headers = request.decode(Any), receiving.without_credentials(request.headers)
    delivery = Delivery(request.principal.owner_id, source, payload, headers, request.body)
    report = await receiving.receive(request.resources, delivery)
    return reply(report, status=201 if report.created else 200)


@blueprint.get(
    "",
    query=CallListing,
    extra_query=FILTERS,
    returns=CallPage,
    examples={"reply": examples.EXAMPLE_PAGE},
)
@requires(READ)
async def list_calls(request: Request) -> Reply:
    """List call logs, newest first.

    `next_cursor` leads from page to page, at the same cost however far, and right while new calls arrive.
    """
    wanted = request.query(CallListing)
    return reply(await listing.list_calls(request.resources, request.principal.owner_id, wanted, request.extra))


@blueprint.get(
    "/export",
    query=CallExport,
    extra_query=FILTERS,
    returns=list[CallDetail],
    reply_media="application/x-ndjson",
)
@requires(READ)
async def export_calls(request: Request) -> Reply:
    """Export whole call logs, newest first, one JSON object a line.

    An export that broke off goes on with `before`, the id of its last line.
    """
    wanted = request.query(CallExport)
    owner_id = request.principal.owner_id
    lines = listing.export_calls(request.resources, owner_id, wanted, wanted.before, request.extra)
    return streamed(lines, "application/x-ndjson")


@blueprint.get("/{call_id}", returns=CallDetail, raises=(CallNotFound,), examples={"reply": examples.EXAMPLE_DETAIL})
@requires(READ)
async def get_call(request: Request, call_id: UUID) -> Reply:
    """Show a whole call log."""
    return reply(await listing.get_call(request.resources, request.principal.owner_id, call_id))


@blueprint.patch(
    "/{call_id}",
    body=CallChange,
    returns=CallDetail,
    raises=(CallNotFound, CallFinished),
    limit="ingest",
    max_body=MOST_BODY,
    hooks=("calls_changing",),
    examples={"body": examples.EXAMPLE_CHANGE, "reply": examples.EXAMPLE_DETAIL},
)
@requires(WRITE)
async def change_call(request: Request, call_id: UUID) -> Reply:
    """Set later results of a call. The fields given are set, null clears one that may be null, the others stay.

    A finished call never goes back to `queued` or `in_progress`, so that events which arrive late cannot undo a
    result. The analytics follow in the same transaction.
    """
    change = request.decode(CallChange)
    return reply(await changes.change_call(request.resources, request.principal.owner_id, call_id, change))


@blueprint.delete("/{call_id}", status=204, raises=(CallNotFound,), limit="ingest", hooks=("calls_changing",))
@requires(WRITE)
async def delete_call(request: Request, call_id: UUID) -> Reply:
    """Delete a call log and its recording; its `external_id` is free again."""
    await changes.delete_call(request.resources, request.principal.owner_id, call_id)
    return reply(status=204)
