"""The four verbs by which hooks are called; nothing else calls pluggy.

`collect` at the start (fails fast), `first` for a question (awaits until one answers), `within` inside the
caller's transaction (an error rolls it back), `after` when the transaction has committed (contained: an
error or a hang is logged by plugin, and the request never notices). Every call is measured.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import pluggy

from core.answers import no_sequence
from core.background import Background
from core.database import after_commit
from core.figures import Figures
from core.hearers import Hearer, Rules
from core.listeners import Listener, culprit, timed_out_in

log = logging.getLogger("voicera.hooks")
Item = TypeVar("Item")


class Hooks:
    """The calls into the plugins of one application. `monotonic` is the clock of the circuit breakers.

    `leave_out` is told of an installed plugin that fails; it raises where that ends the start.
    """

    def __init__(
        self,
        manager: pluggy.PluginManager,
        *,
        leave_out: Callable[[str, BaseException], None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._manager = manager
        self._monotonic = monotonic
        self._cache: dict[str, list[Listener]] = {}
        self._hearers: dict[tuple[str, str], Hearer] = {}
        self.leave_out = leave_out or _raise
        self.figures = Figures()
        self.rules = Rules()

    def collect(self, name: str, /, **arguments: Any) -> list[tuple[str, Any]]:
        """Call every implementation in order of registration; return (plugin name, result) pairs.

        Whatever an implementation raises goes up: a start that goes wrong stops.
        """
        return [(listener.plugin, listener.ask_now(arguments)) for listener in self._listeners(name)]

    def collect_from(self, plugin_name: str, name: str, /, **arguments: Any) -> list[tuple[str, Any]]:
        """Call the implementations of one plugin alone; else as `collect`."""
        return [
            (plugin_name, listener.ask_now(arguments))
            for listener in self._listeners(name)
            if listener.plugin == plugin_name
        ]

    def brought(self, name: str, kind: type[Item], /, **arguments: Any) -> list[tuple[str, Item]]:
        """What the plugins bring by a start-up hook that answers a sequence: (plugin name, item) pairs.

        An installed plugin that raises, or answers anything but a sequence of `kind`, is left out.
        """
        found: list[tuple[str, Item]] = []
        for plugin in self.users_of(name):
            try:
                answers = [answer for _, answer in self.collect_from(plugin, name, **arguments)]
                for answer in answers:
                    if wrong := no_sequence(name, answer, kind):
                        raise TypeError(wrong)  # noqa: TRY301  # as if the plugin itself had raised it
            except (Exception, SystemExit) as error:
                self.leave_out(plugin, error)
            else:
                found += [(plugin, item) for answer in answers for item in answer]
        return found

    async def first(self, name: str, /, **arguments: Any) -> Any:
        """Await the implementations in order until one answers something other than None."""
        for listener in self._listeners(name):
            answer = await listener.ask(arguments)
            if answer is not None:
                return answer
        return None

    async def within(self, name: str, /, **arguments: Any) -> None:
        """Await every implementation inside the caller's transaction; the first error stops and goes up."""
        for listener in self._listeners(name):
            await listener.ask(arguments)

    def after(self, background: Background, name: str, /, **arguments: Any) -> None:
        """Run every implementation in the background, each contained, bounded and under a time limit.

        In a transaction that the request has joined, they wait for its commit.
        """
        for listener in self._listeners(name):
            after_commit(partial(self._hearer(listener).hear, background, arguments))

    def timed_out(self, error: BaseException) -> tuple[str, str] | None:
        """Count and log a time limit that struck within a hook, once; return its plugin and its name."""
        found = timed_out_in(error)
        if found is not None and not hasattr(error, "voicera_counted"):
            error.voicera_counted = True  # type: ignore[attr-defined]  # those who waited together share it
            plugin, hook = found
            figure = self.figures.of(plugin, hook)
            figure.timeouts += 1
            figure.last_error = "TimeoutError: the time of the request was over"
            log.error("hook timed out", extra={"plugin": plugin, "hook": hook})
        return found

    def listened(self, name: str) -> bool:
        """True if any plugin implements the hook: lets a hot path skip building an event."""
        return bool(self._listeners(name))

    def tripped(self) -> set[tuple[str, str]]:
        """The listeners (plugin, hook) of after-events that fail and are skipped for now, in this process."""
        return {key for key, hearer in self._hearers.items() if hearer.tripped}

    def users_of(self, name: str) -> list[str]:
        """The plugins that implement a hook, in order of registration."""
        return list(dict.fromkeys(listener.plugin for listener in self._listeners(name)))

    def names_used_by(self, plugin_name: str) -> list[str]:
        """The hooks that a plugin implements, sorted."""
        return sorted(
            name
            for name, caller in callers(self._manager)
            if any(impl.plugin_name == plugin_name for impl in caller.get_hookimpls())
        )

    def forget(self) -> None:
        """Look again who implements what: a plugin has come or gone."""
        self._cache.clear()

    def _hearer(self, listener: Listener) -> Hearer:
        key = listener.plugin, listener.hook
        found = self._hearers.get(key)
        if found is None:
            found = self._hearers[key] = Hearer(listener, self.rules, self._monotonic)
        return found

    def _listeners(self, name: str) -> list[Listener]:
        found = self._cache.get(name)
        if found is None:
            # pluggy itself calls them from the end of its list; we go by registration, `tryfirst` and `trylast` apart.
            impls = sorted(getattr(self._manager.hook, name).get_hookimpls(), key=_turn)
            found = self._cache[name] = [
                Listener(impl, name, self.figures.of(impl.plugin_name, name)) for impl in impls
            ]
        return found


def _turn(impl: pluggy.HookImpl) -> int:
    return int(impl.trylast) - int(impl.tryfirst)


def callers(manager: pluggy.PluginManager) -> Iterator[tuple[str, pluggy.HookCaller]]:
    """Every hook of a manager, by name."""
    for name, caller in vars(manager.hook).items():
        if isinstance(caller, pluggy.HookCaller):
            yield name, caller


def _raise(plugin: str, error: BaseException) -> None:
    raise error


__all__ = ["Hooks", "callers", "culprit"]
