"""Reading call logs: one of them, pages of them with their exact total, and all of them for an export."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any
from uuid import UUID

import msgspec

from plugins.calls.errors import CallNotFound
from plugins.calls.hookspecs import CallQuery, ExtraFilters
from plugins.calls.queries import calls, listing
from plugins.calls.queries.calls import Stored
from plugins.calls.schemas.listing import CallFilters, CallListing, CallPage
from plugins.calls.service import cursors, pages
from plugins.calls.service.filters import conditions_of, query_of
from plugins.calls.service.pages import Asked
from plugins.calls.service.recordings import recording_url
from voicera import BadRequest, FieldError, Fragment, Resources, encode

SLICE = 500
NO_RECORDING = '"recording_url":null'


async def get_call(resources: Resources, owner_id: UUID, call_id: UUID) -> Fragment:
    """One call log as JSON; raises CallNotFound, also for another owner's."""
    found = await resources.db.reading(lambda connection: calls.get_call(connection, owner_id, call_id))
    if found is None:
        raise CallNotFound
    return await shown(resources, owner_id, call_id, found)


async def read_call(resources: Resources, owner_id: UUID, call_id: UUID) -> dict[str, Any] | None:
    """One call log as clients see it, decoded; None if the owner has no such call."""
    try:
        shown = await get_call(resources, owner_id, call_id)
    except CallNotFound:
        return None
    found: dict[str, Any] = msgspec.json.decode(encode(shown))
    return found


async def shown(resources: Resources, owner_id: UUID, call_id: UUID, call: Stored) -> Fragment:
    """A call log as clients see it: with an address of its recording, if it has one."""
    if call.object_key is None:
        return Fragment(call.detail)
    url = await recording_url(resources, owner_id, call_id, call.object_key)
    # Quotes within values are escaped, so the first of these is the column.
    return Fragment(call.detail.replace(NO_RECORDING, f'"recording_url":{encode(url).decode()}', 1))


async def list_calls(resources: Resources, owner_id: UUID, wanted: CallListing, extra: ExtraFilters = ()) -> CallPage:
    """A page of call logs, newest first, with the exact total of all that match; raises BadRequest."""
    if wanted.cursor is not None and wanted.skip:
        raise BadRequest([FieldError(field="skip", message="cannot be given together with cursor")])
    query = query_of(owner_id, wanted, extra)
    after = cursors.read(wanted.cursor, query) if wanted.cursor is not None else None
    found = await resources.db.reading(
        lambda connection: pages.find(Asked(resources, connection, query, wanted, after))
    )
    return CallPage(
        total=found.total,
        skip=wanted.skip,
        limit=wanted.limit,
        items=Fragment(found.items),
        next_cursor=None if found.next_after is None else cursors.write(found.next_after, query),
    )


def export_calls(
    resources: Resources, owner_id: UUID, wanted: CallFilters, before: UUID | None, extra: ExtraFilters = ()
) -> AsyncIterator[bytes]:
    """Every whole call log that matches, newest first, as lines of JSON, some hundreds at a time; raises BadRequest.

    With `before`, those that come after that call.
    """
    query = query_of(owner_id, wanted, extra)
    return _export(resources, query, before)


async def _export(resources: Resources, query: CallQuery, before: UUID | None) -> AsyncIterator[bytes]:
    conditions = conditions_of(query)
    if query.external_id is not None:
        conditions += await resources.db.reading(lambda connection: pages.of_external_id(connection, query))
    while True:
        bounds = [("to_id", before)] if before is not None else []
        read = partial(listing.export_slice, conditions=[*conditions, *bounds], limit=SLICE)
        found = await resources.db.reading(read)
        if found:
            yield "".join(f"{line}\n" for line, _ in found).encode()
        if len(found) < SLICE:
            return
        before = found[-1][1]
