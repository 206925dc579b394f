"""Cursors of the list: where a page ended, bound to the filters it was read with.

A cursor is opaque to clients and validated here. It needs no signature: all that it can say is a place among the
owner's own calls, since the owner comes from the credentials.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import fields
from uuid import UUID

from plugins.calls.hookspecs import CallQuery
from voicera import BadRequest, FieldError

ID_BYTES = 16
CHECK_BYTES = 8


def write(last: UUID, query: CallQuery) -> str:
    """The cursor of the page that follows the call `last`."""
    return base64.urlsafe_b64encode(last.bytes + _check(last.bytes, query)).decode()


def read(cursor: str, query: CallQuery) -> UUID:
    """The call after which the page begins; raises BadRequest for a cursor of other filters, or none of ours."""
    try:
        data = base64.b64decode(cursor, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        data = b""
    identifier, check = data[:ID_BYTES], data[ID_BYTES:]
    if len(data) != ID_BYTES + CHECK_BYTES or check != _check(identifier, query):
        message = "is not the next_cursor of a page with the same filters"
        raise BadRequest([FieldError(field="cursor", message=message)])
    return UUID(bytes=identifier)


def _check(identifier: bytes, query: CallQuery) -> bytes:
    """What binds a cursor to the owner and filters of its query."""
    values = [str(getattr(query, field.name)) for field in fields(query) if field.name != "extra"]
    values += [f"{extra.name}={value}" for extra, value in query.extra]
    text = repr(values)
    return hashlib.blake2b(identifier + text.encode(), digest_size=CHECK_BYTES).digest()
