"""The service's deadlines, out of the way of tests: a machine that stands still for seconds fails none of them.

In service each deadline is as short as a healthy server answers in, so that one that is away costs a caller little. A
machine that runs tests may stall for longer, and what is away says so there at once: a refused connection, a process
that has ended. So while an application is under test its deadlines are too long to matter. A test that is about one
sets it, by the same name: `monkeypatch.setattr("core.database.ACQUIRE_SECONDS", 0.1)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any

from core import cache, database, figure_store, health, ratelimit, storage

PATIENCE = 30.0  # seconds
# All of them are read where they are used, when they are used.
DEADLINES: tuple[tuple[ModuleType, str], ...] = (
    (database, "ACQUIRE_SECONDS"),
    (database, "COMMAND_SECONDS"),
    (database, "CONNECT_SECONDS"),
    (cache, "CONNECT_SECONDS"),
    (cache, "STREAM_SECONDS"),
    (ratelimit, "ANSWER_SECONDS"),
    (figure_store, "ANSWER_SECONDS"),
    (health, "PROBE_SECONDS"),
    (storage, "OPEN_SECONDS"),
)
# What PostgreSQL ends by itself, in milliseconds.
SESSION = dict.fromkeys(
    ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"), f"{PATIENCE * 1000:.0f}"
)
# Those that are settings, and so hold in programs that a test starts as well.
SETTINGS = dict.fromkeys(("REQUEST_DEADLINE", "SLOW_CLIENT_GRACE", "AFTER_SECONDS"), f"{2 * PATIENCE:.0f}")
_holders: list[None] = []
_undo = ExitStack()


@contextmanager
def patient() -> Iterator[None]:
    """Have this process wait as long as it takes, until the context is left; inside another one nothing changes.

    So what a test has set meanwhile stays as it is when the next application starts.
    """
    if not _holders:
        _lengthen()
    _holders.append(None)
    try:
        yield
    finally:
        _holders.pop()
        if not _holders:
            _undo.close()


def _lengthen() -> None:
    for module, name in DEADLINES:
        _put(module, name, PATIENCE)
    _put(database, "SESSION", database.SESSION | SESSION)


def _put(module: ModuleType, name: str, value: Any) -> None:
    _undo.callback(setattr, module, name, getattr(module, name))
    setattr(module, name, value)
