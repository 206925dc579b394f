"""The four verbs by which hooks are called; nothing else calls pluggy.

`collect` at the start (fails fast), `first` for a question (awaits until one answers), `within` inside the
caller's transaction (an error rolls it back), `after` when the transaction has committed (contained: an
error or a hang is logged by plugin, and the request never notices).
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Iterator
from functools import partial
from typing import Any

import pluggy

from core.background import Background
from core.database import after_commit

log = logging.getLogger("voicera.hooks")
AFTER_SECONDS = 10.0


class Hooks:
    """The calls into the plugins of one application."""

    def __init__(self, manager: pluggy.PluginManager) -> None:
        self._manager = manager
        self._cache: dict[str, list[pluggy.HookImpl]] = {}

    def collect(self, name: str, /, **arguments: Any) -> list[tuple[str, Any]]:
        """Call every implementation in order of registration; return (plugin name, result) pairs.

        Whatever an implementation raises goes up: a start that goes wrong stops.
        """
        return [(impl.plugin_name, _call(impl, arguments)) for impl in self._implementations(name)]

    def collect_from(self, plugin_name: str, name: str, /, **arguments: Any) -> list[tuple[str, Any]]:
        """Call the implementations of one plugin alone; else as `collect`."""
        return [
            (plugin_name, _call(impl, arguments))
            for impl in self._implementations(name)
            if impl.plugin_name == plugin_name
        ]

    async def first(self, name: str, /, **arguments: Any) -> Any:
        """Await the implementations in order until one answers something other than None."""
        for impl in self._implementations(name):
            answer = await _call(impl, arguments)
            if answer is not None:
                return answer
        return None

    async def within(self, name: str, /, **arguments: Any) -> None:
        """Await every implementation inside the caller's transaction; the first error stops and goes up."""
        for impl in self._implementations(name):
            await _call(impl, arguments)

    def after(self, background: Background, name: str, /, **arguments: Any) -> None:
        """Run every implementation in the background, each contained and under a time limit of 10 seconds.

        In a transaction that the request has joined, they wait for its commit.
        """
        for impl in self._implementations(name):
            after_commit(partial(_start, background, impl, name, arguments))

    def listened(self, name: str) -> bool:
        """True if any plugin implements the hook: lets a hot path skip building an event."""
        return bool(self._implementations(name))

    def names_used_by(self, plugin_name: str) -> list[str]:
        """The hooks that a plugin implements, sorted."""
        return sorted(
            name
            for name, caller in _callers(self._manager)
            if any(impl.plugin_name == plugin_name for impl in caller.get_hookimpls())
        )

    def _implementations(self, name: str) -> list[pluggy.HookImpl]:
        found = self._cache.get(name)
        if found is None:
            # pluggy keeps them in reverse: what it would call first stands last.
            found = self._cache[name] = list(getattr(self._manager.hook, name).get_hookimpls())
        return found


def _callers(manager: pluggy.PluginManager) -> Iterator[tuple[str, pluggy.HookCaller]]:
    for name, caller in vars(manager.hook).items():
        if isinstance(caller, pluggy.HookCaller):
            yield name, caller


def _call(impl: pluggy.HookImpl, arguments: dict[str, Any]) -> Any:
    return impl.function(*[arguments[name] for name in impl.argnames])


def _start(background: Background, impl: pluggy.HookImpl, name: str, arguments: dict[str, Any]) -> None:
    background.spawn(f"{name}:{impl.plugin_name}", _contained(impl, name, arguments))


async def _contained(impl: pluggy.HookImpl, name: str, arguments: dict[str, Any]) -> None:
    try:
        async with asyncio.timeout(AFTER_SECONDS):
            result = _call(impl, arguments)
            if inspect.isawaitable(result):
                await result
    except Exception:
        log.exception("hook failed", extra={"hook": name, "plugin": impl.plugin_name})
