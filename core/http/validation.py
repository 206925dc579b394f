"""Why a body or a query does not fit its Struct: every failing field, not just the first.

The hot path decodes with msgspec in one pass, which stops at the first error. Only when that fails
does this module look at the value field by field.
"""

from __future__ import annotations

import json
import re
import types
from enum import Enum
from functools import lru_cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from core.errors import BadRequest, FieldError, InvalidFields

WHERE = re.compile(r"^(?P<what>.*?)(?: - at `\$?(?P<path>[^`]*)`)?$", re.DOTALL)
# The two messages of msgspec that repeat what was sent.
TELLING = re.compile(r"^Invalid (?:enum )?value (?:'.*'|-?[0-9]+)$", re.DOTALL)
# And the one that shows a pattern, which says nothing to most people.
PATTERN = re.compile(r"^Expected `str` matching regex '(?P<pattern>.*)'$", re.DOTALL)
ESCAPED_NUL = b"\\u0000"
MOST_ERRORS = 100


def decode(body: bytes, schema: Any) -> Any:
    """Decode and validate a JSON body.

    Raises BadRequest where it is not JSON (or has a key twice), InvalidFields with every failing field
    where it is JSON that does not fit.
    """
    if not body:
        raise BadRequest("a JSON body is needed")
    try:
        value = decoder_of(schema).decode(body)
    except msgspec.ValidationError as error:
        raise InvalidFields(problems(_untyped(body), schema) or [_as_field(error, "")]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(not_json(error)) from None
    try:
        if ESCAPED_NUL in body:
            _refuse_nul(body)
        _refuse_twice(body)
    except RecursionError as error:  # these go a little less deep than msgspec
        raise BadRequest(not_json(error)) from None
    return value


def problems(value: Any, schema: Any, path: str = "") -> list[FieldError]:
    """List what is wrong with an untyped JSON value, by field path; empty if it fits."""
    try:
        msgspec.convert(value, schema)
    except msgspec.ValidationError as error:
        inner = _inside(value, _bare(schema, value), path)
        return (inner or [_as_field(error, path, schema)])[:MOST_ERRORS]
    except (UnicodeDecodeError, RecursionError, OverflowError) as error:
        return [FieldError(field=path, message=not_json(error))]
    return []


def nul_problems(value: Any, path: str = "") -> list[FieldError]:
    """List the strings that contain U+0000, which PostgreSQL cannot store."""
    if isinstance(value, str):
        return [FieldError(field=path, message="must not contain U+0000")] if "\0" in value else []
    found: list[FieldError] = []
    if isinstance(value, dict):
        for key, item in value.items():
            found += nul_problems(key, path) + nul_problems(item, _join(path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += nul_problems(item, f"{path}[{index}]")
    return found[:MOST_ERRORS]


def _inside(value: Any, schema: Any, path: str) -> list[FieldError]:
    if isinstance(value, dict) and isinstance(schema, type) and issubclass(schema, msgspec.Struct):
        return _inside_struct(value, schema, path)
    if isinstance(value, dict) and get_origin(schema) is dict:
        item_type = get_args(schema)[1]
        return [each for name, item in value.items() for each in problems(item, item_type, _join(path, name))]
    if isinstance(value, list) and get_origin(schema) in (list, tuple, set, frozenset):
        item_type = get_args(schema)[0]
        found: list[FieldError] = []
        for index, item in enumerate(value):
            found += problems(item, item_type, f"{path}[{index}]")
            if len(found) >= MOST_ERRORS:
                break
        return found
    return []


def _inside_struct(value: dict[str, Any], schema: type[msgspec.Struct], path: str) -> list[FieldError]:
    found: list[FieldError] = []
    hints = get_type_hints(schema, include_extras=True)
    fields = {field.encode_name: field for field in msgspec.structs.fields(schema)}
    for name, field in fields.items():
        if name in value:
            found += problems(value[name], hints[field.name], _join(path, name))
        elif field.required:
            found.append(FieldError(field=_join(path, name), message="is required"))
    if schema.__struct_config__.forbid_unknown_fields:
        found += [
            FieldError(field=_join(path, name), message="is not a known field") for name in value if name not in fields
        ]
    return found


def _bare(schema: Any, value: Any) -> Any:
    """Take off Annotated, and of a union the member that a value of this JSON kind could be meant for."""
    while hasattr(schema, "__metadata__"):
        schema = schema.__origin__
    if get_origin(schema) in (Union, types.UnionType):
        members = [_bare(member, value) for member in get_args(schema)]
        wanted = msgspec.Struct if isinstance(value, dict) else list
        for member in members:
            base = get_origin(member) or member
            if isinstance(base, type) and issubclass(base, wanted):
                return member
    return schema


def wording(error: Exception, schema: Any = None) -> str:
    """What msgspec says, without the value that was sent; with what is wanted, if `schema` knows it."""
    return _say(str(error), schema)


def _say(text: str, schema: Any) -> str:
    if pattern := PATTERN.match(text):
        return _wanted(schema) or f"must match the pattern {pattern['pattern']}"
    if not TELLING.match(text):
        return _plain(text)
    known = _known(schema)
    return f"must be one of {', '.join(map(str, known))}" if known else "is not one of the known values"


def _plain(text: str) -> str:
    return text.replace("`", "")


def _wanted(schema: Any) -> str | None:
    """The sentence of a type with a pattern: `Meta(pattern=…, extra={"wanted": "must be …"})`, else its description."""
    for meta in getattr(schema, "__metadata__", ()):
        if isinstance(meta, msgspec.Meta) and meta.pattern:
            said: str | None = (meta.extra or {}).get("wanted")
            return said or (f"does not fit: {_plain(meta.description).rstrip('.')}" if meta.description else None)
    if hasattr(schema, "__metadata__"):
        return _wanted(schema.__origin__)
    members = get_args(schema) if get_origin(schema) in (Union, types.UnionType) else ()
    return next(filter(None, map(_wanted, members)), None)


def _known(schema: Any) -> list[Any]:
    """The values that a Literal or an Enum allows, also inside Annotated or a union; none for other types."""
    while hasattr(schema, "__metadata__"):
        schema = schema.__origin__
    if get_origin(schema) is Literal:
        return list(get_args(schema))
    if isinstance(schema, type) and issubclass(schema, Enum):
        return [member.value for member in schema]
    if get_origin(schema) in (Union, types.UnionType):
        return [value for member in get_args(schema) for value in _known(member)]
    return []


def _as_field(error: msgspec.ValidationError, path: str, schema: Any = None) -> FieldError:
    match = WHERE.match(str(error))
    assert match is not None  # the pattern matches any text
    inner = (match["path"] or "").replace("[...]", "[]")
    field = _join(path, inner.lstrip(".")) if inner else path
    return FieldError(field=field, message=_say(match["what"], None if inner else schema))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _untyped(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(not_json(error)) from None


def _refuse_nul(body: bytes) -> None:
    found = nul_problems(_untyped(body))
    if found:
        raise InvalidFields(found)


def _refuse_twice(body: bytes) -> None:
    """RFC 8259 (section 4) leaves repeated names open; we refuse them, since one of the values would be lost."""
    _TWICE.decode(body.decode())


def _pairs(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadRequest(f"the key {twice[:60]!r} stands twice in one object")


_TWICE = json.JSONDecoder(object_pairs_hook=_pairs)


def not_json(error: Exception) -> str:
    """Say in words for clients why a body cannot be decoded."""
    if isinstance(error, UnicodeDecodeError):
        return "the body is not UTF-8"
    if isinstance(error, RecursionError):
        return "the JSON is nested too deeply"
    if isinstance(error, msgspec.ValidationError):
        return "a number is out of range"
    return f"the body is not JSON: {error}"


@lru_cache(maxsize=512)
def decoder_of(schema: Any) -> msgspec.json.Decoder[Any]:
    """The decoder of a type, made once."""
    return msgspec.json.Decoder(schema)
