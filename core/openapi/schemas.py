"""JSON Schemas of the Structs that validate: made by msgspec, then named well and mended where the answers differ."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, get_args, get_origin

import msgspec
from msgspec import inspect as kinds

Schema = dict[str, Any]
PREFIX = "#/components/schemas/"
NAMEABLE = (kinds.StructType, kinds.TypedDictType, kinds.DataclassType, kinds.NamedTupleType, kinds.EnumType)
JSON_KINDS: dict[type, str] = {str: "string", int: "integer", bool: "boolean"}


class Schemas:
    """The schema of every declared type, and the shared ones as named components."""

    def __init__(self, types: Iterable[Any], *, taken: Iterable[str] = ()) -> None:
        wanted = list({id(kind): kind for kind in types}.values())
        names = _names(_classes(wanted), set(taken))
        self.components: dict[str, Schema] = {}
        self._schemas: dict[int, Schema] = {}
        for group in _apart(wanted):
            self._add(group, names)

    def _add(self, wanted: list[Any], names: dict[Any, str]) -> None:
        found = _classes(wanted)
        schemas, components = msgspec.json.schema_components([*wanted, *found], ref_template=PREFIX + "{name}")
        given = {
            schema["$ref"].removeprefix(PREFIX): cls for cls, schema in zip(found, schemas[len(wanted) :], strict=True)
        }
        for old, cls in given.items():
            _mend_times(components[old], found[cls])
        renamed = {old: names[cls] for old, cls in given.items()}
        for old, schema in components.items():
            self.components[renamed[old]] = {**_mended(schema, renamed), "title": renamed[old]}
        self._schemas |= {id(kind): _mended(schema, renamed) for kind, schema in zip(wanted, schemas, strict=False)}

    def of(self, kind: Any) -> Schema:
        """The schema of one of the types, usually a reference to its component."""
        found: Schema = self._schemas[id(kind)]
        return found

    def fields(self, struct: Any) -> Iterator[tuple[str, Schema, bool]]:
        """The fields of a Struct as a query string sees them, where nothing is null: name, schema, required."""
        schema = self.components[self.of(struct)["$ref"].removeprefix(PREFIX)]
        for name, field in schema["properties"].items():
            yield name, _without_null(field), name in schema["required"]


def item_of(kind: Any) -> Any:
    """What one line of NDJSON holds: the item of a list type, else the type itself."""
    return get_args(kind)[0] if get_origin(kind) is list else kind


def _classes(wanted: Iterable[Any]) -> dict[Any, Any]:
    """Every class that becomes a component, in all of the types, and what msgspec knows of it."""
    return {kind.cls: kind for kind in _nameable(kinds.multi_type_info(wanted))}


def _apart(wanted: list[Any]) -> list[list[Any]]:
    """The types in groups in which no two generic classes look alike, such as `Page[Note]` of two plugins' `Note`.

    msgspec calls both by the same name and fails with a KeyError. Mostly there is one group.
    """
    groups: list[tuple[list[Any], dict[str, Any]]] = []
    if len(set(map(_looks, generic := _generic(wanted)))) == len(generic):
        return [wanted]
    for kind in wanted:
        looks = {_looks(cls): cls for cls in _generic([kind])}
        for group, known in groups:
            if all(known.get(name, cls) == cls for name, cls in looks.items()):
                group.append(kind)
                known.update(looks)
                break
        else:
            groups.append(([kind], looks))
    return [group for group, _ in groups]


def _generic(wanted: Iterable[Any]) -> list[Any]:
    return [cls for cls in _classes(wanted) if get_args(cls)]


def _looks(cls: Any) -> str:
    """A generic class without the modules of its arguments."""
    return f"{get_origin(cls).__name__}[{', '.join(getattr(each, '__name__', repr(each)) for each in get_args(cls))}]"


def _nameable(found: Iterable[kinds.Type]) -> Iterator[Any]:
    """Every type in the trees that becomes a component."""
    seen: set[Any] = set()
    waiting = list(found)
    while waiting:
        kind = waiting.pop(0)
        if isinstance(kind, NAMEABLE):
            if kind.cls in seen:
                continue
            seen.add(kind.cls)
            yield kind
        waiting += _inside(kind)


def _inside(kind: kinds.Type) -> list[kinds.Type]:
    fields = [field.type for field in getattr(kind, "fields", ())]
    single = [getattr(kind, name) for name in ("type", "item_type", "key_type", "value_type") if hasattr(kind, name)]
    return [*fields, *single, *getattr(kind, "types", ()), *getattr(kind, "item_types", ())]


def _names(classes: Iterable[Any], taken: set[str]) -> dict[Any, str]:
    """`Agent`, `AgentPage` for `Page[Agent]`; with the plugin in front where two have the same name."""
    names: dict[Any, str] = {}
    for of_others in (False, True):  # generic ones are named after their arguments
        plain = {cls: _plain_name(cls, names) for cls in classes if bool(get_args(cls)) is of_others}
        count = Counter(plain.values())
        for cls, short in plain.items():
            name = short if count[short] == 1 and short not in taken else _owner(cls).capitalize() + short
            while name in taken:
                name += "X"
            taken.add(name)
            names[cls] = name
    return names


def _plain_name(cls: Any, names: dict[Any, str]) -> str:
    arguments = [names.get(argument) or _plain_name(argument, names) for argument in get_args(cls)]
    name = getattr(get_origin(cls) or cls, "__name__", "Any").lstrip("_")
    return "".join(part[:1].upper() + part[1:] for part in (*arguments, name))


def _owner(cls: Any) -> str:
    first = (*get_args(cls), cls)[0]
    parts: list[str] = getattr(first, "__module__", "core").split(".")
    return parts[1] if parts[0] == "plugins" and len(parts) > 1 else parts[0]


def _mend_times(schema: Schema, kind: Any) -> None:
    """Every time that we answer has a zone, so its format is date-time, also where the Struct does not say so."""
    for field in kind.fields if "properties" in schema else ():
        if any(isinstance(part, kinds.DateTimeType) for part in _parts(field.type)):
            found = schema["properties"][field.encode_name]
            for option in found.get("anyOf", [found]):
                if option.get("type") == "string":
                    option.setdefault("format", "date-time")


def _parts(kind: kinds.Type) -> Iterator[kinds.Type]:
    if isinstance(kind, kinds.Metadata):
        yield from _parts(kind.type)
    elif isinstance(kind, kinds.UnionType):
        for part in kind.types:
            yield from _parts(part)
    else:
        yield kind


def _mended(value: Any, names: dict[str, str]) -> Any:
    """Rename references; a Decimal is a JSON number here; an enumeration says its type."""
    if isinstance(value, list):
        return [_mended(item, names) for item in value]
    if isinstance(value, str) and value.startswith(PREFIX):
        return PREFIX + names[value.removeprefix(PREFIX)]
    if not isinstance(value, dict):
        return value
    schema = {key: _mended(item, names) for key, item in value.items()}
    if schema.get("format") == "decimal":
        del schema["format"]
        schema["type"] = "number"
        if "default" in schema and schema["default"] is not None:
            schema["default"] = float(schema["default"])
    if isinstance(found := schema.get("enum"), list) and len({type(item) for item in found}) == 1:
        schema.setdefault("type", JSON_KINDS.get(type(found[0]), "string"))
    if isinstance(text := schema.get("description"), str):
        schema["description"] = inspect.cleandoc(text)
    return schema


def _without_null(schema: Schema) -> Schema:
    found = {key: value for key, value in schema.items() if not (key == "default" and value is None)}
    options = [option for option in found.pop("anyOf", []) if option != {"type": "null"}]
    if len(options) == 1:
        return {**options[0], **found}
    return {"anyOf": options, **found} if options else found
