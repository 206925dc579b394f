"""The plugin under test, and what its hooks declare."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import entry_points
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from core import hookspecs
from core.app import discover
from core.errors import ApiError
from core.http.blueprint import Route
from core.plugins import GROUP, Plugins
from core.settings import Settings, SettingsSection
from voicera.testing.http import Client
from voicera.testing.running import Running

if TYPE_CHECKING:  # takes a third of a second to import
    from piccolo.conf.apps import AppConfig

Make = Callable[[Client], Awaitable[str]]


class NotServed(Exception):
    """No application runs with the plugin, so that nothing can be asked of it."""


@dataclass(frozen=True)
class Implementation:
    """One hook that the module implements."""

    name: str
    function: Callable[..., Any]

    @property
    def arguments(self) -> list[str]:
        """The names of its parameters."""
        return list(inspect.signature(self.function).parameters)


@dataclass
class Subject:
    """A plugin's module, its name, what its author has declared to `check_plugin`, and an application with it."""

    module: ModuleType
    name: str
    public: Mapping[str, str] = field(default_factory=dict)
    shared_tables: Mapping[str, str] = field(default_factory=dict)
    shared_codes: Sequence[str] = ()
    foreign_hooks: Sequence[str] = ()
    make: Mapping[str, Make] = field(default_factory=dict)
    app: Running | None = None
    failure: str = ""

    @property
    def running(self) -> Running:
        """The application; raises NotServed where it has not started with the plugin."""
        if self.app is None or self.failure:
            raise NotServed(self.failure)
        return self.app

    @cached_property
    def implementations(self) -> list[Implementation]:
        """The module's hook implementations, by name."""
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        found = [name for name in sorted(dir(self.module)) if manager.parse_hookimpl_opts(self.module, name)]
        return [Implementation(name, getattr(self.module, name)) for name in found]

    @cached_property
    def others(self) -> tuple[Settings, Plugins]:
        """The settings' defaults and the plugins that are found here; nothing is opened."""
        return discover(environ={})

    def collected(self, hook: str, **arguments: Any) -> list[Any]:
        """What the module's own implementation of a start-up hook returns; nothing if it has none."""
        for each in self.implementations:
            if each.name == hook:
                return list(each.function(**{name: arguments[name] for name in each.arguments}) or ())
        return []

    def of_others(self, hook: str) -> Iterator[tuple[str, Any]]:
        """What every other plugin returns, item by item, with its name."""
        for name, items in self.others[1].collect(hook):
            if name != self.name:
                yield from ((name, item) for item in items)

    @cached_property
    def specifications(self) -> dict[str, Callable[..., Any]]:
        """Every hook that is specified here: by the kernel, by a plugin that is found, by this one."""
        modules = [hookspecs, *(module for _, module in self.others[1].collect("register_hookspecs"))]
        if any(each.name == "register_hookspecs" for each in self.implementations):
            modules.append(self.module.register_hookspecs())
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        return {
            name: getattr(module, name)
            for module in modules
            for name in dir(module)
            if manager.parse_hookspec_opts(module, name) is not None
        }

    @cached_property
    def routes(self) -> list[Route]:
        """The routes that it serves."""
        return [route for blueprint in self.collected("register_blueprints") for route in blueprint.routes]

    @property
    def guarded(self) -> list[Route]:
        """Those that ask for a scope."""
        return [route for route in self.routes if route.scope is not None]

    @cached_property
    def errors(self) -> list[type[ApiError]]:
        """The error classes that it registers."""
        return self.collected("register_errors")

    @cached_property
    def sections(self) -> list[type[SettingsSection]]:
        """Its groups of settings."""
        return self.collected("register_settings")

    @cached_property
    def piccolo_apps(self) -> list[AppConfig]:
        """Its Piccolo apps."""
        return [importlib.import_module(path).APP_CONFIG for path in self.collected("register_piccolo_apps")]


def name_of(module: ModuleType) -> str:
    """A plugin's name: of its entry point, of its folder in `plugins`, or else of its module without `voicera_`."""
    for entry in entry_points(group=GROUP):
        if entry.value == module.__name__:
            return entry.name
    return module.__name__.rpartition(".")[2].removeprefix("voicera_")


def plain(name: str) -> str:
    """A name in the form in which names are compared: `Do-not_call` is `donotcall`."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def shown(route: Route) -> str:
    """A route as people write it: `GET /agents/{agent_id}`."""
    return f"{route.method} {route.path}"
