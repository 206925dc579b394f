"""The whole document: OpenAPI 3.1.1 (JSON Schema 2020-12), from the declared routes and the error catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import core
from core.errors import ErrorCatalogue
from core.http.blueprint import Route
from core.openapi.answers import Answers
from core.openapi.operations import SECURITY_SCHEMES, operation, operation_ids, tag_of
from core.openapi.parts import ERROR_SCHEMAS, HEADERS
from core.openapi.schemas import Schema, Schemas, item_of

DESCRIPTION = Path(__file__).with_name("description.md")


def build(routes: Sequence[Route], catalogue: ErrorCatalogue) -> dict[str, Any]:
    """Make the document of these routes; raises TypeError for a declared type that JSON Schema cannot say."""
    schemas = Schemas(_types(routes), taken=ERROR_SCHEMAS)
    answers = Answers(schemas, catalogue)
    ids = operation_ids(routes)
    paths: dict[str, Schema] = {}
    for route in routes:
        made = operation(route, ids[route.method, route.path], schemas, answers)
        paths.setdefault(route.path, {})[route.method.lower()] = made
    document = {
        "openapi": "3.1.1",
        "info": {
            "title": "VoiceERA",
            "version": core.__version__,
            "description": DESCRIPTION.read_text(encoding="utf-8"),
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in _tags(routes)],
        "paths": paths,
        "components": {
            "schemas": {**ERROR_SCHEMAS, **schemas.components},
            "responses": answers.components,
            "headers": HEADERS,
            "securitySchemes": SECURITY_SCHEMES,
        },
    }
    _drop_unused(document)
    return document


def _tags(routes: Sequence[Route]) -> Iterable[str]:
    """The tags in order of registration, the kernel's own last."""
    return dict.fromkeys(tag_of(route) for route in sorted(routes, key=lambda route: route.plugin == "core"))


def _types(routes: Iterable[Route]) -> Iterator[Any]:
    """Every type that a route declares; one line of an NDJSON body stands beside its list."""
    for route in routes:
        for declared in (route.body, route.streamed_body, route.query, route.returns):
            if declared is not None and declared is not bytes:
                yield declared
                yield item_of(declared)
        for parameter in route.extra.values():
            yield parameter.kind


def _drop_unused(document: dict[str, Any]) -> None:
    """Take out what nothing refers to, as the Struct of a query string, which stands there as parameters."""
    while True:
        used = set(_references(document))
        unused = [
            (kind, name)
            for kind, found in document["components"].items()
            for name in found
            if kind != "securitySchemes" and f"#/components/{kind}/{name}" not in used
        ]
        if not unused:
            return
        for kind, name in unused:
            document["components"][kind] = {
                key: value for key, value in document["components"][kind].items() if key != name
            }


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(reference := value.get("$ref"), str):
            yield reference
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)
