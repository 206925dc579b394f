"""Discovery and registration: the folders of the package `plugins`, and the entry points `voicera.plugins`.

Ours must work, or the start fails. An installed one that fails is left out and shown with its error,
unless `VOICERA_STRICT_PLUGINS=1`.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any, Literal

import pluggy

import core
from core import hookspecs
from core.answers import nonsense
from core.compatibility import misfit, too_many_arguments, unusable, warn_of_deprecated
from core.hooks import Hooks
from core.settings import ConfigurationError, SettingsSection

log = logging.getLogger("voicera.plugins")
GROUP = "voicera.plugins"
OURS = "plugins"


class PluginError(Exception):
    """A plugin does not fit; the message names it and says why."""


class PluginClash(PluginError):
    """Two plugins claim the same. It always ends the start: neither is more right.

    Takes the sentence that names both, and adds the way out.
    """

    def __init__(self, claim: str) -> None:
        super().__init__(f"{claim}: VOICERA_PLUGINS_DISABLED=<one of them> starts without it")


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """One plugin as `GET /plugins` shows it."""

    name: str
    origin: Literal["bundled", "installed"]
    version: str
    status: Literal["active", "disabled", "failed"]
    error: str | None = None
    hooks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plugin that was found and not yet imported."""

    name: str
    origin: Literal["bundled", "installed"]
    version: str
    target: str
    entry: EntryPoint | None = None
    module: ModuleType | None = None

    def load(self) -> ModuleType:
        """Import the plugin's module, unless it was given."""
        if self.module is not None:
            return self.module
        loaded = self.entry.load() if self.entry else importlib.import_module(self.target)
        if not isinstance(loaded, ModuleType):
            raise PluginError(f"plugin {self.name}: the entry point {self.target} is not a module")
        return loaded


class Plugins:
    """The plugins of one application, each application with a manager of its own."""

    def __init__(self, *, disabled: Iterable[str] = (), strict: bool = False) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._strict = strict
        self._infos: dict[str, PluginInfo] = {}
        self._disabled = frozenset(disabled)
        self._idle: list[Candidate] = []
        self.hooks = Hooks(self._manager, leave_out=self.fail)
        self.failed: set[str] = set()

    @classmethod
    def discover(
        cls, *, disabled: Iterable[str] = (), strict: bool = False, extra: Iterable[ModuleType] = ()
    ) -> Plugins:
        """Find, import and register everything; `extra` are modules that a test adds by hand.

        Raises PluginError when one of ours fails, when `disabled` names a plugin that does not exist, or
        when two plugins share a name.
        """
        plugins = cls(disabled=disabled, strict=strict)
        candidates = list(_candidates())
        unknown = plugins._disabled - {candidate.name for candidate in candidates}
        if unknown:
            raise PluginError(f"VOICERA_PLUGINS_DISABLED names no plugin: {', '.join(sorted(unknown))}")
        for candidate in candidates:
            plugins._add(candidate)
        for module in extra:
            plugins._add(Candidate(module.__name__, "installed", "0", module.__name__, module=module))
        plugins._open_hookspecs()
        return plugins

    def infos(self) -> list[PluginInfo]:
        """Every plugin that was found, with the hooks it uses."""
        return [
            replace(info, hooks=tuple(self.hooks.names_used_by(info.name))) if info.status == "active" else info
            for info in self._infos.values()
        ]

    def idle_settings(self) -> list[type[SettingsSection]]:
        """The settings of disabled plugins: nobody reads them, and they are not refused as unknown either."""
        found: list[type[SettingsSection]] = []
        for candidate in self._idle:
            with contextlib.suppress(Exception):  # it is disabled: what it does wrong does not matter
                found += candidate.load().register_settings()
        return found

    def fail(self, name: str, error: BaseException) -> None:
        """Leave a plugin out after an error; raises PluginError where that is not allowed."""
        if isinstance(error, PluginClash):
            raise error
        info = self._infos[name]
        if info.origin == "bundled" or self._strict:
            if isinstance(error, ConfigurationError):
                raise error  # for the operator to mend; it says how
            raise PluginError(f"plugin {name}: {say(error)}") from error
        log.error("plugin left out", extra={"plugin": name}, exc_info=error)
        self._infos[name] = replace(info, status="failed", error=say(error))
        self.hooks.figures.left_out[name] = say(error)
        if self._manager.has_plugin(name):
            self._manager.unregister(name=name)
        self.hooks.forget()
        self.failed.add(name)

    def collect(self, hook: str, **arguments: Any) -> list[tuple[str, Any]]:
        """Call a start-up hook plugin by plugin, so that one that fails or returns nonsense can be left out alone."""
        results = []
        for name, module in list(self._manager.list_name_plugin()):
            if module is None:
                continue
            try:
                found = self.hooks.collect_from(name, hook, **arguments)
                if wrong := next(filter(None, (nonsense(hook, answer) for _, answer in found)), None):
                    raise PluginError(wrong)  # noqa: TRY301  # as if the plugin itself had raised it
            except (Exception, SystemExit) as error:
                self.fail(name, error)
            else:
                results += found
        return results

    def _add(self, candidate: Candidate) -> None:
        if candidate.name in self._infos:
            raise PluginError(f"two plugins are called {candidate.name}")
        info = PluginInfo(candidate.name, candidate.origin, candidate.version, "active")
        if candidate.name in self._disabled:
            self._infos[candidate.name] = replace(info, status="disabled")
            self._idle.append(candidate)
            return
        self._infos[candidate.name] = info
        try:
            self._register(candidate.load(), candidate.name)
        except (Exception, SystemExit) as error:
            self.fail(candidate.name, error)

    def _register(self, module: ModuleType, name: str) -> None:
        wrong = misfit(module)
        if wrong is None:
            self._manager.register(module, name=name)
            wrong = unusable(self._manager, name)
        if wrong is not None:
            raise PluginError(wrong)

    def _open_hookspecs(self) -> None:
        for publisher, module in self.collect("register_hookspecs"):
            for name, wrong in too_many_arguments(self._manager, module):
                self.fail(name, PluginError(wrong))
            try:
                self._manager.add_hookspecs(module)
            except Exception as error:
                self.fail(publisher, error)
        self.hooks.forget()
        warn_of_deprecated(self._manager)
        for name in [info.name for info in self._infos.values() if info.status == "active"]:
            if (unknown := self._unknown_hooks(name)) is not None:
                self.fail(name, unknown)

    def _unknown_hooks(self, name: str) -> PluginError | None:
        """Say which hook of this plugin nobody specifies; pluggy's own check stops at the first of all plugins."""
        for caller in vars(self._manager.hook).values():
            if not isinstance(caller, pluggy.HookCaller) or caller.has_spec():
                continue
            for impl in caller.get_hookimpls():
                if impl.plugin_name == name and not impl.optionalhook:
                    return PluginError(f"it implements the unknown hook {caller.name}")
        return None


def names() -> list[str]:
    """The names of all plugins that can be found here, sorted; none is imported."""
    return sorted(candidate.name for candidate in _candidates())


def _candidates() -> Iterator[Candidate]:
    package = importlib.import_module(OURS)
    for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda found: found.name):
        yield Candidate(found.name, "bundled", core.__version__, f"{OURS}.{found.name}")
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        version = entry.dist.version if entry.dist else "unknown"
        yield Candidate(entry.name, "installed", version, entry.value, entry)


def say(error: BaseException) -> str:
    """Why a plugin does not work, as people are told; a PluginError is a sentence already."""
    return str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
