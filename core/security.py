"""Who calls, and what a route asks of them: `Principal`, `@requires(scope)`, `@public`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

ADMIN = "admin"
ACCESS = "__voicera_access__"
EVERYTHING = "*"

Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller.

    `session_id` names what can be revoked: a login session or an API key. `scopes` holds scopes, or `*`
    for everything that the role may do.
    """

    owner_id: UUID
    role: str
    scopes: frozenset[str]
    session_id: UUID
    kind: str = "token"

    def allows(self, scope: str) -> bool:
        """True if this caller may use a route that asks for `scope`; `admin` also asks for the role."""
        if scope == ADMIN and self.role != ADMIN:
            return False
        return scope in self.scopes or EVERYTHING in self.scopes


@dataclass(frozen=True, slots=True)
class Access:
    """What a route asks for: a scope, or None where anyone may call it."""

    scope: str | None


def requires(scope: str) -> Callable[[Handler], Handler]:
    """Mark a handler: only callers with this scope (`thing:verb`, or `admin`)."""
    return _mark(Access(scope))


def public(handler: Handler) -> Handler:
    """Mark a handler: anyone may call it, with or without a token."""
    return _mark(Access(None))(handler)


def access_of(handler: Callable[..., Any]) -> Access | None:
    """Return what a handler was marked with, None if with nothing (then the start fails)."""
    access: Access | None = getattr(handler, ACCESS, None)
    return access


def _mark(access: Access) -> Callable[[Handler], Handler]:
    def mark(handler: Handler) -> Handler:
        setattr(handler, ACCESS, access)
        return handler

    return mark
