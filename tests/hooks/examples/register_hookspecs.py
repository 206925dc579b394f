"""Asks other plugins what a call costs its customer, by a hook of its own."""

import sys
from collections.abc import Sequence
from types import ModuleType
from uuid import UUID

from voicera import Blueprint, Reply, Request, Resources, hookimpl, hookspec, reply, requires

blueprint = Blueprint("/call-prices")


@hookspec
async def price_of_call(resources: Resources, owner_id: UUID, call_id: UUID) -> float | None:
    """Say what a call costs. A question (*first*), in no transaction; an error fails the request."""


@hookimpl
def register_hookspecs() -> ModuleType:
    return sys.modules[__name__]  # most plugins have a module `hookspecs` for it


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [blueprint]


@blueprint.get("/{call_id}", returns=float | None)
@requires("calls:read")
async def show_price(request: Request, call_id: UUID) -> Reply:
    """Say what a call costs; null where nobody knows."""
    asked = {"owner_id": request.principal.owner_id, "call_id": call_id}
    return reply(await request.resources.hooks.first("price_of_call", resources=request.resources, **asked))
