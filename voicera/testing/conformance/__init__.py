"""The tests that every plugin must pass: `TestConformance = check_plugin(my_plugin)` in any test module.

Each rule is a function in one of the modules here; its docstring says the rule, why there is one, and the way out, and
is what a failing test prints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

import pytest

from voicera.testing.conformance import declared, imported, served, stored
from voicera.testing.conformance.rules import RULES, Rule
from voicera.testing.conformance.subject import Make, NotServed, Subject, name_of
from voicera.testing.running import Applications

MODULES = (declared, imported, stored, served)


def check_plugin(
    module: ModuleType,
    *,
    name: str | None = None,
    public: Mapping[str, str] | None = None,
    shared_tables: Mapping[str, str] | None = None,
    shared_codes: Sequence[str] = (),
    foreign_hooks: Sequence[str] = (),
    make: Mapping[str, Make] | None = None,
) -> type:
    """Return a class of tests, one a rule, for the plugin `module`, in an application with it and `voicera_plugins`.

    What a rule would refuse and is meant so is said here: `public` routes (`"GET /path"`) and `shared_tables` (that do
    not belong to one owner each), both with the reason; `shared_codes`, prefixes of error codes that another plugin has
    too; `foreign_hooks` of plugins that are not installed here. `make` says how to make a thing whose id stands in a
    path, where the example of `POST` on the path before the id does not: `{"/notes": make_note}`, a coroutine function
    that takes a `Client` and returns the id. `name` is the plugin's, if no entry point says it.
    """
    subject = {
        "module": module,
        "name": name or name_of(module),
        "public": public or {},
        "shared_tables": shared_tables or {},
        "shared_codes": shared_codes,
        "foreign_hooks": foreign_hooks,
        "make": make or {},
    }
    tests = {f"test_{rule.name}": _test(rule, subject) for rule in RULES}
    return type("TestConformance", (), {"__doc__": f"The plugin {subject['name']} keeps every rule.", **tests})


async def running_subject(
    told: Mapping[str, Any], applications: Applications, environ: Mapping[str, str], plugins: Iterable[ModuleType]
) -> Subject:
    """The subject with its application, or with the reason why there is none."""
    subject = Subject(**told)
    try:
        subject.app = await applications.get(environ, dict.fromkeys((*plugins, subject.module)))
    except Exception as error:  # whatever it is, a test is to say so
        subject.failure = f"{type(error).__name__}: {error}"
        return subject
    for info in subject.app.app.ctx.plugins.infos():
        if info.name in (subject.name, subject.module.__name__) and info.status != "active":
            subject.failure = f"it is {info.status}: {info.error}"
    return subject


def _test(rule: Rule, told: Mapping[str, Any]) -> Any:
    async def test(
        self: Any, voicera_apps: Applications, voicera_environ: Mapping[str, str], voicera_plugins: Iterable[ModuleType]
    ) -> None:
        subject = Subject(**told)
        if rule.asks:
            subject = await running_subject(told, voicera_apps, voicera_environ, voicera_plugins)
        try:
            found = await rule.broken(subject)
        except NotServed:
            pytest.skip("no application runs with the plugin: see test_it_is_active")
        if found:
            pytest.fail(rule.message(found), pytrace=False)

    test.__name__ = test.__qualname__ = f"test_{rule.name}"
    test.__doc__ = rule.parts[0]
    return test


__all__ = ["RULES", "Rule", "Subject", "check_plugin", "running_subject"]
