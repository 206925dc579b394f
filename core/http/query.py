"""Query strings: decoded into a Struct, refused with the names of every wrong parameter.

A route may take parameters that other plugins add to it: they stand beside those of its Struct, and are given to its
handler as `request.extra`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar, get_type_hints
from urllib.parse import parse_qsl

import msgspec

from core.errors import BadRequest, FieldError
from core.http.validation import wording

Schema = TypeVar("Schema", bound=msgspec.Struct)
MOST_PARAMETERS = 100


@dataclass(frozen=True, slots=True)
class QueryParameter:
    """A query parameter that a plugin adds to the routes of another: its name, its type (as in a Struct), its meaning.

    The type is one that a text can be read as (`str`, `int`, `UUID`, an Enum, …), with the bounds that a `Meta` gives.
    """

    name: str
    kind: Any
    description: str


Extra = tuple[tuple[Any, Any], ...]
NO_EXTRA: Mapping[str, QueryParameter] = {}


def decode_query(text: str, schema: type[Schema]) -> Schema:
    """Decode a raw query string; raises BadRequest that names every unknown, repeated or malformed parameter."""
    return decode_with_extra(text, schema, NO_EXTRA)[0]


def decode_with_extra(text: str, schema: type[Schema], extra: Mapping[str, QueryParameter]) -> tuple[Schema, Extra]:
    """The same where other plugins have added parameters: those that were given come as (parameter, value) pairs."""
    kinds = _kinds(schema)
    if extra:
        kinds = {**kinds, **{name: parameter.kind for name, parameter in extra.items()}}
    values: dict[str, Any] = {}
    errors: list[FieldError] = []
    for name, raw in _pairs(text) if text else ():
        if name not in kinds:
            errors.append(FieldError(field=name, message=f"is not a parameter here; there are: {', '.join(kinds)}"))
        elif name in values:
            errors.append(FieldError(field=name, message="is given twice"))
        else:
            values[name] = _convert(name, raw, kinds[name], errors)
    errors += [FieldError(field=name, message="is required") for name in _required(schema) if name not in values]
    if errors:
        raise BadRequest(errors)
    added = tuple((extra[name], values.pop(name)) for name in extra if name in values) if extra else ()
    try:
        given = [(parameter, msgspec.convert(raw, parameter.kind, strict=False)) for parameter, raw in added]
        found = msgspec.convert(values, schema, strict=False)
    except msgspec.ValidationError as error:
        raise BadRequest(wording(error)) from None
    return found, tuple((parameter, value) for parameter, value in given if value is not None)


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=MOST_PARAMETERS
        )
    except ValueError:  # also UnicodeDecodeError
        raise BadRequest("the query string is malformed") from None
    if any("\0" in name or "\0" in value for name, value in pairs):
        raise BadRequest("the query string must not contain U+0000")
    return pairs


def _convert(name: str, raw: str, kind: Any, errors: list[FieldError]) -> Any:
    try:
        msgspec.convert(raw, kind, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        errors.append(FieldError(field=name, message=wording(error, kind)))
    return raw


@lru_cache(maxsize=512)
def _kinds(schema: type[msgspec.Struct]) -> dict[str, Any]:
    hints = get_type_hints(schema, include_extras=True)
    return {field.encode_name: hints[field.name] for field in msgspec.structs.fields(schema)}


@lru_cache(maxsize=512)
def _required(schema: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(schema) if field.required]
