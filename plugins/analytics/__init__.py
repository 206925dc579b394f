"""Analytics: figures about calls that are exact at every moment, and whose cost does not grow with the calls."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from plugins.analytics import dashboard, hookspecs, routes
from plugins.analytics.service import cards, questions, rollups, upkeep
from plugins.calls.hookspecs import CallQuery, CallsChanged, CallsRecorded, Parameters, Seek
from voicera import Blueprint, Connection, Resources, hookimpl

if TYPE_CHECKING:
    import typer


@hookimpl
def register_hookspecs() -> ModuleType:
    return hookspecs


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [routes.blueprint, routes.cards, dashboard.blueprint]


@hookimpl
def register_piccolo_apps() -> Sequence[str]:
    return ["plugins.analytics.piccolo_app"]


@hookimpl
def register_commands(cli: typer.Typer) -> None:
    from plugins.analytics import commands  # noqa: PLC0415  # a serving worker has no use for it

    cli.add_typer(commands.analytics, name="analytics")


@hookimpl
def lifespan(resources: Resources) -> AbstractAsyncContextManager[Any]:
    cards.keep(resources)
    return upkeep.kept(resources)


@hookimpl(optionalhook=True)
async def calls_recording(connection: Connection, batch: CallsRecorded) -> None:
    await rollups.record(connection, batch)


@hookimpl(optionalhook=True)
async def calls_changing(connection: Connection, batch: CallsChanged) -> None:
    await rollups.change(connection, batch)


@hookimpl(optionalhook=True)
async def count_calls(query: CallQuery, parameters: Parameters) -> str | None:
    return questions.count(query, parameters)


@hookimpl(optionalhook=True)
async def seek_calls(connection: Connection, query: CallQuery, skip: int, limit: int) -> Seek | None:
    return await questions.seek(connection, query, skip, limit)
