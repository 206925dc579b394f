"""What is served: `/openapi.json`, and `/docs` with its assets. All of it is made at the start and kept in memory.

The page is Swagger UI, kept in `assets/`: it loads nothing from elsewhere, and its CSP (CSP Level 3) would not let it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.errors import ErrorCatalogue, NoSuchRoute
from core.http.blueprint import JSON, Blueprint, Route
from core.http.content import Content
from core.http.reply import Reply, encode
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
