"""The public face of VoiceERA: every name that a plugin imports, and nothing that it should not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

from core import API_VERSION, __version__
from core.background import Background
from core.database import LOST, Connection, Database, after_commit, in_joined_transaction, rfc3339_sql
from core.embedded.datadir import own_dir
from core.errors import (
    ApiError,
    BadRequest,
    FieldError,
    IdempotencyConflict,
    InvalidFields,
    NoSuchRoute,
    PermissionDenied,
    PreconditionFailed,
    RangeNotSatisfiable,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from core.hookspecs import hookimpl, hookspec
from core.http.blueprint import Blueprint
from core.http.conditional import etag, if_match, if_none_match
from core.http.content import Content
from core.http.many import Many, ManyReader
from core.http.metered import metered
from core.http.moments import moment_of
from core.http.paging import Page, PageSize, Paging, Skip
from core.http.query import QueryParameter
from core.http.ranges import span_of
from core.http.reply import Fragment, Reply, encode, raw, reply, rfc3339, streamed
from core.http.request import Request
from core.ids import ceiling_of, lowest, milliseconds_of, time_of, uuid7, uuid7s
from core.limits import Limit
from core.ratelimit import ended_key
from core.resources import Resources, utc_now
from core.security import Principal, public, requires
from core.settings import ConfigurationError, Settings, SettingsSection
from core.sql_migration import sql_migration
from core.storage import Multipart, Storage, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_Result = TypeVar("_Result")


def brought(hook: str, kind: type[_Result], **arguments: Any) -> list[tuple[str, _Result]]:
    """What the plugins bring by a start-up hook that answers a sequence of `kind`: (plugin name, item) pairs.

    For the commands of plugins; where there are `Resources`, ask `resources.hooks.brought`. An installed plugin that
    raises, or answers something else, is left out.
    """
    from core.commands import brought as found  # noqa: PLC0415  # as below

    return found(hook, kind, **arguments)


def run_with_resources(work: Callable[[Resources], Awaitable[_Result]]) -> _Result:
    """Run a plugin's command: `work` gets open `Resources`, as a worker has them.

    Raises ConfigurationError if no database is configured and no stack runs in the data directory.
    """
    from core.commands import run_with_resources as run  # noqa: PLC0415  # a serving worker has no use for it

    return run(work)


__all__ = [
    "API_VERSION",
    "LOST",
    "UNSET",
    "ApiError",
    "Background",
    "BadRequest",
    "Blueprint",
    "ConfigurationError",
    "Connection",
    "Content",
    "Database",
    "FieldError",
    "Fragment",
    "IdempotencyConflict",
    "InvalidFields",
    "Limit",
    "Many",
    "ManyReader",
    "Meta",
    "Multipart",
    "NoSuchRoute",
    "Page",
    "PageSize",
    "Paging",
    "PermissionDenied",
    "PreconditionFailed",
    "Principal",
    "QueryParameter",
    "RangeNotSatisfiable",
    "RateLimited",
    "Reply",
    "Request",
    "Resources",
    "Settings",
    "SettingsSection",
    "Skip",
    "Storage",
    "StorageUnavailable",
    "Struct",
    "Unauthenticated",
    "Unavailable",
    "UnsetType",
    "__version__",
    "after_commit",
    "brought",
    "ceiling_of",
    "encode",
    "ended_key",
    "etag",
    "hookimpl",
    "hookspec",
    "if_match",
    "if_none_match",
    "in_joined_transaction",
    "lowest",
    "metered",
    "milliseconds_of",
    "moment_of",
    "own_dir",
    "public",
    "raw",
    "reply",
    "requires",
    "rfc3339",
    "rfc3339_sql",
    "run_with_resources",
    "span_of",
    "sql_migration",
    "streamed",
    "time_of",
    "utc_now",
    "uuid7",
    "uuid7s",
]
