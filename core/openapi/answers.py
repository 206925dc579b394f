"""The answers of an operation: the good ones in their envelope, and every error that it may give."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from core.errors import (
    ApiError,
    BadRequest,
    BodyTooLarge,
    ErrorCatalogue,
    InternalError,
    InvalidFields,
    NoSuchRoute,
    PermissionDenied,
    RateLimited,
    Unavailable,
)
from core.http.blueprint import JSON, Route
from core.http.reply import PROBLEM_TYPE
from core.openapi.parts import ENVELOPE, TIMESTAMP
from core.openapi.schemas import Schema, Schemas, item_of

NDJSON = "application/x-ndjson"
MOMENT = "2024-01-29T10:30:00Z"
UNCHANGED = "It is still what `If-None-Match` names."
WITHOUT_BODY = (204, 304)
HEADERS_OF_STATUS = {401: ["WWW-Authenticate"], 429: ["Retry-After"], 503: ["Retry-After"]}


def takes_body(route: Route) -> bool:
    """True if the request has a body, whoever reads it."""
    return route.body is not None or route.streamed_body is not None or route.media != (JSON,)


def errors_of(route: Route, catalogue: ErrorCatalogue) -> list[type[ApiError]]:
    """What a route may answer: the errors that it declares, and those that the kernel gives on such a route."""
    found: list[type[ApiError]] = [*route.raises]
    hooks = {*route.hooks}
    if route.scope is not None:
        found.append(PermissionDenied)
        hooks.add("authenticate")
    found += [error for error in catalogue.classes() if hooks & {*vars(error).get("raised_in", ())}]
    if takes_body(route):
        found += [BadRequest, BodyTooLarge]
    if route.body is not None or (route.streamed_body is not None and route.streamed_body is not bytes):
        found.append(InvalidFields)
    if route.query is not None:
        found.append(BadRequest)
    if route.parameters and route.not_found is None:
        found.append(NoSuchRoute)
    if route.limit is not None:
        found.append(RateLimited)
    return list(dict.fromkeys([*found, Unavailable, InternalError]))


class Answers:
    """The responses of all operations; those that several share are collected in `components`."""

    def __init__(self, schemas: Schemas, catalogue: ErrorCatalogue) -> None:
        self._schemas = schemas
        self._catalogue = catalogue
        self.components: dict[str, Schema] = {}

    def of(self, route: Route) -> dict[str, Schema]:
        """The responses of an operation, by status."""
        good = {route.status: "", **({304: UNCHANGED} if route.conditional else {}), **route.also}
        found = {status: self._good(route, status, meaning) for status, meaning in good.items()}
        by_status: defaultdict[int, dict[str, type[ApiError]]] = defaultdict(dict)
        for error in errors_of(route, self._catalogue):
            by_status[error.status].setdefault(error.code, error)
        for status, classes in by_status.items():
            errors = [classes[code] for code in sorted(classes)]
            shared = (
                self._shared(errors, route) if status not in found else _both(found[status], _failed(errors, route))
            )
            found[status] = shared
        return {str(status): found[status] for status in sorted(found)}

    def _good(self, route: Route, status: int, meaning: str) -> Schema:
        headers = [] if route.bare or route.reply_media != JSON else ["Preference-Applied"]
        response: Schema = {
            "description": meaning or HTTPStatus(status).phrase,
            "headers": {
                **_headers([*headers, *_limited(route)]),
                **{name: {"description": text, "schema": {"type": "string"}} for name, text in route.headers.items()},
            },
        }
        if status not in WITHOUT_BODY:
            more = {media: {"schema": {"type": "string"}} for media in route.also_media}
            response["content"] = {route.reply_media: self._content(route), **more}
        return response

    def _content(self, route: Route) -> Schema:
        declared = {"type": "null"} if route.returns is None else self._schemas.of(route.returns)
        if route.reply_media == NDJSON:
            item = {} if route.returns is None else {"x-item-schema": self._schemas.of(item_of(route.returns))}
            return {"schema": {"type": "string", "description": "One JSON value a line."}, **item}
        if route.reply_media.startswith("text/"):
            return {"schema": {"type": "string"}}
        if route.reply_media != JSON and route.returns is None:
            return {"schema": binary(route.reply_media)}
        example = route.examples.get("reply")
        if route.bare:
            return {"schema": {} if route.returns is None else declared} | ({"example": example} if example else {})
        return {"schema": envelope(declared)} | ({"example": wrapped(example)} if "reply" in route.examples else {})

    def _shared(self, errors: list[type[ApiError]], route: Route) -> Schema:
        """A reference to the response for these codes; without a limit it has other headers, and stands alone."""
        if route.limit is None:
            return _failed(errors, route)
        name = "_".join([f"Error{errors[0].status}", *(error.code for error in errors)])
        self.components[name] = _failed(errors, route)
        return {"$ref": f"#/components/responses/{name}"}


def envelope(data: Schema) -> Schema:
    """The schema of a good answer around `data`."""
    return {
        "type": "object",
        "properties": {
            "success": {"type": "boolean", "const": True},
            "data": data,
            "error": {"type": "null"},
            "timestamp": TIMESTAMP,
        },
        "required": ENVELOPE,
    }


def wrapped(data: Any) -> dict[str, Any]:
    """An example of a good answer around `data`."""
    return {"success": True, "data": data, "error": None, "timestamp": MOMENT}


def binary(media: str) -> Schema:
    """Bytes: as OpenAPI 3.1 says it, and as the generators of 3.0 know it."""
    return {"type": "string", "format": "binary", "contentMediaType": media}


def _failed(errors: list[type[ApiError]], route: Route) -> Schema:
    codes = {"enum": [error.code for error in errors]}
    status = errors[0].status
    return {
        "description": "; ".join(f"`{error.code}` {error.message()}" for error in errors),
        "headers": _headers([*HEADERS_OF_STATUS.get(status, []), *_limited(route)]),
        "content": {
            JSON: {
                "schema": {
                    "allOf": [
                        {"$ref": "#/components/schemas/Error"},
                        {"properties": {"error": {"properties": {"code": codes}}}},
                    ]
                },
                "examples": {error.code: {"summary": error.message(), "value": _example(error)} for error in errors},
            },
            PROBLEM_TYPE: {
                "schema": {"allOf": [{"$ref": "#/components/schemas/Problem"}, {"properties": {"code": codes}}]}
            },
        },
    }


def _example(error: type[ApiError]) -> dict[str, Any]:
    details = [{"field": "name", "message": "is required"}] if issubclass(error, InvalidFields) else None
    body = {"code": error.code, "message": error.message(), "details": details}
    return {"success": False, "data": None, "error": body, "timestamp": MOMENT}


def _both(good: Schema, failed: Schema) -> Schema:
    """One status that comes with a good body or an error (as the 503 of a readiness probe)."""
    content = {**failed["content"], **good.get("content", {})}
    if JSON in good.get("content", {}):
        either = [good["content"][JSON]["schema"], failed["content"][JSON]["schema"]]
        content[JSON] = {"schema": {"anyOf": either}}
    return {
        "description": f"{good['description']} Or an error: {failed['description']}",
        "headers": {**good["headers"], **failed["headers"]},
        "content": content,
    }


def _limited(route: Route) -> list[str]:
    names = ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"] if route.limit else []
    return ["X-Request-Id", *names]


def _headers(names: Iterable[str]) -> dict[str, Schema]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
