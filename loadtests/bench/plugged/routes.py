"""Four routes that answer the same, with and without a token, with and without a rate limit."""

from __future__ import annotations

from collections.abc import Sequence

from voicera import Blueprint, Reply, Request, hookimpl, public, reply, requires

SCOPE = "calls:read"  # one that every account has

blueprint = Blueprint("/bench")


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    """Serve them."""
    return [blueprint]


@blueprint.get("/plain", limit=None)
@public
async def plain(request: Request) -> Reply:
    """Answer whoever asks."""
    return reply({"status": "ok"})


@blueprint.get("/limited")
@public
async def limited(request: Request) -> Reply:
    """Answer whoever asks, as often as the general limit allows to the client's address."""
    return reply({"status": "ok"})


@blueprint.get("/known", limit=None)
@requires(SCOPE)
async def known(request: Request) -> Reply:
    """Answer who has a token; whether its session was revoked is asked with the limit, and so not here."""
    return reply({"status": "ok"})


@blueprint.get("/both")
@requires(SCOPE)
async def both(request: Request) -> Reply:
    """Answer who has a token, as often as the general limit allows; this is how most routes are declared."""
    return reply({"status": "ok"})
