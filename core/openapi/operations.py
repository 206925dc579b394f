"""One operation of the document, made from one declared route."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from core.errors import IdempotencyConflict, PreconditionFailed
from core.http.blueprint import JSON, PATH_PARAMETER, Route
from core.http.reply import encode
from core.openapi.answers import NDJSON, Answers, binary, takes_body
from core.openapi.schemas import Schema, Schemas, item_of

ANY_CREDENTIAL: list[dict[str, list[str]]] = [{"bearerAuth": []}, {"apiKeyAuth": []}]
SECURITY_SCHEMES: dict[str, Schema] = {
    "bearerAuth": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token, or an API key.",
    },
    "apiKeyAuth": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
}


def operation(route: Route, operation_id: str, schemas: Schemas, answers: Answers) -> Schema:
    """The operation object of a route."""
    summary, description = _texts(route)
    found: Schema = {
        "operationId": operation_id,
        "tags": [tag_of(route)],
        "summary": summary,
        "description": description,
        "parameters": [*_path(route), *_query(route, schemas), *_request_headers(route)],
        "responses": answers.of(route),
        "security": _security(route),
    }
    if takes_body(route):
        found["requestBody"] = {"required": True, "content": _body(route, schemas)}
    if route.scope:
        found["x-required-scope"] = route.scope
    if route.limit:
        found["x-rate-limit"] = route.limit
    return {name: value for name, value in found.items() if value != "" and (value or name == "security")}


def tag_of(route: Route) -> str:
    """The tag of a route's blueprint, or the plugin's name where it has none."""
    return route.tag or route.plugin.capitalize()


def operation_ids(routes: Iterable[Route]) -> dict[tuple[str, str], str]:
    """`plugin_handler` for each (method, path); with the method, then the path, where that is not unique."""
    forms = {(route.method, route.path): _id_forms(route) for route in routes}
    count = Counter(form for found in forms.values() for form in found)
    return {key: next((form for form in found if count[form] == 1), found[-1]) for key, found in forms.items()}


def _id_forms(route: Route) -> tuple[str, str, str]:
    base = f"{route.plugin}_{route.handler.__name__}"
    path = PATH_PARAMETER.sub(r"by_\1", route.path.strip("/"))
    forms = (base, f"{base}_{route.method.lower()}", f"{base}_{route.method.lower()}_{path}")
    short, longer, longest = (re.sub(r"[^A-Za-z0-9]+", "_", form) for form in forms)
    return short, longer, longest


def _texts(route: Route) -> tuple[str, str]:
    """The first sentence of the handler's docstring, and the rest with what the declaration adds."""
    line, _, rest = inspect.cleandoc(route.handler.__doc__ or "").partition("\n")
    first, _, more = line.partition(". ")
    parts = [more, rest.strip()]
    if route.scope:
        parts.append(f"Needs the scope `{route.scope}`.")
    if route.bearer:
        parts.append(f"`Authorization: Bearer` carries {route.bearer}.")
    summary = first.rstrip(".").replace("`", "") or route.handler.__name__.replace("_", " ")  # plain text there
    return summary, "\n\n".join(part for part in parts if part)


def _security(route: Route) -> list[dict[str, list[str]]]:
    if route.scope:
        return ANY_CREDENTIAL
    return [{"bearerAuth": []}] if route.bearer else []


def _path(route: Route) -> list[Schema]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": f"The {name.replace('_', ' ')}.",
            "schema": {"type": "string", "format": "uuid"} if kind is UUID else {"type": "string", "minLength": 1},
        }
        for name, kind in route.parameters.items()
    ]


def _query(route: Route, schemas: Schemas) -> list[Schema]:
    if route.query is None:
        return []
    fields = list(schemas.fields(route.query))
    for name, added in route.extra.items():
        fields.append((name, {**schemas.of(added.kind), "description": added.description}, False))
    found = []
    for name, field, required in fields:
        description = field.get("description")
        schema = {key: value for key, value in field.items() if key != "description"}
        parameter = {"name": name, "in": "query", "required": required, "schema": schema}
        found.append(parameter | ({"description": description} if description else {}))
    return found


def _request_headers(route: Route) -> list[Schema]:
    texts = dict(route.request_headers)
    if IdempotencyConflict in route.raises:
        texts.setdefault("Idempotency-Key", "The same key sent again has no second effect, and the same answer.")
    if PreconditionFailed in route.raises:
        texts.setdefault("If-Match", "The `ETag` that you read; the change is refused if it is no longer so.")
    if route.conditional:
        texts.setdefault("If-None-Match", "The `ETag` that you have; 304 if it is still so.")
    return [
        {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string"}}
        for name, text in texts.items()
    ]


def _body(route: Route, schemas: Schemas) -> dict[str, Schema]:
    declared = route.body if route.body is not None else route.streamed_body
    return {media: _media(media, declared, route.examples.get("body"), schemas) for media in route.media}


def _media(media: str, declared: Any, example: Any, schemas: Schemas) -> Schema:
    if media == NDJSON:
        lines = b"\n".join(map(encode, example)).decode() if isinstance(example, list) else None
        item = {"x-item-schema": schemas.of(item_of(declared))} if declared is not None else {}
        return {"schema": {"type": "string", "description": "One JSON value a line."}, **item} | (
            {"example": lines} if lines else {}
        )
    if declared is None or declared is bytes:
        return {"schema": {} if media == JSON else binary(media)}
    return {"schema": schemas.of(declared)} | ({} if example is None else {"example": example})
