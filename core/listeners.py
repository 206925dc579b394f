"""One implementation of one hook: called and measured, and named by what it raises."""

from __future__ import annotations

import asyncio
import inspect
import time
from types import CoroutineType
from typing import Any

import pluggy

from core.errors import ApiError
from core.figures import Figure

Arguments = dict[str, Any]


class Listener:
    """An implementation, and the figure that its calls are counted in."""

    __slots__ = ("_argnames", "_function", "figure", "hook", "plugin")

    def __init__(self, impl: pluggy.HookImpl, hook: str, figure: Figure) -> None:
        self._function = impl.function
        self._argnames = impl.argnames
        self.plugin: str = impl.plugin_name
        self.hook = hook
        self.figure = figure

    def call(self, arguments: Arguments) -> Any:
        """Call it, unmeasured, with those of the arguments that it takes."""
        return self._function(*[arguments[name] for name in self._argnames])

    def ask_now(self, arguments: Arguments) -> Any:
        """Call a plain function."""
        began = time.perf_counter()
        try:
            return self.call(arguments)
        except Exception as error:
            self._blame(error)
            raise
        finally:
            self.figure.took(time.perf_counter() - began)

    async def ask(self, arguments: Arguments) -> Any:
        """Call it and await what it returns. An exception carries the plugin's name on."""
        began = time.perf_counter()
        try:
            answer = self.call(arguments)
            if type(answer) is CoroutineType or inspect.isawaitable(answer):  # the second takes longer to say so
                return await answer
            return answer  # noqa: TRY300  # what is awaited above belongs to the try
        except Exception as error:
            self._blame(error)
            raise
        except SystemExit as ended:  # it would end the worker
            failure = RuntimeError(f"sys.exit({ended.code!r})")
            self._blame(failure)
            raise failure from None
        except asyncio.CancelledError as error:  # by a time limit, perhaps: see `timed_out_in`
            self._mark(error)
            raise
        finally:
            self.figure.took(time.perf_counter() - began)

    def _blame(self, error: Exception) -> None:
        if isinstance(error, ApiError):  # an answer
            return
        self.figure.failed(error)
        self._mark(error)

    def _mark(self, error: BaseException) -> None:
        if culprit(error) is None:  # of two hooks, one within the other, it was the inner one
            error.add_note(f"in the hook {self.hook} of the plugin {self.plugin}")
            error.voicera_hook = (self.plugin, self.hook)  # type: ignore[attr-defined]  # see `culprit`


def culprit(error: BaseException) -> tuple[str, str] | None:
    """The plugin and the hook that an exception came out of, None if it was no hook's."""
    return getattr(error, "voicera_hook", None)


def timed_out_in(error: BaseException) -> tuple[str, str] | None:
    """The plugin and the hook that were under way when a time limit struck, None if it was no hook's.

    A limit cancels what is under way, and raises TimeoutError from that; or something else is raised on the way, such
    as by a connection that PostgreSQL has closed meanwhile.
    """
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, asyncio.CancelledError):
        cause = cause.__cause__ or cause.__context__
    return None if cause is None else culprit(cause)
