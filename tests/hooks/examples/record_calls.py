"""Takes calls in as CSV, with the names of the fields in the first line, by a route of its own."""

import csv
from collections.abc import Sequence

from plugins.calls.hookspecs import RecordedReport
from voicera import Blueprint, InvalidFields, Reply, Request, hookimpl, reply, requires

blueprint = Blueprint("/calls.csv", tag="Calls as CSV")
MOST_BYTES = 1 << 20


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [blueprint]


@blueprint.post(streamed_body=bytes, media=("text/csv",), returns=int, status=201, raises=(InvalidFields,))
@requires("calls:write")
async def record_csv(request: Request) -> Reply:
    """Record calls, all or none; answer how many are new."""
    await request.read_body(MOST_BYTES)
    lines = request.body.decode(errors="replace").splitlines()
    logs = [{name: value for name, value in row.items() if name and value} for row in csv.DictReader(lines)]
    resources, owner_id = request.resources, request.principal.owner_id
    report: RecordedReport = await resources.hooks.first(
        "record_calls", resources=resources, owner_id=owner_id, logs=logs
    )
    return reply(report.created, status=201)
