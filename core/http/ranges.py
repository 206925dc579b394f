"""Range requests (RFC 9110, section 14): one range of bytes of something whose size and strong entity tag are known."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from core.errors import RangeNotSatisfiable
from core.http.request import Request

# Other units and several ranges are not malformed: a server may always answer with the whole (14.2).
ONE_RANGE = re.compile(r"bytes=[ \t]*(?:([0-9]{1,18})-([0-9]{1,18})?|-([0-9]{1,18}))[ \t]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Span:
    """Which bytes to answer, both ends included, and the status and headers that say so."""

    first: int
    last: int
    status: int
    headers: dict[str, str] = field(default_factory=dict)


def span_of(request: Request, size: int, tag: str) -> Span:
    """What `Range` and `If-Range` ask for: a part (206), or the whole (200) where they ask for nothing we serve.

    `size` is at least 1; `tag` is the text of the strong ETag, without quotes. Raises RangeNotSatisfiable (416).
    """
    whole = Span(0, size - 1, 200, {"Content-Length": str(size)})
    if request.method != "GET" or request.headers.getone("if-range", f'"{tag}"').strip() != f'"{tag}"':
        return whole
    asked = request.headers.getall("range", [])
    match = ONE_RANGE.fullmatch(asked[0]) if len(asked) == 1 else None
    if match is None:
        return whole
    first, last, suffix = match.groups()
    if suffix is not None:
        begin, end = max(0, size - int(suffix)), size - 1
    else:
        begin, end = int(first), min(size - 1, int(last)) if last is not None else size - 1
        if last is not None and int(last) < begin:
            return whole  # malformed (14.1.1), so as if it were not there
    if begin >= size:
        raise RangeNotSatisfiable(f"there are {size} bytes", headers={"Content-Range": f"bytes */{size}"})
    headers = {"Content-Length": str(end - begin + 1), "Content-Range": f"bytes {begin}-{end}/{size}"}
    return Span(begin, end, 206, headers)
