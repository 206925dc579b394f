"""Is it alive, and can it work: `/health`, `/liveness`, `/readiness`, and `/version`, `/plugins`, `/errors`."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import msgspec

import core
from core import cache, database, figure_store
from core.answers import nonsense
from core.figure_store import Overview
from core.http.blueprint import Blueprint
from core.http.reply import Reply, reply, rfc3339
from core.http.request import Request
from core.plugins import PluginInfo
from core.resources import Resources, utc_now
from core.security import public

log = logging.getLogger("voicera.health")
Check = Callable[[], Awaitable[Any]]
PROBE_SECONDS = 2.0
PATH = re.compile(r"(?<![\w:/])(?:/[\w.@ -]+){2,}")
blueprint = Blueprint(tag="Health")


class Health(msgspec.Struct):
    """The process answers."""

    status: str
    timestamp: str


class Version(msgspec.Struct):
    """What runs here."""

    name: str
    version: str


class HookFigures(msgspec.Struct):
    """What one hook of a plugin has cost, over all workers since the service started.

    `seconds` are by the clock. `timeouts`, `skipped` and `blocked` (it held up the worker) are of after-events.
    `last_error` is the type of the last exception; the log, and `voicera plugins`, say more.
    """

    hook: str
    calls: int
    seconds: float
    failures: int
    timeouts: int
    skipped: int
    blocked: int
    last_error: str | None


class PluginView(msgspec.Struct):
    """One plugin: `status` is active, disabled or failed, and `error` says why it failed.

    `tripped` are after-events that it kept failing at, and does not hear of for now.
    """

    name: str
    origin: str
    version: str
    status: str
    error: str | None
    hooks: list[str]
    tripped: list[str]
    figures: list[HookFigures]


class ErrorView(msgspec.Struct):
    """One error code of the catalogue, with every status that it comes with."""

    code: str
    status: int
    statuses: list[int]
    message: str
    plugin: str


HEALTH_EXAMPLE = {"status": "ok", "timestamp": "2024-01-29T10:30:00Z"}
READINESS_EXAMPLE = {"database": "ok", "storage": "ok", "cache": "ok"}


@blueprint.get("/health", returns=Health, limit=None, deadline=0, examples={"reply": HEALTH_EXAMPLE})
@public
async def health(request: Request) -> Reply:
    """Say that the process lives, without touching any dependency."""
    return reply({"status": "ok", "timestamp": rfc3339(utc_now())})


@blueprint.get("/liveness", returns=Health, limit=None, deadline=0, examples={"reply": HEALTH_EXAMPLE})
@public
async def liveness(request: Request) -> Reply:
    """The same as `/health`, under the name that orchestrators look for."""
    return reply({"status": "ok", "timestamp": rfc3339(utc_now())})


@blueprint.get(
    "/readiness",
    returns=dict[str, str],
    limit=None,
    examples={"reply": READINESS_EXAMPLE},
    also={503: "One is not `ok`, and the answer says which."},
)
@public
async def readiness(request: Request) -> Reply:
    """Probe every dependency in parallel; 503 when one is not `ok`."""
    found = await probe(request.resources)
    return reply(found, status=200 if all(state == "ok" for state in found.values()) else 503)


@blueprint.get("/version", returns=Version)
@public
async def version(request: Request) -> Reply:
    """Say what runs here."""
    return reply({"name": "voicera", "version": core.__version__})


@blueprint.get("/plugins", returns=list[PluginView])
@public
async def plugins(request: Request) -> Reply:
    """List the plugins, those that failed with their error, and what their hooks have cost."""
    overview = await figure_store.whole(request.resources)
    return reply([_shown(info, overview) for info in request.app.ctx.plugins.infos()])


@blueprint.get("/errors", returns=list[ErrorView])
@public
async def errors(request: Request) -> Reply:
    """List every error code there is, with its meaning."""
    return reply(request.app.ctx.errors.listing())


def _shown(info: PluginInfo, overview: Overview) -> dict[str, Any]:
    """A plugin as anyone may see it: its error without the paths of this machine, which the log has.

    What is raised while serving may tell of somebody's data, so only its type is shown.
    """
    info = overview.seen(info)
    error = info.error and PATH.sub("…", info.error)
    figures = [
        {
            "hook": hook,
            **asdict(figure),
            "seconds": round(figure.seconds, 6),
            "last_error": figure.last_error and figure.last_error.partition(":")[0],
        }
        for hook, figure in overview.of(info.name)
    ]
    return {
        **asdict(info),
        "hooks": list(info.hooks),
        "error": error,
        "tripped": overview.tripped_of(info.name),
        "figures": figures,
    }


async def probe(resources: Resources) -> dict[str, str]:
    """Run all readiness checks at once, each with two seconds; never raises.

    A plugin that cannot say what its checks are is itself not ready, under its own name.
    """
    checks: dict[str, Check] = {
        "database": partial(database.ping, resources.db),
        "storage": resources.storage.ping,
        "cache": partial(cache.ping, resources.cache),
    }
    for plugin in resources.hooks.users_of("readiness_checks"):
        checks.update(_checks_of(plugin, resources))
    states = await asyncio.gather(*(_state(name, check) for name, check in checks.items()))
    return dict(zip(checks, states, strict=True))


def _checks_of(plugin: str, resources: Resources) -> Mapping[str, Check]:
    named: dict[str, Check] = {}
    try:
        for _, found in resources.hooks.collect_from(plugin, "readiness_checks", resources=resources):
            if wrong := nonsense("readiness_checks", found):
                raise TypeError(wrong)  # noqa: TRY301  # as if the plugin itself had raised it
            named |= found or {}
    except Exception as error:
        log.exception("no readiness checks", extra={"plugin": plugin})
        return {plugin: partial(_raise, error)}
    return named


async def _raise(error: Exception) -> None:
    raise error


async def _state(name: str, check: Check) -> str:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            await check()
    except Exception as error:
        log.warning("not ready", extra={"dependency": name, "error": type(error).__name__})
        return "unavailable"
    return "ok"
