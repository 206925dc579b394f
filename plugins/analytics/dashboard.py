"""The dashboard: one page that asks the API for what it shows, and its assets.

The browser is told to run nothing but these files, to write no text as markup (Trusted Types), and to load nothing
from elsewhere (CSP Level 3). Recordings are fetched with the token and played as a `blob:`.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from voicera import Blueprint, Content, NoSuchRoute, Reply, Request, public

FILES = Path(__file__).parent / "page"
PAGE = "dashboard.html"
MEDIA = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
FOR_EVER = "public, max-age=31536000, immutable"
REVALIDATE = "public, no-cache"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; media-src blob:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
PAGE_HEADERS = {
    "Content-Security-Policy": CSP,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
CACHING = {"ETag": "Changes with the content.", "Cache-Control": "How long it may be kept."}

blueprint = Blueprint("/dashboard")


class Dashboard:
    """The page and its assets, read once.

    All assets stand under one folder whose name is a part of their hash: so that browsers may keep them for ever,
    and scripts name each other without knowing it.
    """

    def __init__(self) -> None:
        bodies = {path.name: path.read_bytes() for path in sorted(FILES.iterdir()) if path.suffix in MEDIA}
        hashes = [hashlib.sha256(body).digest() for body in bodies.values()]
        self.version = hashlib.sha256(b"".join(hashes)).hexdigest()[:16]
        self.assets = {name: Content(body, MEDIA[Path(name).suffix], FOR_EVER) for name, body in bodies.items()}
        page = (FILES / PAGE).read_text(encoding="utf-8").replace("/assets/VERSION/", f"/assets/{self.version}/")
        self.page = Content(page.encode(), "text/html; charset=utf-8", REVALIDATE, PAGE_HEADERS)


dashboard = cache(Dashboard)  # made when it is first asked for: importing reads no files


@blueprint.get("", reply_media="text/html", headers=CACHING)
@public
async def show_dashboard(request: Request) -> Reply:
    """Show the dashboard: a page that logs in and asks this API for what it shows."""
    return await dashboard().page.reply(request)


@blueprint.get("/assets/{version}/{name}", reply_media="text/*", raises=(NoSuchRoute,), headers=CACHING)
@public
async def dashboard_asset(request: Request, version: str, name: str) -> Reply:
    """Get a script or style sheet of the dashboard, as the page names it."""
    content = dashboard().assets.get(name) if version == dashboard().version else None
    if content is None:
        raise NoSuchRoute
    return await content.reply(request)
