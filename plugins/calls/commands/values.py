"""From what stands in a file to what the service takes, and from what it shows to cells of a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec

from plugins.calls.schemas.calls import CallDetail, NewCall

FIELDS = NewCall.__struct_fields__
# What an export holds beside them: made by the service, so an import leaves it out.
READ_ONLY = frozenset(CallDetail.__struct_fields__) - frozenset(FIELDS)
TABLE = ("id", *FIELDS, *sorted(READ_ONLY - {"id"}))
METADATA = "metadata"
INSIDE = METADATA + "."
Column = tuple[str, str | None]  # the field, and the key within `metadata`


def columns_of(names: Sequence[str], drop: Collection[str] = ()) -> list[Column] | str:
    """The fields that a header names; or, as text, what is wrong with it, but for the fields to `drop`."""
    columns = [_column(name.strip()) for name in names]
    unknown = sorted({field for field, _ in columns} - {*FIELDS, *READ_ONLY, *drop})
    if unknown:
        return f"unknown columns: {', '.join(map(repr, unknown))} (known: {', '.join(FIELDS)}, {INSIDE}KEY)"
    if len(set(columns)) < len(columns):
        return "a column stands twice in the header"
    missing = [name for name in ("phone_number", "status") if (name, None) not in columns]
    return f"the header lacks {' and '.join(missing)}" if missing else columns


def _column(name: str) -> Column:
    return (METADATA, name.removeprefix(INSIDE)) if name.startswith(INSIDE) else (name, None)


def from_cells(columns: Sequence[Column], cells: Sequence[Any]) -> dict[str, Any]:
    """A row of a table as a call log; an empty cell is no value. What cannot be converted stays, to be refused."""
    call: dict[str, Any] = {}
    inside: dict[str, Any] = {}
    for (field, key), cell in zip(columns, cells, strict=False):
        if cell is None or cell == "" or field in READ_ONLY:
            continue
        if key is not None:
            inside[key] = cell
        else:
            call[field] = CONVERSIONS[field](cell) if isinstance(cell, str) and field in CONVERSIONS else cell
    if inside:
        whole = call.get(METADATA, {})
        call[METADATA] = {**whole, **inside} if isinstance(whole, dict) else whole
    return call


def _texts(cell: str) -> Any:
    if cell.lstrip().startswith("["):
        return _json(cell)
    return [part.strip() for part in cell.split(";") if part.strip()]


def _json(cell: str) -> Any:
    try:
        return msgspec.json.decode(cell)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return cell


def _whole(cell: str) -> Any:
    number = _number(cell)
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _number(cell: str) -> Any:
    try:
        return float(cell)
    except ValueError:
        return cell


CONVERSIONS: dict[str, Callable[[str], Any]] = {
    "emotions": _texts,
    "key_phrases": _texts,
    METADATA: _json,
    "duration_seconds": _whole,
    "cost": _number,
}


def to_send(value: Any, drop: Collection[str] = ()) -> bytes:
    """A call log as JSON, without what only the service makes, empty values, and fields to `drop`.

    Raises ValueError for what is no call log.
    """
    if not isinstance(value, dict):
        raise ValueError("is no JSON object")  # noqa: TRY004  # whatever is wrong with a row is its value
    sent = {
        name: item for name, item in value.items() if item is not None and name not in READ_ONLY and name not in drop
    }
    try:
        return _encode(sent)
    except (OverflowError, TypeError, RecursionError, UnicodeEncodeError) as error:
        raise ValueError(f"cannot be sent: {error}") from None


# Parquet holds times and decimals too: times become text, and decimals numbers.
_encode = msgspec.json.Encoder(decimal_format="number").encode


def to_cell(value: Any) -> str:
    """A value of an export as the cell of a CSV; lists and objects as JSON, nothing as an empty cell."""
    if value is None or value == []:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


__all__ = ["FIELDS", "READ_ONLY", "TABLE", "columns_of", "from_cells", "to_cell", "to_send"]
