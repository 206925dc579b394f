"""Query parameters that plugins add to the routes of others, by the start-up hook that the route names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from core.http.blueprint import Route
from core.http.query import QueryParameter
from core.plugins import PluginClash, PluginError, Plugins

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def added(plugins: Plugins, routes: Sequence[Route]) -> list[Route]:
    """The routes, with the parameters that plugins add to those which take some.

    Raises PluginClash where two of them claim one name, or one the name of a route's own parameter.
    """
    found = {hook: _collect(plugins, hook) for hook in sorted({route.extra_query or "" for route in routes} - {""})}
    return [
        _extended(route, found[route.extra_query]) if route.extra_query else route
        for route in routes
        if route.plugin not in plugins.failed  # by what it has just answered
    ]


def _collect(plugins: Plugins, hook: str) -> dict[str, tuple[str, QueryParameter]]:
    """What each parameter is called, who brings it, and itself."""
    try:
        plugins.hooks.listened(hook)
    except AttributeError:  # whoever publishes the hook is disabled
        return {}
    found: dict[str, tuple[str, QueryParameter]] = {}
    for plugin, parameter in plugins.hooks.brought(hook, QueryParameter):
        if wrong := _unusable(parameter):
            plugins.fail(plugin, PluginError(f"the query parameter {wrong}"))
        elif other := found.get(parameter.name):
            raise PluginClash(f"the query parameter {parameter.name} is claimed by both {other[0]} and {plugin}")
        else:
            found[parameter.name] = (plugin, parameter)
    return {name: (plugin, parameter) for name, (plugin, parameter) in found.items() if plugin not in plugins.failed}


def _unusable(parameter: QueryParameter) -> str | None:
    if not NAME.fullmatch(parameter.name):
        return f"{parameter.name!r} has a name that is none"
    try:
        msgspec.json.schema(parameter.kind)
        msgspec.json.Decoder(parameter.kind)
    except TypeError as error:
        return f"{parameter.name}: {error}"
    return None


def _extended(route: Route, found: Mapping[str, tuple[str, QueryParameter]]) -> Route:
    own = {field.encode_name for field in msgspec.structs.fields(route.query)} if route.query else set()
    for name in found:
        if name in own:
            whose = f"of {route.method} {route.path} is claimed by both {route.plugin} and {found[name][0]}"
            raise PluginClash(f"the query parameter {name} {whose}")
    return replace(route, extra={name: parameter for name, (_, parameter) in found.items()})
