"""Reads once, when a worker starts, on which days nobody is called, and tells it to voice servers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from voicera import Blueprint, Reply, Request, Resources, hookimpl, public, reply

blueprint = Blueprint("/holidays")
HOLIDAYS = Path("holidays.txt")  # in the working directory


@hookimpl
def lifespan(resources: Resources) -> AbstractAsyncContextManager[Any]:
    return remembered(resources)


@asynccontextmanager
async def remembered(resources: Resources) -> AsyncIterator[None]:
    text = await asyncio.to_thread(HOLIDAYS.read_text)
    resources.state["holidays"] = text.split()
    yield
    del resources.state["holidays"]


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [blueprint]


@blueprint.get(returns=list[str])
@public
async def list_holidays(request: Request) -> Reply:
    """List the days on which nobody is called."""
    return reply(request.resources.state["holidays"])
