"""Assembly: settings and plugins in, a Sanic application out. It opens nothing; the worker's start does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from sanic import Sanic
from sanic.config import Config

from core import extra_query, figure_store, health, openapi
from core.errors import ApiError, ErrorCatalogue
from core.http.blueprint import PATH_PARAMETER, Blueprint, Route, RouteError
from core.http.cors import allow_origins
from core.http.pipeline import serve_error, serve_route
from core.http.request import Request
from core.limits import Limit
from core.logging import LogWriter
from core.plugins import PluginClash, Plugins
from core.protocol import AnyApp, GuardedProtocol, close_idle_connections, watch_clients
from core.resources import Holder, Resources, open_resources
from core.security import ADMIN
from core.settings import PREFIX, Settings, SettingsSection, load_settings

HEADER_BYTES = 16_384
KEEP_ALIVE_SECONDS = 75


@dataclass(frozen=True, slots=True)
class Assembly:
    """Everything known before a worker opens its resources."""

    settings: Settings
    plugins: Plugins
    errors: ErrorCatalogue
    routes: tuple[Route, ...]
    limits: dict[str, Limit]

    @property
    def scopes(self) -> frozenset[str]:
        """Every scope that some route asks for."""
        return frozenset(route.scope for route in self.routes if route.scope)


def discover(
    flags: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    extra: Iterable[ModuleType] = (),
) -> tuple[Settings, Plugins]:
    """Find the plugins (and `extra` modules), then read all settings, theirs included.

    Raises ConfigurationError (settings) or PluginError (a plugin that must work does not, or two clash).
    """
    early = load_settings(flags=flags, environ=environ, check_unknown=False)
    plugins = Plugins.discover(disabled=early.plugins_disabled, strict=early.strict_plugins, extra=extra)
    sections, names = _sections(plugins.collect("register_settings"))
    idle = plugins.idle_settings()
    unread = [section for section in idle if names.isdisjoint(section.model_fields)]
    known = {name for section in idle for name in section.model_fields}
    return load_settings([*sections, *unread], flags=flags, environ=environ, known=known), plugins


def _sections(found: list[tuple[str, Sequence[type[SettingsSection]]]]) -> tuple[list[type[SettingsSection]], set[str]]:
    """The settings classes of the plugins, and the names of all settings; each belongs to one."""
    sections: list[type[SettingsSection]] = []
    holders = dict.fromkeys(Settings.model_fields, "core")
    for plugin, declared in found:
        for section in declared:
            sections.append(section)
            for name in section.model_fields:
                if (holder := holders.setdefault(name, plugin)) != plugin:
                    raise PluginClash(f"the setting {PREFIX}{name.upper()} is claimed by both {holder} and {plugin}")
    return sections, set(holders)


def assemble(settings: Settings, plugins: Plugins) -> Assembly:
    """Collect what the plugins bring. Raises PluginError or RouteError where two of them clash."""
    classes = plugins.collect("register_errors")
    declared = plugins.collect("register_rate_limits", settings=settings)
    blueprints = plugins.collect("register_blueprints")
    # One of these calls may have left a plugin out: then nothing of it is taken.
    errors = _errors([(name, found) for name, found in classes if name not in plugins.failed])
    limits = _limits(settings, [(name, found) for name, found in declared if name not in plugins.failed])
    routes = _routes([(name, found) for name, found in blueprints if name not in plugins.failed], limits, errors)
    routes = extra_query.added(plugins, routes)
    return Assembly(settings, plugins, errors, tuple(routes), limits)


def build_app(assembly: Assembly, *, name: str = "voicera", log: LogWriter | None = None, alone: bool = True) -> AnyApp:
    """Make the Sanic application.

    `alone` is True where it is the only one of its process (a worker): Sanic then rewrites its own methods
    for speed, which would leak from one application into another.
    """
    app: AnyApp = Sanic(
        name,
        config=_sanic_config(assembly.settings, alone=alone),
        request_class=Request,
        configure_logging=False,
        dumps=None,
    )
    app.ctx.assembly = assembly
    app.ctx.plugins = assembly.plugins
    app.ctx.errors = assembly.errors
    app.ctx.log = log
    app.ctx.openapi = openapi.Documents(assembly.routes, assembly.errors)
    for route in assembly.routes:
        _add_route(app, route)
    allow_origins(app, assembly.settings)
    app.error_handler.add(Exception, serve_error)
    _add_lifecycle(app, assembly)
    return app


def _errors(found: list[tuple[str, Sequence[type[ApiError]]]]) -> ErrorCatalogue:
    errors = ErrorCatalogue()
    for name, classes in found:
        try:
            errors.add(name, classes)
        except ValueError as error:
            raise PluginClash(str(error)) from None
    return errors


def _limits(settings: Settings, found: list[tuple[str, Mapping[str, Limit]]]) -> dict[str, Limit]:
    limits, holders = {"general": settings.rate_limit_general}, {"general": "core"}
    for plugin, declared in found:
        for name, limit in declared.items():
            if holder := holders.get(name):
                raise PluginClash(f"the rate limit {name} is claimed by both {holder} and {plugin}")
            limits[name], holders[name] = limit, plugin
    return limits


def _routes(
    brought: list[tuple[str, Sequence[Blueprint]]], limits: dict[str, Limit], errors: ErrorCatalogue
) -> list[Route]:
    claimed: dict[tuple[str, str], Route] = {}
    found: list[tuple[str, Blueprint]] = [("core", health.blueprint), ("core", openapi.blueprint)]
    for name, blueprints in brought:
        found += [(name, blueprint) for blueprint in blueprints]
    for plugin, blueprint in found:
        for declared in blueprint.routes:
            route = replace(declared, plugin=plugin)
            key = (route.method, PATH_PARAMETER.sub("{}", route.path))
            if other := claimed.get(key):
                raise PluginClash(f"{route.method} {route.path} is claimed by both {other.plugin} and {plugin}")
            _check_route(route, limits, errors)
            claimed[key] = route
    return list(claimed.values())


def _check_route(route: Route, limits: dict[str, Limit], errors: ErrorCatalogue) -> None:
    if route.limit is not None and route.limit not in limits:
        raise RouteError(f"{route.name}: no plugin declares the rate limit {route.limit!r}")
    for error in route.raises:
        if error not in errors:
            raise RouteError(f"{route.name} raises {error.code}, which no plugin returns from register_errors()")
    if route.scope and route.scope != ADMIN and ":" not in route.scope:
        raise RouteError(f"{route.name}: a scope is written thing:verb, not {route.scope!r}")


def _add_route(app: AnyApp, route: Route) -> None:
    methods = {route.method, "HEAD"} if route.method == "GET" else {route.method}
    app.add_route(
        serve_route(route),
        PATH_PARAMETER.sub(r"<\1:str>", route.path),
        methods=methods,
        name=route.name.replace(".", "_").replace("-", "_"),
        stream=True,
    )


def _add_lifecycle(app: AnyApp, assembly: Assembly) -> None:
    from piccolo_conf import DB  # only a serving process needs the engine

    @app.before_server_start
    async def open_all(app: AnyApp) -> None:
        app.ctx.holder = Holder(
            open_resources(assembly.settings, assembly.plugins.hooks, DB, assembly.limits, assembly.scopes)
        )
        resources: Resources = await app.ctx.holder.enter()
        # Round trips before the first request, which has less time for them; and from now on everybody can see which
        # plugins this worker leaves out. A cache that is away keeps nobody from serving.
        await figure_store.flush(resources.cache, resources.hooks)
        app.ctx.resources = resources
        app.ctx.guard = watch_clients(app, assembly.settings.slow_client_grace)

    @app.before_server_stop
    async def stop_listening(app: AnyApp) -> None:
        close_idle_connections(app)

    @app.after_server_stop
    async def close_all(app: AnyApp) -> None:
        if hasattr(app.ctx, "guard"):  # not after a start that failed
            app.ctx.guard.cancel()
        await app.ctx.holder.leave()


def _sanic_config(settings: Settings, *, alone: bool) -> Config:
    return Config(
        {
            "ACCESS_LOG": False,
            "AUTO_EXTEND": False,
            "FALLBACK_ERROR_FORMAT": "json",
            "GRACEFUL_SHUTDOWN_TIMEOUT": settings.shutdown_grace,
            "KEEP_ALIVE_TIMEOUT": KEEP_ALIVE_SECONDS,
            "MOTD": False,
            "NOISY_EXCEPTIONS": False,
            "REQUEST_MAX_HEADER_SIZE": HEADER_BYTES,
            "REQUEST_MAX_SIZE": settings.max_body,
            # Our own guard and deadlines do these.
            "REQUEST_TIMEOUT": 3600,
            "RESPONSE_TIMEOUT": 86_400,
            "TOUCHUP": alone,
        },
        env_prefix="",
    )


__all__ = ["Assembly", "GuardedProtocol", "assemble", "build_app", "discover"]
