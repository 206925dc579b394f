"""A worker of ours with something changed: a plugin more, or without the calls of the hooks."""

from __future__ import annotations

import argparse
import importlib
import sys
from functools import partial
from typing import Any

from core import app, worker
from core.hooks import Hooks


def main() -> int:
    """Change what is asked for, then serve as any worker does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plugin", action="append", default=[], help="a module that is registered as a plugin")
    parser.add_argument("--no-hooks", action="store_true", help="events reach nobody, and nobody looks who listens")
    options, others = parser.parse_known_args()
    if options.no_hooks:
        silence()
    extra = [importlib.import_module(name) for name in options.plugin]
    vars(worker)["discover"] = partial(app.discover, extra=extra)
    return worker.main(others)


def silence() -> None:
    """Put next to nothing in the place of the verbs that tell of events."""

    async def within(*_: Any, **__: Any) -> None:
        pass

    def after(*_: Any, **__: Any) -> None:
        pass

    def listened(*_: Any) -> bool:
        return False

    for name, verb in (("within", within), ("after", after), ("listened", listened)):
        setattr(Hooks, name, verb)


if __name__ == "__main__":
    sys.exit(main())
