"""Writes the package of a new plugin, whole and tested, from the templates beside this file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import core
from core import API_VERSION, plugins
from core.scaffold.migration import write_first_migration

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST_NAME = 40
SUFFIX = ".txt"  # so that no tool takes a template for a program
ELSEWHERE = {"gitignore": ".gitignore"}


class ScaffoldError(Exception):
    """The package cannot be written; the message says why."""


def write_plugin(name: str, into: Path) -> list[Path]:
    """Write `voicera-NAME/` into a directory; return the files, in order of their paths.

    Raises ScaffoldError for a name that is none or is taken, and where the package exists already: nothing of it is
    touched then.
    """
    _refuse(name)
    package = into / f"voicera-{name.replace('_', '-')}"
    if package.exists():
        raise ScaffoldError(f"{package} exists already")
    written = []
    for path, text in _files(name):
        target = package / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        written.append(target)
    module = package / values(name)["module"]
    return sorted([*written, write_first_migration(module / "tables.py", module / "piccolo_migrations", name)])


def _refuse(name: str) -> None:
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise ScaffoldError(f"{name!r} is no name for a plugin: small letters, digits and _, such as short_calls")
    if name in {"core", *plugins.names()}:
        raise ScaffoldError(f"a plugin called {name} is there already")


def _files(name: str) -> Iterator[tuple[Path, str]]:
    words = values(name)
    for path, template in _templates(resources.files(core.__name__) / "scaffold" / "template", Path()):
        yield Path(*(words["module"] if part == "package" else part for part in path.parts)), fill(template, words)


def _templates(folder: Traversable, path: Path) -> Iterator[tuple[Path, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _templates(entry, path / entry.name)
        elif entry.name.endswith(SUFFIX):
            name = entry.name.removesuffix(SUFFIX)
            yield path / ELSEWHERE.get(name, name), entry.read_text()


def values(name: str) -> dict[str, str]:
    """What the templates' {{words}} stand for."""
    title = name.replace("_", " ")
    return {
        "name": name,
        "module": f"voicera_{name}",
        "path": name.replace("_", "-"),
        "NAME": name.upper(),
        "Class": title.title().replace(" ", ""),
        "title": title.capitalize(),
        "summary": "Notes long calls, for somebody to listen to.",
        "api_version": API_VERSION,
    }


def fill(template: str, words: dict[str, str]) -> str:
    """Put the words in; KeyError for one that is not known."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: words[found[1]], template)
