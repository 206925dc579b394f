"""Every hook that is published has a real plugin that answers it: in the box, among the examples, or in `voicera`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPECIFIED = [ROOT / "core" / "hookspecs.py", *sorted((ROOT / "plugins").glob("*/hookspecs.py"))]
PLUGINS = ("plugins", "examples", "voicera")
NOT_REAL = {"tests", "testing"}  # what answers there is made for a test
WAY_OUT = """nobody implements {}.
A hook that no plugin needs is one that nobody has tried: what it carries, when it comes, and what its errors do were
only guessed. Ship it together with a plugin that needs it: one of the box, or a package in examples/ (a small one
is welcome; a test alone is none). If nobody needs it, take it out before it is published; afterwards, deprecate it
with `warn_on_impl` (docs/compatibility.md): then it needs no user any more."""
SPECIFICATIONS = """
@hookspec
def a(): ...

@hookspec(historic=True)
async def b(): ...

@hookspec(warn_on_impl=DeprecationWarning("implement b"))
def gone(): ...
"""
IMPLEMENTATIONS = """
@hookimpl
def a(): ...

@hookimpl(optionalhook=True)
async def b(): ...

@hookimpl(specname="c")
def of_another_name(): ...

def unmarked(): ...
"""


def specified(source: str) -> Iterator[str]:
    """The hooks that a module publishes, without those that are deprecated."""
    for function, options in _marked(source, "hookspec"):
        if "warn_on_impl" not in options:
            yield function


def implemented(source: str) -> Iterator[str]:
    """The hooks that a module answers: called as the function is, or as `specname` says."""
    for function, options in _marked(source, "hookimpl"):
        named = options.get("specname")
        yield str(named.value) if isinstance(named, ast.Constant) else function


def _marked(source: str, marker: str) -> Iterator[tuple[str, dict[str | None, ast.expr]]]:
    """The functions at the top of a module with `@marker` or `@marker(…)`: their names, and what is in the brackets."""
    functions = [each for each in ast.parse(source).body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    for function in functions:
        for decorator in function.decorator_list:
            name = decorator.func if isinstance(decorator, ast.Call) else decorator
            if isinstance(name, ast.Name) and name.id == marker:
                given = decorator.keywords if isinstance(decorator, ast.Call) else []
                yield function.name, {keyword.arg: keyword.value for keyword in given}


def _real_modules() -> Iterator[Path]:
    for folder in PLUGINS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not NOT_REAL & set(path.relative_to(ROOT).parts):
                yield path


HOOKS = sorted(name for path in SPECIFIED for name in specified(path.read_text()))
ANSWERED = {name for path in _real_modules() for name in implemented(path.read_text())}


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_implemented_by_a_real_plugin(hook: str) -> None:
    assert hook in ANSWERED, WAY_OUT.format(hook)


def test_all_forms_of_both_marks_are_found() -> None:
    assert list(specified(SPECIFICATIONS)) == ["a", "b"]
    assert list(implemented(IMPLEMENTATIONS)) == ["a", "b", "c"]
    assert {"authenticate", "agents_changed", "calls_recording", "register_hookspecs"} <= set(HOOKS)
