"""Writes the pages of docs/ that come from the code: settings, errors, hooks. `make docs` runs it.

A test compares them, so a setting, an error code or a hook that nobody documented fails `make test`.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from enum import Enum
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from pydantic import SecretStr

import voicera
from core import hookspecs
from core.app import Assembly, assemble, discover
from core.settings import PREFIX, SettingsSection, plain

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
EXAMPLES = ROOT / "tests" / "hooks" / "examples"
CALLERS = ("core", "plugins", "voicera", "examples", "tests/hooks/examples")  # what calls hooks
NO_DEFAULT = (dataclasses.MISSING, msgspec.NODEFAULT)
Plain = str | bytes | int | float | tuple | None
NOTE = "<!-- Written by `make docs` from the code; change it there. -->\n\n"


def main() -> None:
    """Write the pages."""
    for name, text in pages().items():
        (DOCS / name).write_text(text)


def pages() -> dict[str, str]:
    """The pages by file name."""
    assembly = assemble(*discover(environ={}))
    return {
        "settings.md": NOTE + "\n".join(settings_page(assembly)) + "\n",
        "errors.md": NOTE + "\n".join(errors_page(assembly)) + "\n",
        "hooks.md": NOTE + "\n".join(hooks_page()) + "\n",
    }


def settings_page(assembly: Assembly) -> Iterator[str]:
    """Every setting with its default and meaning."""
    yield "# Settings\n"
    yield "Each is an environment variable, or a line of `.env` in the working directory. `voicera settings` shows the values"
    yield "in force and where each comes from; a variable that starts with `VOICERA_` and is none of these is refused.\n"
    for section in assembly.settings.sections():
        yield f"## {headline(section)}\n"
        yield "| variable | default | meaning |\n|---|---|---|"
        for name, field in type(section).model_fields.items():
            yield f"| `{PREFIX}{name.upper()}` | {shown(section, name)} | {field.description} |"
        yield ""


def headline(section: SettingsSection) -> str:
    """What a group of settings is about."""
    return (inspect.getdoc(type(section)) or "").splitlines()[0].rstrip(".")


def signature(name: str, function: Any) -> str:
    """A hook's signature as it is written."""
    keyword = "async def" if inspect.iscoroutinefunction(function) else "def"
    return f"{keyword} {name}{inspect.signature(function)}".replace("'", "")


def shown(section: SettingsSection, name: str) -> str:
    """A default as text; nothing where there is none."""
    value = type(section).model_fields[name].default
    return "" if value in (None, (), "") or isinstance(value, SecretStr) else f"`{plain(value)}`"


def errors_page(assembly: Assembly) -> Iterator[str]:
    """Every error code with its statuses and meaning."""
    yield "# Errors\n"
    yield 'An error is `{"code", "message", "details"}` under `error` of the envelope; `details` is a sentence, or a list of'
    yield '`{"field", "message"}`. With `Accept: application/problem+json` it is problem details (RFC 9457). `GET /errors` answers'
    yield "this list.\n"
    yield "| code | status | meaning | from |\n|---|---|---|---|"
    for entry in assembly.errors.listing():
        statuses = ", ".join(map(str, entry["statuses"]))
        yield f"| `{entry['code']}` | {statuses} | {entry['message']} | {entry['plugin']} |"


def hooks_page() -> Iterator[str]:
    """Every hook: its signature, its verb, what it is for, what it carries, and an example that is tested."""
    modules, called = hook_modules(), verbs()
    users = discover(environ={})[1].hooks.users_of
    described: set[str] = set()
    yield from hooks_preface(modules)
    for module in modules:
        yield f"## {headline_of(module)}\n"
        for name, function in specifications(module):
            yield f"### `{name}`\n"
            yield f"```python\n{signature(name, function)}\n```\n"
            used = ", ".join(f"`{plugin}`" for plugin in users(name))
            yield f"{CALLED[called[name]]}{f' Bundled plugins that implement it: {used}.' if used else ''}\n"
            yield f"{inspect.getdoc(function)}\n"
            yield from example_of(name)
        if carried := [each for each in carried_by(module) if each[0] not in described]:
            yield "### What they carry\n"
            for name, thing in carried:
                described.add(name)
                yield from described_as(name, thing)


