"""The import of files: batches under way, what became of them, and how far it has come."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from pathlib import Path
from typing import IO, Protocol

from rich.markup import escape
from rich.progress import Progress, TaskID
from rich.table import Table

from plugins.calls.commands.batches import Batch, Refused, ahead, batches
from plugins.calls.commands.position import Position, Totals
from plugins.calls.commands.progress import err, progress
from plugins.calls.commands.sources import Format, Source, opened

UNDER_WAY = 3
MOST_IN_TABLE = 20


Outcome = tuple[Totals, list[Refused]]
Settled = tuple[Batch, Totals, list[Refused]]


class Sender(Protocol):
    """Where batches go. `target` names whose calls they become, without a secret."""

    target: str

    async def send(self, batch: Batch) -> Outcome:
        """Record a batch; it may be called again with the same one, which must not count anything twice."""
        ...


class Rejections:
    """The rows that were refused: all of them in a file, the first ones to be shown."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: IO[str] | None = None
        self.first: list[tuple[str, Refused]] = []

    def add(self, name: str, refused: Sequence[Refused]) -> None:
        """Write these down, as NDJSON: file, line, errors, and the row."""
        for each in refused:
            if len(self.first) < MOST_IN_TABLE:
                self.first.append((name, each))
            if self._path is not None:
                self._file = self._file or self._path.open("a", encoding="utf-8")
                errors = [{"field": field, "message": message} for field, message in each.reasons]
                entry = {"file": name, "line": each.line, "errors": errors, "row": each.row}
                self._file.write(json.dumps(entry, ensure_ascii=False, default=str) + "\n")

    def flush(self) -> None:
        """Bring what was written to the file."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def show(self, total: int) -> None:
        """Show the first ones as a table."""
        if not self.first:
            return
        table = Table("Row", "Field", "Why", title="Rejected", title_justify="left")
        for name, each in self.first:
            for place, (field, message) in enumerate(each.reasons):
                table.add_row("" if place else escape(f"{name}:{each.line}"), escape(field), escape(message))
        err.print(table)
        rest = total - len(self.first)
        if rest > 0:
            where = f"all are in {self._path}" if self._path else "--rejected FILE writes them all down"
            err.print(f"… and {rest:,} more; {escape(where)}", soft_wrap=True)


class Import:
    """The import of one file after another to one owner."""

    def __init__(self, sender: Sender, rejections: Rejections, *, restart: bool = False) -> None:
        self._sender, self._rejections, self._restart = sender, rejections, restart
        self.totals = Totals()
        self.fresh = 0

    async def files(self, names: Sequence[str], given: Format | None, drop: Iterable[str] = ()) -> None:
        """Import files, without the fields to `drop`.

        Raises Unreadable, or what the sender raises, where one cannot be imported to its end.
        """
        with progress() as bar:
            for name in names:
                with opened(name, given, frozenset(drop)) as source:
                    await self._file(source, bar)

    async def _file(self, source: Source, bar: Progress) -> None:
        position = Position(source.path, self._sender.target)
        done = Totals() if self._restart else position.load()
        if position.changed:
            err.print(f"{escape(source.name)} has changed since its last import, or it was another's: from the start")
        if done.read:
            err.print(f"{escape(source.name)}: going on after {done.read:,} rows (--restart begins anew)")
        self.totals.add(done)
        task = bar.add_task(source.name, total=source.size, rows=done.read, fresh=0)
        before = done.read
        try:
            async with contextlib.aclosing(self._settled(source, done.read)) as settled:
                async for batch, totals, refused in settled:
                    self._rejections.add(source.name, refused)
                    done.add(totals)
                    self.totals.add(totals)
                    self.fresh += totals.read
                    self._rejections.flush()
                    position.save(done)
                    _show(bar, task, batch, done, before)
        except BaseException:
            if done.read:
                position.save(done, now=True)
            raise
        position.remove()

    async def _settled(self, source: Source, skip: int) -> AsyncGenerator[Settled, None]:
        """The batches of a file in their order, each when it is recorded, a few under way at a time."""
        under_way: deque[tuple[Batch, asyncio.Task[Outcome]]] = deque()
        try:
            async for batch in ahead(batches(source, skip)):
                under_way.append((batch, asyncio.create_task(self._sender.send(batch))))
                if len(under_way) >= UNDER_WAY:
                    yield await _oldest(under_way)
            while under_way:
                yield await _oldest(under_way)
        finally:
            for _, task in under_way:
                task.cancel()
            await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)


async def _oldest(under_way: deque[tuple[Batch, asyncio.Task[Outcome]]]) -> Settled:
    batch, task = under_way[0]
    totals, refused = await task
    under_way.popleft()
    totals.read += len(batch.refused)
    totals.rejected += len(batch.refused)
    return batch, totals, sorted([*batch.refused, *refused], key=lambda each: each.line)


def _show(bar: Progress, task: TaskID, batch: Batch, done: Totals, before: int) -> None:
    bar.update(task, completed=batch.read, rows=done.read, fresh=done.read - before)
