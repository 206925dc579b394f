"""Call logs in the formats of an export, row by row."""

from __future__ import annotations

import csv
import gzip
import importlib
import io
from datetime import datetime
from typing import IO, Any, cast

import msgspec
import zstandard

from plugins.calls.commands.readers import parquet_library
from plugins.calls.commands.sources import PACKED
from plugins.calls.commands.values import TABLE, to_cell
from plugins.calls.hookspecs import ExportFormat

ROW_GROUP = 5_000
TIMES = ("created_at", "updated_at")


class Ndjson:
    """One JSON object a line."""

    def __init__(self, file: IO[bytes], _rows: int) -> None:
        self._file = file

    def add(self, line: bytes) -> None:
        """Write one."""
        self._file.write(line + b"\n")

    def end(self) -> None:
        """Nothing is left to write."""


class Json:
    """A JSON array, one element a line."""

    def __init__(self, file: IO[bytes], rows: int) -> None:
        self._file, self._before = file, b",\n" if rows else b"[\n"

    def add(self, line: bytes) -> None:
        """Write one."""
        self._file.write(self._before + line)
        self._before = b",\n"

    def end(self) -> None:
        """Close the array."""
        self._file.write(b"\n]\n" if self._before == b",\n" else b"[]\n")


class Csv:
    """A table with a header (RFC 4180); lists and metadata as JSON."""

    def __init__(self, file: IO[bytes], rows: int) -> None:
        self._file, self._text = file, io.StringIO(newline="")
        self._writer = csv.writer(self._text)
        if not rows:
            self._write(TABLE)

    def add(self, line: bytes) -> None:
        """Write one."""
        call = msgspec.json.decode(line)
        self._write([to_cell(call.get(name)) for name in TABLE])

    def _write(self, cells: Any) -> None:
        self._writer.writerow(cells)
        self._file.write(self._text.getvalue().encode())
        self._text.seek(0)
        self._text.truncate()

    def end(self) -> None:
        """Nothing is left to write."""


class Parquet:
    """A Parquet file; times as timestamps, metadata as JSON text."""

    def __init__(self, file: IO[bytes], _rows: int) -> None:
        library = parquet_library()
        self._arrow: Any = importlib.import_module("pyarrow")
        self._schema = self._arrow.schema([(name, self._type(name)) for name in TABLE])
        self._writer = library.ParquetWriter(file, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def _type(self, name: str) -> Any:
        arrow = self._arrow
        if name in TIMES:
            return arrow.timestamp("ms", tz="UTC")
        kinds = {"duration_seconds": arrow.int32(), "cost": arrow.float64()}
        lists = dict.fromkeys(("emotions", "key_phrases"), arrow.list_(arrow.string()))
        return {**kinds, **lists}.get(name, arrow.string())

    def add(self, line: bytes) -> None:
        """Write one; a few thousand are put together."""
        call = msgspec.json.decode(line)
        row: dict[str, Any] = {name: call.get(name) for name in TABLE}
        for name in TIMES:
            row[name] = row[name] and datetime.fromisoformat(row[name])
        row["metadata"] = None if row["metadata"] is None else msgspec.json.encode(row["metadata"]).decode()
        self._rows.append(row)
        if len(self._rows) >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(self._arrow.Table.from_pylist(self._rows, schema=self._schema))
        self._rows = []

    def end(self) -> None:
        """Write the rest, and the end of the file."""
        if self._rows:
            self._flush()
        self._writer.close()


FORMATS = (
    ExportFormat(
        name="ndjson",
        suffixes=(".ndjson", ".jsonl"),
        description="one JSON object a line",
        open=Ndjson,
        resumable=True,
    ),
    ExportFormat(name="json", suffixes=(".json",), description="a JSON array", open=Json, resumable=True),
    ExportFormat(
        name="csv",
        suffixes=(".csv", ".tsv"),
        description="a table with a header (RFC 4180)",
        open=Csv,
        resumable=True,
    ),
    ExportFormat(name="parquet", suffixes=(".parquet",), description="Apache Parquet", open=Parquet),
)


def resumable(name: str, kind: ExportFormat) -> bool:
    """Whether a file that ends early can be gone on with."""
    return kind.resumable and not name.lower().endswith(PACKED)


def packed(name: str, file: IO[bytes]) -> IO[bytes]:
    """The file, compressed as it is written where its name ends in .gz or .zst; closing it leaves `file` open."""
    if name.lower().endswith(".gz"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=file, mode="wb", mtime=0))
    if name.lower().endswith(".zst"):
        return cast("IO[bytes]", zstandard.ZstdCompressor().stream_writer(file, closefd=False))
    return file
