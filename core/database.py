"""PostgreSQL: one asyncpg pool a worker, shared with Piccolo, and `tx()`, the only way to a transaction.

Piccolo's own `DB.transaction()` leaks its connection when the task is cancelled, so `tx()` uses asyncpg's
`acquire` and `transaction`, and tells Piccolo which connection is the current one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from piccolo.engine.postgres import PostgresEngine

from core.settings import Settings, with_values

if TYPE_CHECKING:  # generic for the type checker only
    Connection = PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Connection, Pool = PoolConnectionProxy, asyncpg.Pool
Result = TypeVar("Result")

COMMAND_SECONDS = 8.0
CONNECT_SECONDS = 2.0
ACQUIRE_SECONDS = 2.0
ATTEMPTS = 3
# A generic plan is made once a connection. One for given values is made again and again, and with a hundred partitions
# that takes ten times as long as the query; the partitions that a value rules out are left out either way.
SESSION = {
    "plan_cache_mode": "force_generic_plan",
    "application_name": "voicera",
    "timezone": "UTC",
    "statement_timeout": "8000",
    "lock_timeout": "4000",
    "idle_in_transaction_session_timeout": "15000",
    "jit": "off",
}
RETRIED = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
LOST = (
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,  # the backend was ended from outside
    asyncpg.CrashShutdownError,
    OSError,
)


class Engine(PostgresEngine):
    """Piccolo's engine without its queries at construction: importing a module does no I/O."""

    async def check_version(self) -> None:
        """Piccolo asks the server for its version here; the kernel does so when it opens the pool."""

    async def prep_database(self) -> None:
        """Piccolo creates extensions here; nothing of ours rests on one."""


class PooledConnection(asyncpg.Connection):
    """A connection that is given back without a round trip.

    asyncpg resets every setting and lock of a session each time, which was a tenth of a short request. Nothing of
    ours leaves any behind: use `SET LOCAL` and `pg_advisory_xact_lock`. An open transaction is still rolled back.

    Only what was interrupted between the preparing of a statement and its execution is reset: asyncpg ends the first by
    Flush and not by Sync, so PostgreSQL would go on counting its `statement_timeout`, and cancel whatever comes next.
    """

    _prepares = False

    async def _get_statement(self, *args: Any, **kwargs: Any) -> Any:
        self._prepares = True
        found = await super()._get_statement(*args, **kwargs)  # type: ignore[misc]  # asyncpg's own, untyped
        self._prepares = False
        return found

    def get_reset_query(self) -> str:
        """Nothing to reset, or a statement that makes PostgreSQL end the one before."""
        if not self._prepares:
            return ""
        self._prepares = False
        return "SELECT"


@dataclass(frozen=True, slots=True)
class CurrentTransaction:
    """What Piccolo looks for in its context variable: something with a `connection`."""

    connection: Connection


def set_current(engine: Engine, connection: Any) -> Token[Any]:
    """Tell Piccolo that its queries run on this connection; reset the engine's variable with the token in `finally`."""
    variable: ContextVar[Any] = engine.current_transaction
    return variable.set(CurrentTransaction(connection))


@dataclass(frozen=True, slots=True)
class Joint:
    """A transaction that callees join, and what they want to do after its commit."""

    connection: Connection
    afterwards: list[Callable[[], None]] = field(default_factory=list)


_joint: ContextVar[Joint | None] = ContextVar("joint", default=None)


def after_commit(work: Callable[[], None]) -> None:
    """Do something after the commit of the joined transaction around the caller; at once where there is none."""
    joint = _joint.get()
    if joint is None:
        work()
    else:
        joint.afterwards.append(work)


def in_joined_transaction() -> bool:
    """True inside `Database.joined`."""
    return _joint.get() is not None


@dataclass(frozen=True, slots=True)
class Database:
    """The pool, and the Piccolo engine that shares it."""

    pool: Pool
    engine: Engine

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Hold one connection for several statements, Piccolo's among them; no transaction.

        Inside `joined` it is the connection that is held already. Raises TimeoutError when none is free within
        2 seconds.
        """
        joint = _joint.get()
        if joint is not None:
            yield joint.connection
            return
        async with self.pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            token = set_current(self.engine, connection)
            try:
                yield connection
            finally:
                self.engine.current_transaction.reset(token)

    @asynccontextmanager
    async def tx(self) -> AsyncIterator[Connection]:
        """Hold one connection in a transaction: committed at the end, rolled back on an error or cancellation.

        Do not nest it, and await one statement at a time inside: a connection cannot run two. Inside `joined` it is
        a savepoint of the transaction there.
        """
        async with self.connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def joined(self) -> AsyncIterator[Connection]:
        """Hold a transaction that everything inside joins, what callees do through `connection` and `tx` as well.

        What they leave to `after_commit` runs when it has committed, and never if it has not.
        """
        async with self.tx() as connection:
            joint = Joint(connection)
            token = _joint.set(joint)
            try:
                yield connection
            finally:
                _joint.reset(token)
        for work in joint.afterwards:
            work()

    async def retrying(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """Run `work` in a transaction; after a serialization failure or a deadlock again, three times in all."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self.tx() as connection:
                    return await work(connection)
            except RETRIED:
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    async def reading(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """Run `work`, which only reads, on one connection; once more if that connection turns out to be dead."""
        try:
            async with self.connection() as connection:
                return await work(connection)
        except TimeoutError:  # an OSError too, but of a database that is slow or full: not again
            raise
        except LOST:
            async with self.connection() as connection:
                return await work(connection)


def rfc3339_sql(column: str) -> str:
    """SQL that writes a timestamptz column as `rfc3339` does, for JSON that PostgreSQL makes."""
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""


async def ping(database: Database) -> None:
    """Raise if PostgreSQL does not answer."""
    await database.pool.fetchval("SELECT 1", timeout=CONNECT_SECONDS)


def connect_options(settings: Settings) -> dict[str, Any]:
    """Arguments for asyncpg, for the pool as for a single connection."""
    assert settings.database_url is not None
    return {
        "dsn": settings.database_url.get_secret_value(),
        "timeout": CONNECT_SECONDS,
        "command_timeout": COMMAND_SECONDS,
        "statement_cache_size": settings.database_statement_cache,
        "server_settings": SESSION,
    }


def on_database(settings: Settings, name: str) -> Settings:
    """The same settings, naming another database of the server."""
    assert settings.database_url is not None
    url = urlsplit(settings.database_url.get_secret_value())._replace(path=f"/{name}")
    return with_values(settings, {"database_url": url.geturl()}, "environment")


@asynccontextmanager
async def open_database(settings: Settings, engine: Engine) -> AsyncIterator[Database]:
    """Open the pool; connections are made when they are needed, so a database that is down does not stop the start."""
    pool: Pool = asyncpg.create_pool(
        **connect_options(settings),
        connection_class=PooledConnection,
        min_size=0,
        max_size=settings.database_pool,
        max_inactive_connection_lifetime=300,
    )
    async with pool:
        before, engine.pool = engine.pool, pool
        try:
            yield Database(pool, engine)
        finally:
            engine.pool = before  # another application's in the same process, as in tests
