"""What stands in a file, row by row, in memory that does not grow with it."""

from __future__ import annotations

import codecs
import contextlib
import csv
import importlib
import io
import json
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import IO, Any, NamedTuple, NoReturn

import msgspec
import zstandard

from plugins.calls.commands.sources import Format, Source, Unreadable
from plugins.calls.commands.values import columns_of, from_cells

CHUNK = 1 << 20
MOST_ROW = 16 << 20
SPACE = " \t\r\n"
WITHOUT_PARQUET = "reading and writing Parquet needs pyarrow: pip install 'voicera[parquet]'"


class Row(NamedTuple):
    """A row: the line that it begins in (from 1; in Parquet its number), and its value, or what is wrong with it."""

    line: int
    value: Any
    problem: str = ""


def rows_of(source: Source, skip: int) -> Iterator[Row]:
    """The rows of a file but for the first `skip`; raises Unreadable where the rest cannot be read."""
    try:
        yield from READERS[source.format](source, skip)
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        raise Unreadable(f"{source.name}: {error}") from None
    except UnicodeDecodeError:
        raise Unreadable(f"{source.name} is not UTF-8") from None


def _ndjson(source: Source, skip: int) -> Iterator[Row]:
    decode = msgspec.json.Decoder().decode
    seen = 0
    for number, line in enumerate(_lines(source.stream), 1):
        text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        if not text or text.isspace():
            continue
        seen += 1
        if seen <= skip:
            continue
        try:
            yield Row(number, decode(text))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            yield Row(number, text.decode("utf-8", "replace").strip(), f"is not JSON: {error}")


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    while line := stream.readline(MOST_ROW + 1):
        if len(line) > MOST_ROW:
            raise Unreadable(f"a line of more than {MOST_ROW >> 20} MiB is no call log")
        yield line


def _csv(source: Source, skip: int) -> Iterator[Row]:
    csv.field_size_limit(MOST_ROW)
    text = io.TextIOWrapper(source.stream, "utf-8-sig", newline="")
    try:
        yield from islice(_csv_rows(source, text), skip, None)
    except csv.Error as error:
        raise Unreadable(f"{source.name}: {error}") from None
    finally:
        with contextlib.suppress(ValueError):  # somebody has closed the file already
            text.detach()  # which else would close it


def _csv_rows(source: Source, text: io.TextIOWrapper) -> Iterator[Row]:
    first = text.readline()
    # The names of fields hold none of these, so the header says what parts the cells.
    delimiter = max(",;\t", key=first.count)
    columns = columns_of(next(csv.reader([first], delimiter=delimiter), []), source.drop)
    if isinstance(columns, str):
        raise Unreadable(f"{source.name}: {columns}")
    reader = csv.reader(text, delimiter=delimiter)
    line = 2
    for cells in reader:
        begins, line = line, reader.line_num + 2
        if not any(cells):
            continue
        if len(cells) > len(columns):
            yield Row(begins, cells, f"has {len(cells)} cells, and the header {len(columns)}")
        else:
            yield Row(begins, from_cells(columns, cells))


def _json(source: Source, skip: int) -> Iterator[Row]:
    yield from islice(_JsonArray(source).rows(), skip, None)


class _JsonArray:
    """A JSON array of any size, read element by element."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._parse = json.JSONDecoder(parse_constant=_no_number).raw_decode
        self._text, self._at, self._line, self._ended = "", 0, 1, False

    def rows(self) -> Iterator[Row]:
        if self._next() != "[":
            raise Unreadable(f"{self._source.name} is no JSON array; --format ndjson reads one object a line")
        self._step(self._at + 1)
        first = True
        while (sign := self._next()) != "]":
            if not first:
                if sign != ",":
                    raise self._broken()
                self._step(self._at + 1)
                self._next()
            first = False
            yield self._element()
        self._step(self._at + 1)
        if self._next():
            raise self._broken()

    def _element(self) -> Row:
        line = self._line
        while True:
            try:
                value, end = self._parse(self._text, self._at)
            except (ValueError, RecursionError):  # broken, or not whole yet
                if len(self._text) - self._at > MOST_ROW or not self._more():
                    raise self._broken() from None
                continue
            if end == len(self._text) and self._more():  # a number may go on
                continue
            self._step(end)
            return Row(line, value)

    def _next(self) -> str:
        """The next character that is no space; "" at the end."""
        while True:
            place = self._at
            while place < len(self._text) and self._text[place] in SPACE:
                place += 1
            self._step(place)
            if place < len(self._text):
                return self._text[place]
            if not self._more():
                return ""

    def _step(self, place: int) -> None:
        self._line += self._text.count("\n", self._at, place)
        self._at = place

    def _more(self) -> bool:
        if self._ended:
            return False
        chunk = self._source.stream.read(CHUNK)
        self._ended = not chunk
        self._text, self._at = self._text[self._at :] + self._decode(chunk, final=self._ended), 0
        return not self._ended

    def _broken(self) -> Unreadable:
        return Unreadable(f"{self._source.name}: the JSON array is broken at line {self._line}")


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _parquet(source: Source, skip: int) -> Iterator[Row]:
    pyarrow = parquet_library()
    try:
        file = pyarrow.ParquetFile(source.raw)
        columns = columns_of(file.schema_arrow.names, source.drop)
        if isinstance(columns, str):
            raise Unreadable(f"{source.name}: {columns}")
        rows = (row for batch in file.iter_batches(batch_size=1000) for row in batch.to_pylist())
        for number, row in enumerate(rows, 1):
            if number > skip:
                yield Row(number, from_cells(columns, [row[name] for name in file.schema_arrow.names]))
    except ValueError as error:  # pyarrow's own errors are ValueErrors
        raise Unreadable(f"{source.name}: {error}") from None


def parquet_library() -> Any:
    """The module pyarrow.parquet; raises Unreadable, saying how to install it."""
    try:
        return importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise Unreadable(WITHOUT_PARQUET) from None


READERS: dict[Format, Callable[[Source, int], Iterator[Row]]] = {
    Format.ndjson: _ndjson,
    Format.csv: _csv,
    Format.json: _json,
    Format.parquet: _parquet,
}
