"""Content that does not change while a worker runs: pages, scripts, documents. It is kept in memory."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from functools import cached_property

from core.http.reply import Reply, raw
from core.http.request import Request


class Content:
    """Bytes with their type, ETag (RFC 9110, section 8.8.3) and, once asked for, their gzip form.

    `caching` is the Cache-Control of the answer, `headers` are further ones; `digest` names the content.
    """

    def __init__(self, body: bytes, media: str, caching: str, headers: dict[str, str] | None = None) -> None:
        self.body = body
        self.media = media
        self.digest = hashlib.sha256(body).hexdigest()[:16]
        self._headers = {"Cache-Control": caching, "Vary": "Accept-Encoding", **(headers or {})}

    @cached_property
    def packed(self) -> bytes:
        """The body as gzip (RFC 1952)."""
        return gzip.compress(self.body, compresslevel=6, mtime=0)

    async def reply(self, request: Request) -> Reply:
        """Answer with the content: packed for who takes that, 304 for who has it."""
        packs = "gzip" in _accepted(request.headers.getone("accept-encoding", ""))
        tag = f'"{self.digest}-gzip"' if packs else f'"{self.digest}"'
        headers = {**self._headers, "ETag": tag}
        if _has(request.headers.getone("if-none-match", ""), self.digest):
            return raw(b"", self.media, 304, headers)
        if not packs:
            return raw(self.body, self.media, 200, headers)
        body = await asyncio.to_thread(lambda: self.packed)  # the first time takes 60 ms for the largest asset
        return raw(body, self.media, 200, {**headers, "Content-Encoding": "gzip"})


def _accepted(header: str) -> set[str]:
    """The codings of Accept-Encoding (RFC 9110, section 12.5.3) that are not refused with `q=0`."""
    parts = [part.replace(" ", "").lower().partition(";q=") for part in header.split(",")]
    return {name for name, _, weight in parts if weight.rstrip("0.") != "" or not weight}


def _has(header: str, digest: str) -> bool:
    """Whether If-None-Match names this content, in whatever coding (RFC 9110, section 13.1.2)."""
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}
    return bool(tags & {digest, f"{digest}-gzip", "*"})
