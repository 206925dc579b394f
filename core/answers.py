"""What a plugin returns from a start-up hook, looked at before anything is made of it.

Nonsense is told in one sentence that names the hook, what came, and what belongs there.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import ModuleType
from typing import Any

from core.errors import ApiError
from core.http.blueprint import Blueprint
from core.limits import Limit
from core.settings import SettingsSection

Check = Callable[[Any], str | None]  # says what is wrong


def nonsense(hook: str, answer: Any) -> str | None:
    """Say in a sentence what is wrong with an answer, None if nothing is. Hooks of plugins are theirs to check."""
    return _judged(hook, answer, *CHECKS.get(hook, ("", None)))


def no_sequence(hook: str, answer: Any, kind: type) -> str | None:
    """Say what is wrong with an answer that should be a sequence of such items, None if nothing is."""
    return _judged(hook, answer, f"a sequence of {kind.__name__}", _all(_is(kind)))


def _judged(hook: str, answer: Any, expected: str, check: Check | None) -> str | None:
    if inspect.iscoroutine(answer):
        answer.close()
        return f"{hook}() is called at the start and must not be async"
    wrong = check(answer) if check else None
    return f"{hook}() returned {wrong}, where {expected} belongs" if wrong else None


def _is(kind: type) -> Check:
    return lambda answer: None if isinstance(answer, kind) else _called(answer)


def _all(item: Check) -> Check:
    def check(answer: Any) -> str | None:
        if isinstance(answer, str | bytes) or not isinstance(answer, Sequence):
            return _called(answer)
        wrong = next((found for found in map(item, answer) if found), None)
        return f"{_called(answer)} with {wrong} in it" if wrong else None

    return check


def _mapping(value: Check, *, optional: bool = False) -> Check:
    def check(answer: Any) -> str | None:
        if answer is None and optional:
            return None
        if not isinstance(answer, Mapping):
            return _called(answer)
        wrong = next((name for name in answer if not isinstance(name, str)), None)
        if wrong is not None:
            return f"{_called(answer)} with {_called(wrong)} as a name"
        return next((f"{_called(answer)} with {bad} in it" for bad in map(value, answer.values()) if bad), None)

    return check


def _subclass(kind: type) -> Check:
    return lambda answer: None if isinstance(answer, type) and issubclass(answer, kind) else _called(answer)


def _error(answer: Any) -> str | None:
    if wrong := _subclass(ApiError)(answer):
        return wrong
    code, status = getattr(answer, "code", None), getattr(answer, "status", None)
    if not isinstance(code, str) or not code:
        return f"the class {answer.__name__}, which has no code,"
    return None if isinstance(status, int) and 400 <= status < 600 else f"{code}, whose status is no error's,"


def _callable(answer: Any) -> str | None:
    return None if callable(answer) else _called(answer)


def _context(answer: Any) -> str | None:
    return None if isinstance(answer, AbstractAsyncContextManager) else _called(answer)


def _storage(answer: Any) -> str | None:
    return None if answer is None else _context(answer)


def _called(thing: Any) -> str:
    """A thing as a person would call it."""
    if thing is None:
        return "None"
    if isinstance(thing, type):
        return f"the class {thing.__name__}"
    name = type(thing).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


CHECKS: dict[str, tuple[str, Check]] = {
    "register_hookspecs": ("a module", _is(ModuleType)),
    "register_settings": ("a sequence of SettingsSection classes", _all(_subclass(SettingsSection))),
    "register_blueprints": ("a sequence of Blueprints", _all(_is(Blueprint))),
    "register_piccolo_apps": ("a sequence of import paths", _all(_is(str))),
    "register_errors": ("a sequence of ApiError classes, each with code and status,", _all(_error)),
    "register_rate_limits": ("a mapping of names to Limits", _mapping(_is(Limit))),
    "readiness_checks": ("a mapping of names to coroutine functions", _mapping(_callable, optional=True)),
    "lifespan": ("an asynchronous context manager", _context),
    "open_storage": ("an asynchronous context manager or None", _storage),
}
