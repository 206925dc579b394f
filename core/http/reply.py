"""Answers: the envelope, and orjson. Every JSON body of the service is made here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

import msgspec
import orjson

JSON_TYPE = "application/json"
PROBLEM_TYPE = "application/problem+json"
OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS
Fragment = orjson.Fragment


@dataclass(slots=True)
class Reply:
    """What a handler answers, before it is wrapped: `data` for the envelope, or `raw` bytes sent as they are.

    `pieces` are bytes that are sent as they come.
    """

    data: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    content_type: str = JSON_TYPE
    pieces: AsyncIterator[bytes] | None = None


def reply(data: Any = None, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    """Answer with `data` (dicts, lists, Structs, `Fragment`s of ready JSON) in the envelope; 204 has no body."""
    return Reply(data, status, headers or {})


def raw(body: bytes, content_type: str, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    """Answer with bytes that are not wrapped: a page, a document."""
    return Reply(None, status, headers or {}, body, content_type)


def streamed(
    pieces: AsyncIterator[bytes], content_type: str, status: int = 200, headers: dict[str, str] | None = None
) -> Reply:
    """Answer with bytes that are sent as they come, at the client's pace, outside of the route's deadline.

    Give a `Content-Length` where it is known: then a client sees that an answer was cut short, which is what
    happens if `pieces` raises. A HEAD request is answered without them.
    """
    return Reply(None, status, headers or {}, None, content_type, pieces)


def encode(data: Any) -> bytes:
    """Serialize with orjson; times become UTC, RFC 3339, milliseconds, `Z`."""
    return orjson.dumps(data, default=_default, option=OPTIONS)


def rfc3339(moment: datetime) -> str:
    """Format an aware datetime as UTC, RFC 3339, with milliseconds and `Z`."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds")[:23] + "Z"


def success(data: Any, now: datetime) -> bytes:
    """The envelope of a good answer, around data that `encode` serializes."""
    return b'{"success":true,"data":' + encode(data) + b',"error":null,"timestamp":"' + rfc3339(now).encode() + b'"}'


def failure(error: dict[str, Any], now: datetime) -> bytes:
    """The envelope of an error."""
    return encode({"success": False, "data": None, "error": error, "timestamp": rfc3339(now)})


def problem(error: dict[str, Any], status: int) -> bytes:
    """The same error as problem details (RFC 9457)."""
    details = error["details"]
    body: dict[str, Any] = {
        "type": f"/errors#{error['code']}",
        "title": error["message"],
        "status": status,
        "code": error["code"],
    }
    body |= {"detail": details} if isinstance(details, str) else {"errors": details} if details else {}
    return encode(body)


def _fields(value: msgspec.Struct) -> dict[str, Any]:
    """A Struct's fields as clients know them: under their encoded names, without those that are UNSET."""
    names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
    return {name: held for field, name in names if (held := getattr(value, field)) is not msgspec.UNSET}


def _default(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, msgspec.Struct):
        return _fields(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and abs(value) < 1 << 53 else float(value)
    if isinstance(value, UUID | PurePath):  # asyncpg has a UUID class of its own
        return str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be made JSON")
