"""What an application logs while a test runs, as the fields of its JSON lines."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core.logging import Access, access_fields, fields_of
from voicera.testing.running import Running


class Log(logging.Handler):
    """The lines that were logged, each as a dict: `message`, `level`, `logger`, and what `extra` gave, redacted."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line of the standard logging."""
        self.lines.append(fields_of(record))

    def put(self, line: Access) -> None:
        """Keep the line of a request, as `core.logging.LogWriter` would write it."""
        self.lines.append(access_fields(line))

    def find(self, message: str | None = None, **fields: Any) -> list[dict[str, Any]]:
        """The lines with this message and these fields, oldest first, as `find("request", status=404)`."""
        wanted = fields if message is None else {"message": message, **fields}
        return [line for line in self.lines if wanted.items() <= _comparable(line).items()]


@contextmanager
def log_of(running: Running, level: int = logging.INFO) -> Iterator[Log]:
    """Collect what is logged from here on, by the application and by everything else of this process."""
    log, root, context = Log(), logging.getLogger(), running.app.ctx
    before_level, before_log = root.level, context.log
    root.addHandler(log)
    root.setLevel(level)
    context.log = log
    try:
        yield log
    finally:
        context.log = before_log
        root.setLevel(before_level)
        root.removeHandler(log)


def _comparable(line: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in line.items()}
