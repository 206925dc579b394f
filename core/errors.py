"""Errors: one class a code, its docstring the message, its body built in one place.

A plugin subclasses `ApiError`, gives `code` and `status`, and returns the class from `register_errors()`.
The message is public: it never carries a value that the caller sent, SQL or a path.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, TypedDict


class FieldError(TypedDict):
    """One failing field of a body: a path such as `voice_parameters.speed` or `[3].status`, and what is wrong."""

    field: str
    message: str


Details = str | Sequence[FieldError] | None


class ApiError(Exception):
    """An error that a client may see. `details` is a sentence or a list of failing fields.

    `raised_in` names the hooks whose implementations may raise it: it is documented on every route that calls one
    (every route that asks for a scope calls `authenticate`). A subclass does not inherit that.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    raised_in: ClassVar[tuple[str, ...]] = ()

    def __init__(self, details: Details = None, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(self.message())
        self.details = details
        self.headers = headers or {}

    @classmethod
    def message(cls) -> str:
        """The first line of the docstring, without its full stop."""
        return inspect.cleandoc(cls.__doc__ or cls.__name__).splitlines()[0].rstrip(".")

    def body(self) -> dict[str, Any]:
        """What stands under `error` in the envelope."""
        return {"code": self.code, "message": self.message(), "details": self.details}


class Unauthenticated(ApiError):
    """Token invalid."""

    code, status = "AUTH_003", 401
    raised_in = ("authenticate",)

    def __init__(self, details: Details = None, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(details, headers={"WWW-Authenticate": "Bearer", **(headers or {})})


class PermissionDenied(ApiError):
    """Permission denied."""

    code, status = "AUTH_004", 403


class BadRequest(ApiError):
    """The request is malformed."""

    code, status = "REQUEST_001", 400


class RequestTimedOut(BadRequest):
    """The request was not sent in time."""

    status = 408


class HeadTooLarge(BadRequest):
    """The request head is too large."""

    status = 431


class RangeNotSatisfiable(BadRequest):
    """The range lies outside of the resource."""

    status = 416


class InvalidFields(ApiError):
    """Validation failed."""

    code, status = "REQUEST_002", 422


class BodyTooLarge(ApiError):
    """Request body too large."""

    code, status = "REQUEST_003", 413


class NoSuchRoute(ApiError):
    """No such route."""

    code, status = "REQUEST_004", 404


class MethodNotAllowed(ApiError):
    """Method not allowed."""

    code, status = "REQUEST_004", 405


class IdempotencyConflict(ApiError):
    """Idempotency-Key reused with a different body, or still in flight."""

    code, status = "REQUEST_005", 409


class PreconditionFailed(ApiError):
    """If-Match does not match."""

    code, status = "REQUEST_006", 412


class RateLimited(ApiError):
    """Rate limit exceeded."""

    code, status = "RATE_001", 429


class InternalError(ApiError):
    """Internal server error."""

    code, status = "SERVER_001", 500


class Unavailable(ApiError):
    """A dependency is down."""

    code, status = "SERVER_002", 503

    def __init__(self, details: Details = None, *, retry_after: int = 2) -> None:
        super().__init__(details, headers={"Retry-After": str(retry_after)})


KERNEL_ERRORS: tuple[type[ApiError], ...] = (
    Unauthenticated,
    PermissionDenied,
    BadRequest,
    RangeNotSatisfiable,
    InvalidFields,
    BodyTooLarge,
    NoSuchRoute,
    MethodNotAllowed,
    IdempotencyConflict,
    PreconditionFailed,
    RateLimited,
    InternalError,
    Unavailable,
)


class ErrorCatalogue:
    """Every registered code, with who registered it; two owners of one code stop the start."""

    def __init__(self) -> None:
        self._classes: dict[str, list[type[ApiError]]] = {}
        self._owners: dict[str, str] = {}
        self.add("core", KERNEL_ERRORS)

    def add(self, owner: str, classes: Iterable[type[ApiError]]) -> None:
        """Register a plugin's error classes; raises ValueError if another plugin has one of the codes."""
        for cls in classes:
            holder = self._owners.setdefault(cls.code, owner)
            if holder != owner:
                raise ValueError(f"error code {cls.code} is claimed by both {holder} and {owner}")
            if cls not in self._classes.setdefault(cls.code, []):
                self._classes[cls.code].append(cls)

    def __contains__(self, cls: type[ApiError]) -> bool:
        return cls.code in self._classes

    def classes(self) -> Iterator[type[ApiError]]:
        """Every registered class, by code."""
        for _, classes in sorted(self._classes.items()):
            yield from classes

    def listing(self) -> list[dict[str, Any]]:
        """What `GET /errors` answers: code, the statuses it comes with, meaning and owner, sorted by code."""
        return [
            {
                "code": code,
                "status": classes[0].status,
                "statuses": sorted({cls.status for cls in classes}),
                "message": classes[0].message(),
                "plugin": self._owners[code],
            }
            for code, classes in sorted(self._classes.items())
        ]
