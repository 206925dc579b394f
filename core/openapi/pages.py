"""What is served: `/openapi.json`, and `/docs` with its assets. All of it is made at the start and kept in memory.

The page is Swagger UI, kept in `assets/`: it loads nothing from elsewhere, and its CSP (CSP Level 3) would not let it.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from core.errors import ErrorCatalogue, NoSuchRoute
from core.http.blueprint import JSON, Blueprint, Route
from core.http.reply import Reply, encode, raw
from core.http.request import Request
from core.openapi.document import build
from core.security import public

ASSETS = Path(__file__).parent / "assets"
SERVED = {"docs.js": "text/javascript", "swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
PAGE = "docs.html"
FOR_EVER = "public, max-age=31536000, immutable"
REVALIDATE = "public, no-cache"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
PAGE_HEADERS = {"Content-Security-Policy": CSP, "Referrer-Policy": "no-referrer"}
CACHING = {"ETag": "Changes with the content.", "Cache-Control": "How long it may be kept."}

blueprint = Blueprint(tag="Documentation")


class Content:
    """Bytes with their type, ETag (RFC 9110, section 8.8.3) and, once asked for, their gzip form."""

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


class Documents:
    """The OpenAPI document of an application, and the page that shows it.

    An asset's name as served carries a part of its hash, so that browsers may keep it for ever.
    """

    def __init__(self, routes: Sequence[Route], errors: ErrorCatalogue) -> None:
        self.document = build(routes, errors)
        self.json = Content(encode(self.document), JSON, REVALIDATE)
        self.assets: dict[str, Content] = {}
        page = (ASSETS / PAGE).read_text(encoding="utf-8")
        for name, media in SERVED.items():
            content = Content((ASSETS / name).read_bytes(), f"{media}; charset=utf-8", FOR_EVER)
            stem, _, suffix = name.rpartition(".")
            served = f"{stem}-{content.digest}.{suffix}"
            self.assets[served] = content
            page = page.replace(f"/docs/assets/{name}", f"/docs/assets/{served}")
        self.page = Content(page.encode(), "text/html; charset=utf-8", REVALIDATE, PAGE_HEADERS)


@blueprint.get("/openapi.json", bare=True, headers=CACHING)
@public
async def document(request: Request) -> Reply:
    """Get this document.

    OpenAPI 3.1 with JSON Schema 2020-12, made from the same declarations that validate the requests.
    """
    return await _documents(request).json.reply(request)


@blueprint.get("/docs", reply_media="text/html", headers=CACHING)
@public
async def page(request: Request) -> Reply:
    """Show this document as a page on which every operation can be tried."""
    return await _documents(request).page.reply(request)


@blueprint.get(
    "/docs/assets/{name}",
    reply_media="text/*",
    raises=(NoSuchRoute,),
    headers=CACHING,
)
@public
async def asset(request: Request, name: str) -> Reply:
    """Get a script or style sheet of the page."""
    content = _documents(request).assets.get(name)
    if content is None:
        raise NoSuchRoute
    return await content.reply(request)


def _documents(request: Request) -> Documents:
    found: Documents = request.app.ctx.openapi
    return found


def _accepted(header: str) -> set[str]:
    """The codings of Accept-Encoding (RFC 9110, section 12.5.3) that are not refused with `q=0`."""
    parts = [part.replace(" ", "").lower().partition(";q=") for part in header.split(",")]
    return {name for name, _, weight in parts if weight.rstrip("0.") != "" or not weight}


def _has(header: str, digest: str) -> bool:
    """Whether If-None-Match names this content, in whatever coding (RFC 9110, section 13.1.2)."""
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}
    return bool(tags & {digest, f"{digest}-gzip", "*"})
