"""Bodies of many items: a JSON array, or NDJSON (one JSON value a line) that is decoded as it comes.

The fast path decodes a piece in one pass. Only a piece with something wrong in it is looked at item by item.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar, get_args

import msgspec

from core.errors import BadRequest, BodyTooLarge, FieldError, InvalidFields
from core.http.validation import ESCAPED_NUL, decoder_of, not_json, nul_problems, problems

Item = TypeVar("Item")
MOST_ERRORS = 100
MOST_ERRORS_OF_ITEM = 10
RAWS = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(slots=True)
class Many(Generic[Item]):
    """What came: the items that fit, the place of each (from 0), and what is wrong with the others, by their places."""

    values: list[Item] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    errors: list[tuple[int, FieldError]] = field(default_factory=list)
    received: int = 0


class ManyReader(Generic[Item]):
    """Puts items together from the pieces of a body; see `Request.read_many`."""

    def __init__(self, schema: type[list[Item]], *, most: int, skip: bool, lines: bool) -> None:
        self._array, self._item = decoder_of(schema), decoder_of(get_args(schema)[0])
        self._schema = schema
        self._most, self._skip, self._lines = most, skip, lines
        self._held: list[bytes] = []
        self._found: Many[Item] = Many()

    def feed(self, piece: bytes) -> None:
        """Take the next bytes; whole lines of them are decoded at once."""
        end = piece.rfind(b"\n") + 1 if self._lines else 0
        if not end:
            self._held.append(piece)
            return
        self._held.append(piece[:end])
        self._decode_lines(b"".join(self._held))
        self._held = [piece[end:]]

    def finish(self) -> Many[Item]:
        """What came; raises InvalidFields without `skip` where anything is wrong."""
        rest = b"".join(self._held)
        if self._lines:
            self._decode_lines(rest)
        else:
            self._decode_array(rest)
        found = self._found
        if not found.received and not (rest.strip() or self._lines):
            raise BadRequest("a JSON body is needed")
        if found.errors and not self._skip:
            raise InvalidFields([_placed(place, error) for place, error in found.errors[:MOST_ERRORS]])
        return found

    def _decode_array(self, body: bytes) -> None:
        if not body:
            return
        try:
            self._decode_whole(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadRequest(not_json(error)) from None

    def _decode_whole(self, body: bytes) -> None:
        try:
            self._take(self._array.decode(body), body)
        except (msgspec.ValidationError, _NulError):
            pass  # what is wrong may also be malformed further on, so this is left before looking closer
        else:
            return
        try:
            raws = RAWS.decode(body)
        except msgspec.ValidationError:  # not an array
            raise InvalidFields(problems(msgspec.json.decode(body), self._schema)) from None
        self._count(len(raws))
        for place, raw in enumerate(raws):
            self._look_at(place, bytes(raw))

    def _decode_lines(self, lines: bytes) -> None:
        try:
            self._take(self._item.decode_lines(lines), lines)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, _NulError):
            for line in lines.split(b"\n"):
                if line.strip():
                    place = self._found.received
                    self._count(1)
                    self._look_at(place, line)

    def _take(self, values: list[Item], body: bytes) -> None:
        if ESCAPED_NUL in body and nul_problems(msgspec.to_builtins(values)):
            raise _NulError
        start = self._found.received
        self._count(len(values))
        self._found.values += values
        self._found.places += range(start, start + len(values))

    def _count(self, more: int) -> None:
        self._found.received += more
        if self._found.received > self._most:
            raise BodyTooLarge(f"the limit is {self._most} in one request")

    def _look_at(self, place: int, item: bytes) -> None:
        """Take one item, or note what is wrong with it."""
        found = self._found
        try:
            value = self._item.decode(item)
            wrong = nul_problems(msgspec.json.decode(item)) if ESCAPED_NUL in item else []
        except msgspec.ValidationError:
            wrong = self._problems(item)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if not self._skip:
                raise BadRequest(f"[{place}]: {not_json(error)}") from None
            wrong = [FieldError(field="", message=not_json(error))]
        if wrong:
            found.errors += [(place, error) for error in wrong[:MOST_ERRORS_OF_ITEM]]
        else:
            found.values.append(value)
            found.places.append(place)

    def _problems(self, item: bytes) -> list[FieldError]:
        try:
            return problems(msgspec.json.decode(item), get_args(self._schema)[0]) or [_UNKNOWN]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return [FieldError(field="", message=not_json(error))]


_UNKNOWN = FieldError(field="", message="does not fit")


class _NulError(Exception):
    """A string in a piece holds U+0000, which PostgreSQL cannot store."""


def _placed(place: int, error: FieldError) -> FieldError:
    path = error["field"]
    return FieldError(
        field=f"[{place}].{path}" if path and path[0] != "[" else f"[{place}]{path}", message=error["message"]
    )