CALLED = {
    "collect": "By *collect*: a plain function, in no transaction.",
    "first": "By *first*: a question, until one answers.",
    "within": "By *within*: in the transaction of the caller, which an error rolls back.",
    "after": "By *after*: when the transaction has committed, in the background; an error is logged.",
}
PREFACE = """# Hooks

A plugin is a module; a function with `@hookimpl` and the name of a hook is called. It may take fewer arguments than the hook gives.
Implementations are called in the order of the plugins: the bundled ones by name, then the installed ones by name;
`@hookimpl(tryfirst=True)` and `trylast=True` put one before or behind the others. Where the plugin that publishes a hook may be disabled,
write `@hookimpl(optionalhook=True)`: else yours is left out then.

A hook is called by one of four verbs, which say in which transaction it runs and what an error does, where its own text says no more:

| verb | when | in which transaction | what an error does |
|---|---|---|---|
| *collect* | when a worker or a command starts; a plain function | none | a bundled plugin ends the start; an installed one is left out, logged, and shown with its error by `GET /plugins` and `voicera plugins` |
| *first* | when somebody asks: in turn, until one answers something other than None | none, or where the hook gives a `connection` the one that its text names | it goes up to whoever asked: an `ApiError` is the client's answer, any other error SERVER_001 |
| *within* | every implementation in turn, before the commit | the caller's, on its `connection` | the transaction is rolled back; an `ApiError` is the client's answer, any other error SERVER_001 |
| *after* | every implementation by itself, in the background, when the transaction has committed | none | it is logged and counted with the plugin's name, and nobody else notices; so is one that takes longer than `VOICERA_AFTER_SECONDS`. One that keeps failing is skipped for a while |

Every call is measured, and `GET /plugins` shows calls, time and failures of each plugin and hook. A plugin calls hooks, its own and those
of others, as `resources.hooks.first(…)`, `.within(…)` and `.after(…)`.

Each example below is a whole plugin; a test named after the hook runs it in a service and looks at what it does. Real ones keep
routes, rules and SQL in modules of their own: see [writing a plugin](writing-a-plugin.md).
"""


def hooks_preface(modules: list[ModuleType]) -> Iterator[str]:
    """What holds for all hooks, and which there are."""
    yield PREFACE
    yield "| published by | hooks |\n|---|---|"
    for module in modules:
        names = ", ".join(f"[`{name}`](#{name})" for name, _ in specifications(module))
        yield f"| {headline_of(module)} | {names} |"
    yield ""


def headline_of(module: ModuleType) -> str:
    """Whose hooks a module has."""
    return "The kernel" if module is hookspecs else module.__name__.split(".")[1].capitalize()


def example_of(hook: str) -> Iterator[str]:
    """The example of a hook, with the migrations that belong to it."""
    path = EXAMPLES / f"{hook}.py"
    yield f"Example:\n\n```python\n{path.read_text().strip()}\n```\n"
    for beside in sorted(path.with_suffix("").glob("*.py")):
        yield f"and its migration, `{beside.parent.name}/{beside.name}`:\n"
        yield f"```python\n{beside.read_text().strip()}\n```\n"


# Where each verb has the name of the hook among its arguments. There are several ways to collect.
VERBS = {
    "collect": ("collect", 0),
    "collect_from": ("collect", 1),
    "brought": ("collect", 0),
    "first": ("first", 0),
    "within": ("within", 0),
    "after": ("after", 1),
}


def verbs() -> dict[str, str]:
    """By which verb each hook is called, as the code calls it; the page cannot be written where that is not one.

    A name that is not written out at the call is looked for where it comes from: in the loop that gives it
    (`for question in ("known_agents", …)`), or in the keyword that set the attribute (`event="campaign_paused"`, or
    with a constant of that text).
    """
    known = {name for module in hook_modules() for name, _ in specifications(module)}
    trees = [tree for folder in CALLERS for tree in parsed(ROOT / folder)]
    passed: dict[str, set[str]] = {}
    constants = {name: text for tree in trees for name, text in constants_of(tree) if text in known}
    for node in (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.keyword)):
        text = constants.get(node.value.id) if isinstance(node.value, ast.Name) else getattr(node.value, "value", None)
        if text in known:
            passed.setdefault(node.arg or "", set()).add(text)
    found: dict[str, set[str]] = {name: set() for name in sorted(known)}
    for tree in trees:
        for verb, argument in calls_by_verb(tree):
            for name in named(argument, tree, passed) & known:
                found[name].add(verb)
    if wrong := {name: sorted(by) for name, by in found.items() if len(by) != 1}:
        raise ValueError(f"a hook is called by exactly one verb, and not so: {wrong}")
    return {name: by.pop() for name, by in found.items()}


@cache
def parsed(folder: Path) -> tuple[ast.Module, ...]:
    """The modules of a folder."""
    return tuple(ast.parse(path.read_text()) for path in sorted(folder.rglob("*.py")))


