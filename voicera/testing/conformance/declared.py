"""Rules about what a plugin declares: its hooks, names, errors, routes and settings. No application is needed."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import orjson

from core.errors import KERNEL_ERRORS, ApiError
from core.http.blueprint import JSON, Route
from voicera.testing.conformance.rules import rule
from voicera.testing.conformance.subject import Subject, plain, shown

CODE = re.compile(r"(?P<prefix>[A-Z][A-Z0-9]*(_[A-Z0-9]+)*)_\d{3}")
NAME = re.compile(r"[a-z][a-z0-9_-]*")


@rule
def it_implements_hooks(subject: Subject) -> Iterator[str]:
    """The module implements at least one hook.

    Why: hooks are the only way into the service; without one the plugin does nothing.

    Way out: decorate functions of the module itself with `@hookimpl` of `voicera`; it is what the entry point names.
    """
    if not subject.implementations:
        yield f"{subject.module.__name__} has none"


@rule
def its_hooks_exist(subject: Subject) -> Iterator[str]:
    """Every hook that it implements is specified by the kernel, by a plugin that is installed, or by itself.

    Why: a misspelt one is never called, and with `optionalhook=True` nobody says so.

    Way out: see `docs/hooks.md` for the names; a hook of a plugin that is not installed here goes into
    `check_plugin(…, foreign_hooks=["…"])`.
    """
    for each in subject.implementations:
        if each.name not in subject.specifications and each.name not in subject.foreign_hooks:
            yield f"{each.name} is specified nowhere"


@rule
def its_hooks_take_what_they_are_given(subject: Subject) -> Iterator[str]:
    """Every implementation takes only arguments that the hook's specification has.

    Why: arguments are passed by name, and a plugin with another name is left out at the start.

    Way out: take any of the specification's arguments, in any order, and no others.
    """
    for each in subject.implementations:
        if specified := subject.specifications.get(each.name):
            known = list(inspect.signature(specified).parameters)
            for argument in each.arguments:
                if argument not in known:
                    yield f"{each.name} takes {argument}; there is {', '.join(known) or 'none'}"


@rule
def its_hooks_are_async_where_they_are_awaited(subject: Subject) -> Iterator[str]:
    """An implementation is `async def` where the specification is, and `def` where it is not.

    Why: the kernel awaits the first kind alone; a coroutine that nobody awaits does nothing.

    Way out: hooks of the start are plain functions, those called while serving are `async def`; see `docs/hooks.md`.
    """
    for each in subject.implementations:
        if specified := subject.specifications.get(each.name):
            wanted = inspect.iscoroutinefunction(specified)
            function = each.function
            if wanted != (inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)):
                yield f"{each.name} is to be {'async def' if wanted else 'def'}"


@rule
def its_names_are_its_own(subject: Subject) -> Iterator[str]:
    """Its Piccolo apps are called as the plugin is, or begin so, and no other plugin has one of that name.

    Why: the app's name tells its migrations and tables from those of all other plugins, for ever.

    Way out: `AppConfig(app_name="<name of the entry point>", …)`.
    """
    if not NAME.fullmatch(subject.name):
        yield f"the plugin's name {subject.name!r} is not lower-case letters, digits, _ and -"
    for config in subject.piccolo_apps:
        if not plain(config.app_name).startswith(plain(subject.name)):
            yield f"the app {config.app_name} does not begin with {subject.name}"


@rule
def its_error_codes_are_its_own(subject: Subject) -> Iterator[str]:
    """Its error codes are a prefix of its own and three digits, as `NOTES_001`, and their status is from 400 to 599.

    Why: programs tell errors apart by code alone; a prefix that two plugins use clashes in some later version.

    Way out: choose a prefix that `GET /errors` does not show; one that is shared on purpose goes into
    `check_plugin(…, shared_codes=["…"])`.
    """
    theirs = {_prefix(cls): name for name, cls in subject.of_others("register_errors")}
    theirs |= {_prefix(cls): "the kernel" for cls in KERNEL_ERRORS}
    for cls in subject.errors:
        if not CODE.fullmatch(cls.code):
            yield f"{cls.__name__}: the code {cls.code} is not of the form PREFIX_001"
        elif (prefix := _prefix(cls)) in theirs and prefix not in subject.shared_codes:
            yield f"{cls.__name__}: codes that begin with {prefix}_ belong to {theirs[prefix]}"
        if not 400 <= cls.status <= 599:
            yield f"{cls.__name__}: the status is {cls.status}"


@rule
def its_errors_say_what_they_mean(subject: Subject) -> Iterator[str]:
    """Every error class that it registers has a docstring of its own, whose first line is a sentence.

    Why: that line is the `message` which clients get, and what `GET /errors` and `docs/errors.md` show.

    Way out: give the class a docstring, such as `Note not found.` It never carries a value that the caller sent.
    """
    for cls in subject.errors:
        first = inspect.cleandoc(cls.__dict__.get("__doc__") or "").partition("\n")[0]
        if not first.endswith("."):
            yield f"{cls.__name__}: {first!r}"


@rule
def its_routes_raise_registered_errors(subject: Subject) -> Iterator[str]:
    """Every error class that a route names in `raises` is registered by the plugin, or is the kernel's.

    Why: what is not registered is missing in the catalogue, and the start fails over a code that nobody has.

    Way out: return the class from `register_errors()`.
    """
    known = {*subject.errors, *KERNEL_ERRORS}
    for route in subject.routes:
        for cls in route.raises:
            if cls not in known:
                yield f"{shown(route)} raises {cls.__name__} ({cls.code})"


@rule
def its_routes_are_documented(subject: Subject) -> Iterator[str]:
    """Every route has a docstring, says what it returns, and its example of a body is one that it takes.

    Why: the OpenAPI document is made of it, and for clients what is not in there does not exist.

    Way out: a docstring for the handler; `returns=` a type, unless the status is 204 or `reply_media=` says that the
    answer is no JSON; `examples={"body": …}` that fits `body=`.
    """
    for route in subject.routes:
        if not (route.handler.__doc__ or "").strip():
            yield f"{shown(route)}: {route.handler.__name__} has no docstring"
        if route.returns is None and route.status != 204 and route.reply_media == JSON:
            yield f"{shown(route)} does not say what it returns"
        if wrong := _wrong_example(route):
            yield f"{shown(route)}: the example of its body: {wrong}"


@rule
def its_public_routes_are_known(subject: Subject) -> Iterator[str]:
    """Every route asks for a scope, or is listed as public, with a reason.

    Why: `@public` lets in the whole world; whoever reads the tests must see what is open, and why.

    Way out: `@requires("thing:read")`; or `check_plugin(…, public={"GET /path": "the reason"})`.
    """
    public = {shown(route) for route in subject.routes if route.public}
    for name in sorted(public - {name for name, reason in subject.public.items() if reason}):
        yield f"{name} is public, and no reason is given"
    for name in sorted(subject.public.keys() - public):
        yield f"{name} is listed, and is no public route"


@rule
def its_settings_are_explained(subject: Subject) -> Iterator[str]:
    """Every setting has one sentence of help, and a name that no other plugin and not the kernel has.

    Why: `voicera settings` shows that sentence; of two settings with one name, both are set at once.

    Way out: `Field(default, description="A sentence.")`, and begin the name with the plugin's.
    """
    theirs = {name for _, section in subject.of_others("register_settings") for name in section.model_fields}
    theirs |= {*type(subject.others[0]).model_fields}
    for section in subject.sections:
        for name, field in section.model_fields.items():
            if not (field.description or "").endswith("."):
                yield f"{section.__name__}.{name} has no help: {field.description!r}"
            if name in theirs:
                yield f"{section.__name__}.{name} is a setting of somebody else"


def _prefix(cls: type[ApiError]) -> str:
    found = CODE.fullmatch(cls.code)
    return found["prefix"] if found else cls.code


def _wrong_example(route: Route) -> str | None:
    declared: Any = route.body if route.body is not None else route.streamed_body
    if "body" not in route.examples or declared is None or declared is bytes:
        return None
    try:
        msgspec.json.decode(orjson.dumps(route.examples["body"]), type=declared)
    except msgspec.ValidationError as error:
        return str(error)
    return None
