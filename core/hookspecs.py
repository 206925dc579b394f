"""The kernel's hooks. A plugin implements those it needs with `@hookimpl`; all are optional.

Hooks called at the start are plain functions; those called while serving are `async def`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import typer

    from core.errors import ApiError
    from core.health import Check
    from core.http.blueprint import Blueprint
    from core.http.request import Request
    from core.limits import Limit
    from core.resources import Resources
    from core.security import Principal
    from core.settings import Settings, SettingsSection
    from core.storage import Storage

PROJECT = "voicera"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_hookspecs() -> ModuleType:  # type: ignore[empty-body]  # a specification has no body
    """Return a module with the hooks that this plugin publishes to others."""


@hookspec
def register_settings() -> Sequence[type[SettingsSection]]:  # type: ignore[empty-body]
    """Return the settings classes of this plugin; a name belongs to one plugin, or to the kernel."""


@hookspec
def register_blueprints() -> Sequence[Blueprint]:  # type: ignore[empty-body]
    """Return the blueprints whose routes this plugin serves."""


@hookspec
def register_piccolo_apps() -> Sequence[str]:  # type: ignore[empty-body]
    """Return the import paths of this plugin's `piccolo_app` modules."""


@hookspec
def register_errors() -> Sequence[type[ApiError]]:  # type: ignore[empty-body]
    """Return the error classes of this plugin; a code belongs to one plugin."""


@hookspec
def register_rate_limits(settings: Settings) -> Mapping[str, Limit]:  # type: ignore[empty-body]
    """Return the token buckets that this plugin's routes name with `limit=`."""


@hookspec
def register_commands(cli: typer.Typer) -> None:
    """Add commands to the `voicera` program.

    Collected (*collect*) when the program is run, but for the kernel's own commands, never while serving.
    """


@hookspec
def open_storage(settings: Settings) -> AbstractAsyncContextManager[Storage] | None:
    """Return a context that opens where recordings are kept, in place of S3; None to leave that to others.

    Collected (*collect*) and entered when a worker starts. An error always ends the start, and so do two plugins that
    bring a storage: elsewhere recordings would be lost.
    """


@hookspec
def readiness_checks(resources: Resources) -> Mapping[str, Check]:  # type: ignore[empty-body]
    """Return named coroutine functions that raise when a dependency of this plugin is not usable.

    Collected (*collect*) at each `GET /readiness`, which gives each of them two seconds. A plugin that raises here is
    itself not ready, under its own name.
    """


@hookspec
def lifespan(resources: Resources) -> AbstractAsyncContextManager[Any]:  # type: ignore[empty-body]
    """Return a context that is entered when a worker starts and left when it stops.

    Collected (*collect*) and entered in the order of the plugins, when the resources are open; a command that works
    past the API enters it too. What fails on entering counts as an error here.
    """


@hookspec
async def authenticate(request: Request) -> Principal | None:
    """Return who sent the request, or None to let another plugin try; raise an ApiError to refuse the credentials.

    A question (*first*), asked for each request to a route that is not public, before its body is read; in no
    transaction. Any other error answers SERVER_001.
    """


@hookspec
async def session_ended(resources: Resources, principal: Principal) -> bool | None:
    """Say whether a session has been revoked; asked only while the cache, which usually says it, is down.

    A question (*first*), in no transaction; an error fails the request. The plugin `auth` calls a session revoked that
    it does not know: answer for sessions that you authenticate yourself with `@hookimpl(tryfirst=True)`.
    """
