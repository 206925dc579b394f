"""Rows put together into batches, read ahead by a thread while earlier ones are under way."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from plugins.calls.commands.readers import Row, rows_of
from plugins.calls.commands.sources import Source
from plugins.calls.commands.values import to_send

MOST_ROWS = 1_000
MOST_BYTES = 4 << 20
READ_AHEAD = 2
MOST_SHOWN = 4_000


@dataclass(slots=True)
class Refused:
    """A row that is not imported, and why: pairs of a field and what is wrong with it."""

    line: int
    reasons: list[tuple[str, str]]
    row: Any = None


@dataclass(slots=True)
class Batch:
    """Rows that are sent together: `start` rows of the file stand before it, `end` are read with it.

    `read` is how many bytes of the file had been read then. `refused` are rows that nobody needs to be asked about.
    """

    start: int
    end: int = 0
    read: int = 0
    size: int = 0
    lines: list[int] = field(default_factory=list)
    rows: list[bytes] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    @property
    def full(self) -> bool:
        """True where it should be sent."""
        return len(self.rows) + len(self.refused) >= MOST_ROWS or self.size >= MOST_BYTES


def batches(source: Source, skip: int) -> Iterator[Batch]:
    """The rows after the first `skip`, in batches; the same file gives the same batches. Raises Unreadable."""
    batch = Batch(skip, skip)
    for row in rows_of(source, skip):
        batch.end += 1
        _add(batch, row, source.drop)
        if batch.full:
            batch.read = source.position
            yield batch
            batch = Batch(batch.end, batch.end)
    if batch.end > batch.start:
        batch.read = source.position
        yield batch


def _add(batch: Batch, row: Row, drop: frozenset[str]) -> None:
    line, value, problem = row
    if not problem:
        try:
            sent = to_send(value, drop)
        except ValueError as error:
            problem = str(error)
    if problem:
        shown = value[:MOST_SHOWN] if isinstance(value, str) else value
        batch.refused.append(Refused(line, [("", problem)], shown))
        return
    batch.lines.append(line)
    batch.rows.append(sent)
    batch.size += len(sent)


@dataclass(slots=True)
class _End:
    error: Exception | None


async def ahead(items: Iterable[Batch]) -> AsyncIterator[Batch]:
    """Give what a thread reads, and raise what it raises.

    The thread is a daemon, since it may wait for standard input when everything else has ended.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Batch | _End] = asyncio.Queue(READ_AHEAD)

    def put(item: Batch | _End) -> None:
        putting = queue.put(item)
        try:
            done = asyncio.run_coroutine_threadsafe(putting, loop)
        except RuntimeError:  # the loop has been closed
            putting.close()
            raise
        done.result()

    def read() -> None:
        end = _End(None)
        try:
            for item in items:
                put(item)
        except Exception as error:  # whatever it is, the loop must hear of it
            end = _End(error)
        with contextlib.suppress(RuntimeError):  # nobody listens any more
            put(end)

    threading.Thread(target=read, name="reads ahead", daemon=True).start()
    while not isinstance(item := await queue.get(), _End):
        yield item
    if item.error is not None:
        raise item.error
