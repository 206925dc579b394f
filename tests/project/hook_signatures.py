"""Notes the arguments of all hooks, and the fields of what they carry, in `hook_signatures.json`.

`python -P tests/project/hook_signatures.py` notes what is new. It refuses to forget anything: a plugin out there may
use it. What may change, and when, stands in docs/compatibility.md; a new major version begins with an empty file.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from core import hookspecs
from core.app import discover

FILE = Path(__file__).with_name("hook_signatures.json")
Noted = dict[str, dict[str, Any]]


def current() -> Noted:
    """The hooks and events there are, by `module.name`."""
    _, plugins = discover(environ={})
    modules = [("core", hookspecs), *plugins.collect("register_hookspecs")]
    found: Noted = {}
    for plugin, module in modules:
        found |= {f"{plugin}.{name}": noted for name, noted in of(module).items()}
    return dict(sorted(found.items()))


def of(module: ModuleType) -> Noted:
    """The hooks and events that one module specifies."""
    found: Noted = {}
    package = module.__name__.rpartition(".")[0] or module.__name__
    for name, member in vars(module).items():
        if hasattr(member, f"{hookspecs.PROJECT}_spec"):
            arguments = list(inspect.signature(member).parameters)
            found[name] = {"arguments": arguments, "async": inspect.iscoroutinefunction(member)}
        elif dataclasses.is_dataclass(member) and member.__module__.startswith(package):
            found[name] = {"fields": [field.name for field in dataclasses.fields(member)]}
    return found


def lost(before: Noted, now: Noted) -> list[str]:
    """What a plugin could use before and cannot now, each in a sentence."""
    found = []
    for name, noted in before.items():
        if name not in now:
            found.append(f"{name} is gone")
            continue
        if noted.get("async") != now[name].get("async"):
            found.append(f"{name} is async no longer, or has become so")
        for kind in ("arguments", "fields"):
            gone = [each for each in noted.get(kind, []) if each not in now[name].get(kind, [])]
            found += [f"{name} has lost {each}" for each in gone]
    return found


def stored() -> Noted:
    """What has been noted."""
    noted: Noted = json.loads(FILE.read_text()) if FILE.exists() else {}
    return noted


def main() -> int:
    """Note what is new; 1 if something is gone."""
    now = current()
    if wrong := lost(stored(), now):
        sys.stderr.write("\n".join(wrong) + "\n")
        return 1
    FILE.write_text(json.dumps(now, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
