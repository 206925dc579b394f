"""What a plugin declares of its routes: one declaration serves the request, the limits and the OpenAPI document."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from core.errors import ApiError
from core.http.query import QueryParameter
from core.security import access_of

Handler = Callable[..., Awaitable[Any]]
PATH_PARAMETER = re.compile(r"\{([a-z_]+)\}")
JSON = "application/json"


class RouteError(Exception):
    """A route is declared wrongly; the message names it and says how to mend it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method on one path, and all that is known of it before a request comes."""

    method: str
    path: str
    handler: Handler
    scope: str | None
    body: Any = None
    query: Any = None
    returns: Any = None
    status: int = 200
    raises: tuple[type[ApiError], ...] = ()
    limit: str | None = "general"
    media: tuple[str, ...] = (JSON,)
    reply_media: str = JSON
    also_media: tuple[str, ...] = ()
    max_body: int | None = None
    deadline: float | None = None
    headers: dict[str, str] = field(default_factory=dict)
    examples: dict[str, Any] = field(default_factory=dict)
    tag: str = ""
    plugin: str = "core"
    parameters: dict[str, Any] = field(default_factory=dict)
    also: dict[int, str] = field(default_factory=dict)
    bare: bool = False
    request_headers: dict[str, str] = field(default_factory=dict)
    streamed_body: Any = None
    bearer: str = ""
    hooks: tuple[str, ...] = ()
    extra_query: str | None = None
    extra: Mapping[str, QueryParameter] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """A name that is unique in the application: plugin, then handler."""
        return f"{self.plugin}.{self.handler.__name__}.{self.method.lower()}"

    @property
    def public(self) -> bool:
        """True where anyone may call."""
        return self.scope is None

    @property
    def conditional(self) -> bool:
        """True for a GET that documents an ETag: it answers 304 to an `If-None-Match` that names it (RFC 9110)."""
        return self.method == "GET" and "ETag" in self.headers

    @property
    def not_found(self) -> type[ApiError] | None:
        """The error of an id in the path that cannot be one: the first 404 that the route declares."""
        return next((error for error in self.raises if error.status == 404), None)


class Blueprint:
    """A group of routes under a prefix.

    Each decorator takes what the route reads and answers:

    - `body` and `query`: the Structs that `request.decode` and `request.query` validate;
    - `returns`, `status`: the type and status of the answer; `raises`: the errors it may give;
    - `limit`: the token bucket it takes from (None for none); `max_body` (bytes) and `deadline` (seconds; 0 for none)
      where the general settings do not fit; `headers`: response headers to document, name to meaning;
    - `extra_query`: the start-up hook by which other plugins add query parameters (`QueryParameter`s, or what extends
      them) to the route, which come as `request.extra`;
    - `examples`: `{"body": …, "reply": …}` for the document.

    Some are for the document alone:

    - `also`: further good statuses, each with its meaning, as `{200: "it was there already"}`;
    - `also_media`: further media types of a good answer, each of them text, where the client has a choice;
    - `bare`: True if a JSON answer is not in the envelope; `request_headers`: request headers, name to meaning
      (`Idempotency-Key`, `If-Match` and `If-None-Match` come of `raises` and `headers`);
    - `streamed_body`: the type of a JSON or NDJSON body that the handler reads itself, `bytes` for any other body;
    - `bearer`: what a public route reads from `Authorization: Bearer` itself;
    - `hooks`: the hooks by which other plugins may refuse; errors that name one in `raised_in` are documented.

    A GET that documents an `ETag` is taken to answer 304 to `If-None-Match`.
    """

    def __init__(self, prefix: str = "", *, tag: str = "") -> None:
        self.prefix = prefix
        self.tag = tag or prefix.strip("/").replace("-", " ").capitalize()
        self.routes: list[Route] = []

    def get(self, path: str = "", **declared: Any) -> Callable[[Handler], Handler]:
        """Declare a GET route."""
        return self.route("GET", path, **declared)

    def post(self, path: str = "", **declared: Any) -> Callable[[Handler], Handler]:
        """Declare a POST route."""
        return self.route("POST", path, **declared)

    def put(self, path: str = "", **declared: Any) -> Callable[[Handler], Handler]:
        """Declare a PUT route."""
        return self.route("PUT", path, **declared)

    def patch(self, path: str = "", **declared: Any) -> Callable[[Handler], Handler]:
        """Declare a PATCH route."""
        return self.route("PATCH", path, **declared)

    def delete(self, path: str = "", **declared: Any) -> Callable[[Handler], Handler]:
        """Declare a DELETE route."""
        return self.route("DELETE", path, **declared)

    def route(self, method: str, path: str, **declared: Any) -> Callable[[Handler], Handler]:
        """Declare a route of any method; raises RouteError where it says neither `@requires` nor `@public`."""

        def declare(handler: Handler) -> Handler:
            full = (self.prefix + path).rstrip("/") or "/"
            access = access_of(handler)
            if access is None:
                raise RouteError(
                    f"{method} {full}: {handler.__module__}.{handler.__name__} says neither @requires(scope) "
                    "nor @public (put it below the route decorator)"
                )
            self.routes.append(
                Route(
                    method=method,
                    path=full,
                    handler=handler,
                    scope=access.scope,
                    tag=self.tag,
                    parameters=_parameters(method, full, handler),
                    **declared,
                )
            )
            return handler

        return declare


def _parameters(method: str, path: str, handler: Handler) -> dict[str, Any]:
    """The path parameters with their types, as the handler is annotated: UUID or str."""
    names = PATH_PARAMETER.findall(path)
    annotations = {
        name: parameter.annotation
        for name, parameter in inspect.signature(handler).parameters.items()
        if name != "request"
    }
    if sorted(names) != sorted(annotations):
        raise RouteError(f"{method} {path}: {handler.__name__} takes {list(annotations)}, the path gives {names}")
    kinds = {"UUID": UUID, "str": str, UUID: UUID, str: str}
    wrong = [name for name, annotation in annotations.items() if annotation not in kinds]
    if wrong:
        raise RouteError(f"{method} {path}: path parameters are UUID or str, not so: {wrong}")
    return {name: kinds[annotations[name]] for name in names}
