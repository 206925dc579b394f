"""Files to import: what format each has, and its bytes, decompressed as they are read."""

from __future__ import annotations

import gzip
import io
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, cast

import zstandard

STDIN = "-"
PACKED = (".gz", ".zst")


class Format(StrEnum):
    """How call logs stand in a file."""

    ndjson = "ndjson"
    csv = "csv"
    json = "json"
    parquet = "parquet"


SUFFIXES = {
    ".ndjson": Format.ndjson,
    ".jsonl": Format.ndjson,
    ".csv": Format.csv,
    ".tsv": Format.csv,
    ".json": Format.json,
    ".parquet": Format.parquet,
}


class Unreadable(Exception):
    """A file cannot be read, or not to its end; the message names it and says why."""


@dataclass(slots=True)
class Source:
    """An open file: `stream` gives its bytes decompressed, `raw` those on the disk; `drop` are fields to leave out."""

    name: str
    path: Path | None
    format: Format
    raw: IO[bytes]
    stream: IO[bytes]
    drop: frozenset[str] = frozenset()

    @property
    def size(self) -> int | None:
        """How many bytes there are on the disk; None for what comes through a pipe."""
        return None if self.path is None else os.fstat(self.raw.fileno()).st_size

    @property
    def position(self) -> int:
        """How many of them have been read."""
        return 0 if self.path is None else self.raw.tell()


def format_of(name: str) -> Format | None:
    """The format that a file's name tells, `.gz` or `.zst` left aside; None if it tells none."""
    lower = name.lower()
    for ending in PACKED:
        lower = lower.removesuffix(ending)
    return next((found for suffix, found in SUFFIXES.items() if lower.endswith(suffix)), None)


@contextmanager
def opened(name: str, given: Format | None, drop: frozenset[str] = frozenset()) -> Iterator[Source]:
    """Open a file, or standard input for `-`; raises Unreadable."""
    found = given or format_of(name) or (Format.ndjson if name == STDIN else None)
    if found is None:
        raise Unreadable(f"{name}: its name tells no format; say --format ndjson, csv, json or parquet")
    if found is Format.parquet and (name == STDIN or name.lower().endswith(PACKED)):
        raise Unreadable(f"{name}: Parquet can only be read from a plain file")
    with ExitStack() as stack:
        if name == STDIN:
            stdin = _stdin()
            yield Source("standard input", None, found, stdin, stdin, drop)
            return
        try:
            raw = stack.enter_context(Path(name).open("rb"))
        except OSError as error:
            raise Unreadable(f"{name}: {error.strerror}") from None
        yield Source(name, Path(name), found, raw, stack.enter_context(_unpacked(name, raw)), drop)


def _stdin() -> IO[bytes]:
    """Standard input through a file of our own, never closed: a thread may wait in it when the program ends."""
    try:
        return os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    except OSError:  # what stands for it has no descriptor
        return sys.stdin.buffer


def _unpacked(name: str, raw: IO[bytes]) -> IO[bytes]:
    if name.lower().endswith(".gz"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
    if name.lower().endswith(".zst"):
        reader: Any = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True, closefd=False)
        return io.BufferedReader(reader, 1 << 18)
    return raw
