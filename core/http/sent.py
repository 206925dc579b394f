"""What a request carried, so that the log line of an error can leave it out.

A password in an exception's message has no form to know it by; that the client sent it is enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

SHORTEST = 6  # characters; shorter texts would be found everywhere
MOST = 1_000


def sent_values(headers: Iterable[str], path: str, query: str, body: bytes) -> list[str]:
    """The texts of a request's headers, path, query and JSON or NDJSON body; the longest first, at most 1,000."""
    found = {text for part in path.split("/") for text in (part, unquote(part))}
    found.update(pair.partition("=")[2] for pair in query.split("&"))
    found.update(value for _, value in parse_qsl(query, errors="replace"))
    for value in headers:
        found |= {value, value.rpartition(" ")[2]}  # with `Bearer`, and without
    for text in _texts(_decoded(body)):
        if len(found) >= MOST:
            break
        found.add(text)
    escaped = {repr(text)[1:-1] for text in found}
    return sorted((text for text in found | escaped if len(text) >= SHORTEST), key=len, reverse=True)


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.Decoder().decode_lines(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
