"""Exceptions to errors: what PostgreSQL, Valkey, S3 and Sanic raise becomes one of the catalogue's errors.

Nothing that a library says reaches the client: its text may hold SQL, values or paths.
"""

from __future__ import annotations

import logging

import asyncpg
import sanic.exceptions as sanic_errors
from coredis.exceptions import RedisError

from core.cache import CacheUnavailable
from core.errors import (
    ApiError,
    BadRequest,
    BodyTooLarge,
    HeadTooLarge,
    InternalError,
    InvalidFields,
    MethodNotAllowed,
    NoSuchRoute,
    RequestTimedOut,
    Unavailable,
)
from core.storage import StorageUnavailable

log = logging.getLogger("voicera.failures")
BUSY = "the service is busy or a dependency is away; try again"
DATABASE_AWAY = (
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,  # too many connections, disk full, out of memory
    asyncpg.OperatorInterventionError,  # shutdown, crash recovery, statement timeout
    asyncpg.LockNotAvailableError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InvalidAuthorizationSpecificationError,
)
AWAY = (*DATABASE_AWAY, RedisError, CacheUnavailable, StorageUnavailable, OSError, TimeoutError)
UNSTORABLE = (asyncpg.DataError, asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)


def as_api_error(error: BaseException) -> ApiError:
    """Return the error that a client sees; InternalError for what nobody foresaw, which the caller logs."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, sanic_errors.SanicException):
        return _of_sanic(error)
    if isinstance(error, UNSTORABLE) and not isinstance(error, asyncpg.DivisionByZeroError):  # that one is ours
        log.warning("a value was refused by the database", extra={"error": type(error).__name__})
        return InvalidFields("a value cannot be stored")
    if isinstance(error, AWAY) or _is_botocore(error):
        return Unavailable(BUSY)
    if isinstance(error, BaseExceptionGroup):
        return as_api_error(error.exceptions[0])
    return InternalError()


def _of_sanic(error: sanic_errors.SanicException) -> ApiError:
    by_status: dict[int, type[ApiError]] = {
        404: NoSuchRoute,
        405: MethodNotAllowed,
        408: RequestTimedOut,
        413: BodyTooLarge,
        431: HeadTooLarge,
    }
    status = error.status_code or 500
    if status in by_status:
        return by_status[status]()
    if status == 503:
        return Unavailable(BUSY)
    if 400 <= status < 500 or status in (501, 505):
        return _malformed(str(error), status)
    return InternalError()


def _malformed(text: str, status: int) -> ApiError:
    kind: type[ApiError] = type("Malformed", (BadRequest,), {"status": status, "__doc__": BadRequest.__doc__})
    return kind(text)  # Sanic's own sentences about the form of a request, ours in core.strict_http


def _is_botocore(error: BaseException) -> bool:
    """Told by module, since importing botocore takes longer than a worker's whole start."""
    return type(error).__module__.partition(".")[0] in ("botocore", "aiobotocore", "aiohttp")
