"""Conditional requests (RFC 9110, section 13) for resources that count their versions: `ETag: "3"`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from core.errors import BadRequest
from core.http.request import Request

ANY = "*"
# One member of the list, which may be empty (RFC 9110, section 5.6.1). No two parts can match the same blanks.
MEMBER = re.compile(r'[ \t]*(?:(?P<weak>W/)?"(?P<tag>[^\x00-\x20"\x7f]*)"[ \t]*)?(?:,|\Z)')


def etag(version: int | str) -> str:
    """The strong entity tag of a version, or of a digest in hexadecimal."""
    return f'"{version}"'


def if_match(request: Request) -> list[str] | None:
    """The versions that `If-Match` allows, as text; None where any will do (no such header, or `*`).

    A weak tag never matches (RFC 9110, section 13.1.1). Raises BadRequest for a malformed header.
    """
    value = _header(request, "if-match")
    if value is None or value == ANY:
        return None
    return [tag for weak, tag in _tags(value, "If-Match") if not weak]


def if_none_match(request: Request, version: int | str) -> bool:
    """True if the client has this version already, as `If-None-Match` says: the answer is 304.

    Weak tags match too (RFC 9110, section 13.1.2). Raises BadRequest for a malformed header.
    """
    value = _header(request, "if-none-match")
    if value is None or value == ANY:
        return value == ANY
    return str(version) in [tag for _, tag in _tags(value, "If-None-Match")]


def _header(request: Request, name: str) -> str | None:
    lines = request.headers.getall(name, None)
    return ",".join(lines).strip(" \t") if lines else None


def _tags(value: str, header: str) -> Iterator[tuple[bool, str]]:
    position = found = 0
    while position < len(value):
        member = MEMBER.match(value, position)
        if member is None:
            break
        position = member.end()
        if member["tag"] is not None:
            found += 1
            yield member["weak"] is not None, member["tag"]
    if position < len(value) or not found:
        raise BadRequest(f'{header} must be * or a list of entity tags such as "3"')
