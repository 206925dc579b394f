"""The export: lines as they come, into a file that appears when it is complete."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import aiohttp
import msgspec

from plugins.calls.commands.formats import chosen
from plugins.calls.commands.origins import Origin
from plugins.calls.commands.progress import progress
from plugins.calls.commands.sources import STDIN, Unreadable
from plugins.calls.commands.writers import FORMATS, packed, resumable
from plugins.calls.hookspecs import CallWriter, ExportFormat
from voicera.client import PATIENCE, ApiFailed, Pauses

SAVE_SECONDS = 1.0
SHOW_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What to export, and where to; `filters` are query parameters of the list, `formats` those that there are."""

    output: str
    given: str | None
    filters: Mapping[str, str]
    resume: bool
    formats: Sequence[ExportFormat] = FORMATS

    @property
    def format(self) -> ExportFormat:
        """The format that was asked for, or that the file's name tells; raises KeyError."""
        return chosen(self.formats, self.given, self.output)


class _Id(msgspec.Struct):
    id: str


@dataclass(slots=True)
class Part:
    """An unfinished file, and how far it has come: FILE.part and FILE.part.state."""

    path: Path
    of: Mapping[str, Any]
    rows: int = 0
    last: str | None = None
    size: int = 0
    saved: float = field(default_factory=time.monotonic)

    @property
    def file(self) -> Path:
        """Where the rows are until all are there."""
        return self.path.with_name(self.path.name + ".part")

    @property
    def state(self) -> Path:
        """Where it says how many of its bytes can be trusted."""
        return self.path.with_name(self.path.name + ".part.state")

    def load(self) -> None:
        """Take up what an earlier export left, if it left anything; raises Unreadable if that was another one."""
        try:
            kept = json.loads(self.state.read_text(encoding="utf-8"))
            rows, last, size = int(kept.pop("rows")), str(kept.pop("last")), int(kept.pop("size"))
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            kept = None
        if kept != self.of:
            raise Unreadable(f"{self.file} is of another export: leave out --resume to begin anew")
        self.rows, self.last, self.size = rows, last, size

    def save(self, file: IO[bytes]) -> None:
        """Note that all that was written so far is whole."""
        file.flush()
        self.size, self.saved = file.tell(), time.monotonic()
        if self.last is not None:
            text = json.dumps({**self.of, "rows": self.rows, "last": self.last, "size": self.size})
            self.state.write_text(text, encoding="utf-8")

    def finish(self, file: IO[bytes]) -> None:
        """Let the file appear under its name."""
        file.flush()
        os.fsync(file.fileno())
        self.file.replace(self.path)
        self.state.unlink(missing_ok=True)


async def export_calls(job: Export, origin: Origin) -> str:
    """Export; return one line that says what was done. Raises Unreadable, ApiFailed or Unanswered."""
    started = time.monotonic()
    to_file, kind = job.output != STDIN, job.format
    if job.resume and not (to_file and resumable(job.output, kind)):
        raise Unreadable(f"an export to {job.output} as {kind.name} cannot be resumed")
    part = Part(Path(job.output), {"target": origin.target, "format": kind.name, "filters": dict(job.filters)})
    if job.resume:
        part.load()
    before = part.rows
    with ExitStack() as stack:
        file: IO[bytes] = stack.enter_context(_opened(part)) if to_file else sys.stdout.buffer
        stream = packed(job.output, file)
        keep = to_file and resumable(job.output, kind)
        writer = kind.open(stream, part.rows)
        try:
            await _copy(job, origin, part, writer, file if keep else None)
        finally:
            if keep:
                part.save(file)
        writer.end()
        if stream is not file:
            stream.close()
        if to_file:
            part.finish(file)
        else:
            file.flush()
    seconds = time.monotonic() - started
    done = part.rows - before
    again = f" ({before:,} of them before)" if before else ""
    return f"exported {part.rows:,} calls{again} in {seconds:.1f} s, {done / max(seconds, 0.001):,.0f}/s"


def _opened(part: Part) -> IO[bytes]:
    try:
        file = part.file.open("r+b" if part.rows else "wb")
    except OSError as error:
        raise Unreadable(f"{part.file}: {error.strerror}") from None
    file.truncate(part.size)
    file.seek(part.size)
    return file


async def _copy(job: Export, origin: Origin, part: Part, writer: CallWriter, file: IO[bytes] | None) -> None:
    """Write what comes; where it breaks off, ask for what follows the last line."""
    identify = msgspec.json.Decoder(_Id).decode
    pauses, before, shown = Pauses(PATIENCE), part.rows, 0.0
    with progress() as bar:
        task = bar.add_task(job.output, total=await origin.total(), rows=part.rows, fresh=0, completed=part.rows)
        while True:
            began = part.rows
            try:
                async with origin.lines(part.last) as lines:
                    async for line in lines:
                        part.last = identify(line).id
                        writer.add(line)
                        part.rows += 1
                        now = time.monotonic()
                        if now - shown > SHOW_SECONDS:
                            shown = now
                            bar.update(task, completed=part.rows, rows=part.rows, fresh=part.rows - before)
                        if file is not None and now - part.saved > SAVE_SECONDS:
                            part.save(file)
            except (aiohttp.ClientError, TimeoutError, ApiFailed) as error:
                pauses = pauses if part.rows == began else Pauses(PATIENCE)
                await pauses.after(error)
            else:
                return