def constants_of(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The constants of a module that are strings."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield from ((target.id, node.value.value) for target in node.targets if isinstance(target, ast.Name))


def calls_by_verb(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """The calls of verbs, with what they give as the name of the hook."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            verb, place = VERBS.get(name, ("", 0))
            if verb and len(node.args) > place:
                yield verb, node.args[place]


def named(argument: ast.expr, tree: ast.Module, passed: dict[str, set[str]]) -> set[str]:
    """The strings that an expression can be, as far as they stand in loops of the same file or in keywords."""
    names: set[str] = set()
    for node in ast.walk(argument):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)
        elif isinstance(node, ast.Attribute):
            names |= passed.get(node.attr, set())
        elif isinstance(node, ast.Name):
            for loop in ast.walk(tree):
                if isinstance(loop, ast.For | ast.comprehension) and node.id in bound(loop.target):
                    names |= named(loop.iter, ast.Module([], []), passed)
    return names


def bound(target: ast.expr) -> set[str]:
    """The names that a loop binds."""
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}


def carried_by(module: ModuleType) -> list[tuple[str, Any]]:
    """What the hooks of a module take and give: dataclasses, Structs, protocols and what their fields are, by name."""
    found: dict[str, Any] = {}

    def look(annotation: object, where: ModuleType) -> None:
        for name in re.findall(r"[A-Z]\w+", str(annotation)):
            thing = vars(where).get(name, getattr(voicera, name, None))
            if name in found or not is_carried(thing):
                continue
            found[name] = thing
            home = sys.modules[thing.__module__] if isinstance(thing, type) else where
            if home.__name__.startswith("plugins."):
                for each in getattr(thing, "__annotations__", {}).values():
                    look(each, home)

    for _, function in specifications(module):
        for annotation in function.__annotations__.values():
            look(annotation, module)
    return list(found.items())


def is_carried(thing: Any) -> bool:
    """True for what has fields, methods or values that an author must know."""
    if not isinstance(thing, type):
        return get_origin(thing) is Literal
    shaped = dataclasses.is_dataclass(thing) or issubclass(thing, msgspec.Struct | Enum)
    return shaped or getattr(thing, "_is_protocol", False)


def described_as(name: str, thing: Any) -> Iterator[str]:
    """A class as its author would write it, without what it does."""
    yield f"#### `{name}`\n"
    if not isinstance(thing, type):
        yield f"`{', '.join(map(repr, get_args(thing)))}`\n".replace("'", '"')
        return
    yield f"{inspect.getdoc(thing)}\n"
    bases = ", ".join(base.__name__ for base in thing.__bases__ if base is not object)
    yield f"```python\nclass {name}{f'({bases})' if bases else ''}:"
    if issubclass(thing, Enum):
        yield from (f'    {each.name} = "{each.value}"' for each in thing)
    elif getattr(thing, "_is_protocol", False):
        for method, function in vars(thing).items():
            if inspect.isfunction(function) and not method.startswith("_"):
                said = (inspect.getdoc(function) or "").splitlines()[0]
                yield f'    {signature(method, function)}:\n        """{said}"""'
    else:
        yield from (f"    {line}" for line in fields_of(thing))
    yield "```\n"


def fields_of(thing: type) -> Iterator[str]:
    """The fields of a dataclass or a Struct with types and defaults; the OpenAPI document has the bounds of a type."""
    if dataclasses.is_dataclass(thing):
        fields: Any = dataclasses.fields(thing)
        kinds = {field.name: str(field.type) for field in fields}
    else:
        fields = msgspec.structs.fields(thing)
        kinds = {name: written(kind) for name, kind in get_type_hints(thing).items()}
    for field in fields:
        default = ""
        if field.default_factory not in NO_DEFAULT:
            default = f" = {field.default_factory.__name__}()"
        elif field.default not in NO_DEFAULT:
            default = f" = {field.default!r}" if isinstance(field.default, Plain) else " = …"
        yield f"{field.name}: {kinds[field.name]}{default}"


def written(kind: Any) -> str:
    """A type as one writes it."""
    if isinstance(kind, type):
        return kind.__name__ if get_origin(kind) is None else re.sub(r"\b[a-z_]+\.", "", str(kind))
    inner = get_args(kind)
    if type(None) in inner:
        return " | ".join([*(written(each) for each in inner if each is not type(None)), "None"])
    return re.sub(r"\b[a-z_]+\.", "", str(kind))


def hook_modules() -> list[ModuleType]:
    """The modules with hook specifications: the kernel's, then the plugins'."""
    _, plugins = discover(environ={})
    return [hookspecs, *[importlib.import_module(found.__name__) for _, found in plugins.collect("register_hookspecs")]]


def specifications(module: ModuleType) -> list[tuple[str, Any]]:
    """The hooks that a module specifies, in their order."""
    found = inspect.getmembers(
        module, lambda member: inspect.isfunction(member) and member.__module__ == module.__name__
    )
    marked = [(name, function) for name, function in found if hasattr(function, f"{hookspecs.PROJECT}_spec")]
    return sorted(marked, key=lambda pair: inspect.getsourcelines(pair[1])[1])


if __name__ == "__main__":
    main()
