"""Writes the pages of docs/ that come from the code: settings, errors, hooks. `make docs` runs it.

A test compares them, so a setting, an error code or a hook that nobody documented fails `make test`.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import SecretStr

from core import hookspecs
from core.app import Assembly, assemble, discover
from core.settings import PREFIX, SettingsSection, plain

DOCS = Path(__file__).parents[1] / "docs"
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
    """Every hook with its signature and what it is for."""
    yield "# Hooks\n"
    yield "A plugin is a module; a function with `@hookimpl` and the name of a hook is called. It may take fewer arguments than"
    yield "the hook gives. Hooks called at the start are plain functions; those called while serving are `async def`.\n"
    yield "The kernel calls them by four verbs: *collect* at the start (an error stops it), *first* for a question (until one"
    yield "answers), *within* the caller's transaction (an error rolls it back), *after* its commit (an error is logged).\n"
    for module in hook_modules():
        yield f"## {'The kernel' if module is hookspecs else module.__name__.split('.')[1].capitalize()}\n"
        for name, function in specifications(module):
            yield f"### `{name}`\n"
            yield f"```python\n{signature(name, function)}\n```\n"
            yield f"{inspect.getdoc(function)}\n"


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
