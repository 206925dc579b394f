"""PostgreSQL: transactions that end whatever happens, retries, a pool that is full, backends that are killed."""

from __future__ import annotations

import asyncio
import select
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from types import ModuleType
from typing import Any, cast

import asyncpg
import pytest
from piccolo.columns import Integer
from piccolo.table import Table

from core.database import SESSION as IN_SERVICE
from core.database import Connection, Database, PooledConnection, connect_options, open_database
from core.settings import Settings
from piccolo_conf import DB
from voicera import Blueprint, Request, hookimpl, public, reply
from voicera.testing import Answer, Client, Running, eventually, fresh_database, running_app, settings_for_tests
from voicera.testing.patience import PATIENCE

MAKE = "CREATE TABLE counter (id int PRIMARY KEY, amount int NOT NULL)"
BACKEND = "SELECT pg_backend_pid()"
KILL_ALL = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'voicera'
"""


class Counter(Table, tablename="counter", db=DB):
    """The same table, as Piccolo sees it."""

    id = Integer(primary_key=True)
    amount = Integer()


@pytest.fixture(scope="module")
async def own(servers: Settings) -> Settings:
    settings = await fresh_database(servers)
    connection = await asyncpg.connect(**connect_options(settings))
    await connection.execute(MAKE)
    await connection.close()
    return settings


@pytest.fixture
async def database(own: Settings) -> AsyncIterator[Database]:
    async with open_database(own, DB) as opened:
        await opened.pool.execute("TRUNCATE counter")
        await opened.pool.execute("INSERT INTO counter VALUES (1, 0), (2, 0)")
        yield opened
        assert opened.pool.get_idle_size() == opened.pool.get_size()


@pytest.fixture
async def operator(own: Settings) -> AsyncIterator[Any]:
    """A connection beside the pool."""
    connection = await asyncpg.connect(**{**connect_options(own), "server_settings": {"application_name": "operator"}})
    yield connection
    await connection.close()


async def amount(database: Database, identifier: int = 1) -> Any:
    return await database.pool.fetchval("SELECT amount FROM counter WHERE id = $1", identifier)


ADD = "UPDATE counter SET amount = amount + 1 WHERE id = $1"


async def test_a_transaction_commits_at_its_end(database: Database) -> None:
    async with database.tx() as connection:
        await connection.execute(ADD, 1)
        assert await amount(database) == 0
    assert await amount(database) == 1


async def test_a_transaction_rolls_back_on_an_error(database: Database) -> None:
    async def work() -> None:
        async with database.tx() as connection:
            await connection.execute(ADD, 1)
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        await work()
    assert await amount(database) == 0


async def test_a_cancelled_transaction_rolls_back_and_gives_its_connection_back(database: Database) -> None:
    """More often than the pool has connections, at every moment of a transaction."""

    async def work() -> None:
        async with database.tx() as connection:
            await connection.execute(ADD, 1)
            await connection.execute("SELECT pg_sleep(1)")

    for number in range(40):
        task = asyncio.create_task(work())
        await asyncio.sleep(number * 0.0003)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await amount(database) == 0
    async with AsyncExitStack() as stack:
        for _ in range(database.pool.get_max_size()):
            await stack.enter_async_context(database.connection())


async def test_piccolo_uses_the_transactions_connection_inside_and_the_pool_outside(database: Database) -> None:
    async def work() -> None:
        async with database.tx() as connection:
            await connection.execute(ADD, 1)
            rows = await Counter.select(Counter.amount).where(Counter.id == 1).run()
            assert rows == [{"amount": 1}], "it sees what is not committed"
            await Counter.update({Counter.amount: 7}).where(Counter.id == 2).run()
            inside = await Counter.raw(BACKEND).run()
            assert inside[0]["pg_backend_pid"] == await connection.fetchval(BACKEND)
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        await work()
    assert await Counter.select(Counter.amount).order_by(Counter.id).run() == [{"amount": 0}, {"amount": 0}]
    assert DB.pool is database.pool
    outside = {(await Counter.raw(BACKEND).run())[0]["pg_backend_pid"] for _ in range(3)}
    assert outside <= {await _pid(holder) for holder in _holders(database)}


async def test_after_a_transaction_piccolo_no_longer_knows_its_connection(database: Database) -> None:
    for error in (None, RuntimeError()):
        try:
            async with database.tx():
                assert DB.current_transaction.get() is not None
                if error:
                    raise error
        except RuntimeError:
            pass
        assert DB.current_transaction.get() is None


async def test_two_tasks_have_two_transactions(database: Database) -> None:
    both = asyncio.Barrier(2)

    async def work(identifier: int) -> int:
        async with database.tx() as connection:
            await Counter.update({Counter.amount: identifier}).where(Counter.id == identifier).run()
            await both.wait()
            pid: int = await connection.fetchval(BACKEND)
            return pid

    one, other = await asyncio.gather(work(1), work(2))
    assert one != other
    assert [await amount(database, 1), await amount(database, 2)] == [1, 2]


async def test_a_serialization_failure_is_retried_until_it_works(database: Database) -> None:
    """Every writer reads first, so that of those at the same time one alone can commit."""
    attempts = [0]
    both = asyncio.Barrier(2)

    async def work(connection: Connection) -> None:
        attempts[0] += 1
        await connection.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        seen = await connection.fetchval("SELECT amount FROM counter WHERE id = 1")
        if attempts[0] <= 2:
            await both.wait()
        await connection.execute("UPDATE counter SET amount = $1 WHERE id = 1", seen + 1)

    await asyncio.gather(database.retrying(work), database.retrying(work))
    assert attempts[0] == 3
    assert await amount(database) == 2


async def test_a_deadlock_is_retried(database: Database) -> None:
    attempts = [0]
    both = asyncio.Barrier(2)

    def locking(first: int, second: int) -> Any:
        async def work(connection: Connection) -> None:
            attempts[0] += 1
            await connection.execute(ADD, first)
            if attempts[0] <= 2:
                await both.wait()
            await connection.execute(ADD, second)

        return work

    await asyncio.gather(database.retrying(locking(1, 2)), database.retrying(locking(2, 1)))
    assert attempts[0] in (3, 4), "PostgreSQL may see it from both sides at once, and end both"
    assert [await amount(database, 1), await amount(database, 2)] == [2, 2]


async def test_what_fails_three_times_is_given_up_and_nothing_remains(database: Database) -> None:
    attempts = [0]

    async def work(connection: Connection) -> None:
        attempts[0] += 1
        await connection.execute(ADD, 1)
        await connection.execute("DO $$ BEGIN RAISE EXCEPTION SQLSTATE '40001'; END $$")

    with pytest.raises(asyncpg.SerializationError):
        await database.retrying(work)
    assert attempts[0] == 3
    assert await amount(database) == 0


async def test_a_read_that_gets_no_connection_is_not_made_to_wait_twice(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(database.pool.get_max_size()):
            await stack.enter_async_context(database.connection())
        tries, acquire = [0], asyncpg.Pool.acquire

        def counted(pool: Any, **options: Any) -> Any:
            tries[0] += pool is database.pool  # and not another application's
            return acquire(pool, **options)

        monkeypatch.setattr("core.database.ACQUIRE_SECONDS", 0.1)
        monkeypatch.setattr(asyncpg.Pool, "acquire", counted)
        with pytest.raises(TimeoutError):
            await database.reading(lambda connection: connection.fetchval("SELECT 7"))
        assert tries[0] == 1


async def test_any_other_error_is_not_retried(database: Database) -> None:
    attempts = [0]

    async def work(connection: Connection) -> None:
        attempts[0] += 1
        await connection.execute("INSERT INTO counter VALUES (1, 1)")

    with pytest.raises(asyncpg.UniqueViolationError):
        await database.retrying(work)
    assert attempts[0] == 1


async def test_a_read_is_retried_once_when_its_backend_was_killed(database: Database, operator: Any) -> None:
    for _ in range(10):
        async with database.connection() as connection:
            pid = await connection.fetchval(BACKEND)
        await operator.execute("SELECT pg_terminate_backend($1, 5000)", pid)
        assert await database.reading(lambda connection: connection.fetchval("SELECT 7")) == 7


async def test_a_read_is_retried_when_its_backend_is_killed_half_way(database: Database, operator: Any) -> None:
    attempts = [0]

    async def work(connection: Connection) -> Any:
        attempts[0] += 1
        if attempts[0] == 1:
            pid = await connection.fetchval(BACKEND)
            asyncio.get_running_loop().call_later(
                0.05,
                lambda: killing.append(asyncio.create_task(operator.execute("SELECT pg_terminate_backend($1)", pid))),
            )
            await connection.execute("SELECT pg_sleep(5)")
        return await connection.fetchval("SELECT 7")

    killing: list[asyncio.Task[Any]] = []
    assert await database.reading(work) == 7
    assert attempts[0] == 2
    await asyncio.gather(*killing)


async def test_reads_survive_the_end_of_all_backends_at_once(database: Database, operator: Any) -> None:
    for _ in range(3):
        async with AsyncExitStack() as stack:
            for _ in range(database.pool.get_max_size()):
                await stack.enter_async_context(database.connection())
        await operator.execute(KILL_ALL)
        reads = [database.reading(lambda connection: connection.fetchval("SELECT 7")) for _ in range(10)]
        assert await asyncio.gather(*reads) == [7] * 10


async def test_a_read_that_fails_by_itself_is_not_retried(database: Database) -> None:
    attempts = [0]

    async def work(connection: Connection) -> None:
        attempts[0] += 1
        await connection.execute("SELECT 1 / 0")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await database.reading(work)
    assert attempts[0] == 1


async def test_a_request_that_ends_between_prepare_and_execute_leaves_no_timer_to_the_next(own: Settings) -> None:
    """PostgreSQL counts a statement's time from its Parse on, and asyncpg prepares without a Sync."""
    resets = await asyncio.to_thread(lambda: asyncio.run(_undisturbed(own)))
    assert resets > 0, "no cancellation came between the two"


async def _interrupted(settings: Settings, *, times: int) -> int:
    """Cancel queries at the moment when they have been prepared; count the connections that had to be reset.

    On asyncio's own loop, in which the order of callbacks is known: whoever is called after the answer has been read
    and before its reader wakes up can cancel the reader.
    """
    loop, resets = asyncio.get_running_loop(), 0

    class Watched(PooledConnection):
        def get_reset_query(self) -> str:
            nonlocal resets
            query = super().get_reset_query()
            resets += bool(query)
            return query

    options = {**connect_options(settings), "server_settings": {"statement_timeout": "200"}}
    async with asyncpg.create_pool(**options, connection_class=Watched, min_size=1, max_size=1) as pool:
        for number in range(times):
            async with pool.acquire() as connection:
                answers = cast("Any", connection)._transport.get_extra_info("socket").fileno()
            task = asyncio.ensure_future(pool.fetch(f"SELECT {number} AS fresh_{number}"))
            for _ in range(1 + number % 4):
                await asyncio.sleep(0)

            def hold_up(task: asyncio.Future[Any] = task, answers: int = answers) -> None:
                select.select([answers], [], [], 0.2)  # the answer arrives meanwhile
                loop.call_soon(lambda: loop.call_soon(task.cancel))

            loop.call_soon(hold_up)
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.sleep(0.3)  # longer than a statement may take
            assert await pool.fetchval("SELECT 1") == 1
    return resets


async def _undisturbed(settings: Settings) -> int:
    """Try again where PostgreSQL ends a statement in time: a timer that was left does so every time, a stall once."""
    for _ in range(4):
        with suppress(asyncpg.QueryCanceledError):
            if resets := await _interrupted(settings, times=8):
                return resets
    return await _interrupted(settings, times=8)


async def test_a_connections_limits_are_in_force(own: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.database.SESSION", IN_SERVICE)
    async with open_database(own, DB) as database, database.connection() as connection:
        assert await connection.fetchval("SHOW timezone") == "UTC"
        assert await connection.fetchval("SHOW statement_timeout") == "8s"
        assert await connection.fetchval("SHOW idle_in_transaction_session_timeout") == "15s"


def holding_plugin() -> ModuleType:
    """Routes that take a connection, with and without a transaction, and one that holds it until told to leave."""
    blueprint = Blueprint("/holding")
    module: Any = ModuleType("holding")
    module.leave = asyncio.Event()
    module.held = 0

    @blueprint.get("/hold", deadline=30)
    @public
    async def hold(request: Request) -> Any:
        """Hold a connection."""
        async with request.resources.db.connection():
            module.held += 1
            await module.leave.wait()
            module.held -= 1
        return reply(None)

    @blueprint.get("/read")
    @public
    async def read(request: Request) -> Any:
        """Read."""
        return reply(await request.resources.db.reading(lambda connection: connection.fetchval("SELECT 1")))

    @blueprint.post("/write")
    @public
    async def write(request: Request) -> Any:
        """Write."""
        async with request.resources.db.tx() as connection:
            await connection.execute(ADD, 1)
            await connection.execute("SELECT pg_sleep(0.002)")
        return reply(None)

    module.register_blueprints = hookimpl(lambda: [blueprint])
    return module


@pytest.fixture
async def holding(own: Settings) -> AsyncIterator[tuple[Running, Any]]:
    plugin = holding_plugin()
    environ = settings_for_tests(own, {"VOICERA_DATABASE_POOL": "4"})
    async with running_app(environ, plugins=[plugin]) as app:
        yield app, plugin
        plugin.leave.set()


def is_unavailable(answer: Answer) -> bool:
    """503 in the one shape, with the time to wait."""
    return (
        answer.status == 503
        and answer.code == "SERVER_002"
        and int(answer.headers["Retry-After"]) >= 1
        and answer.json.keys() == {"success", "data", "error", "timestamp"}
    )


async def test_a_full_pool_answers_503_after_a_while_and_recovers(
    holding: tuple[Running, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, plugin = holding
    held = [asyncio.create_task(app.client.get("/holding/hold")) for _ in range(4)]
    await eventually(lambda: plugin.held == 4)
    with monkeypatch.context() as impatient:
        impatient.setattr("core.database.ACQUIRE_SECONDS", 0.5)
        reads = [app.client.get("/holding/read") for _ in range(20)]
        answers = await asyncio.gather(*reads, *(app.client.post("/holding/write") for _ in range(20)))
    assert plugin.held == 4, "nobody had to leave for them to be answered"
    assert all(map(is_unavailable, answers)), {answer.status for answer in answers}
    assert (await app.client.get("/health")).status == 200
    plugin.leave.set()
    assert [answer.status for answer in await asyncio.gather(*held)] == [200] * 4
    assert (await app.client.get("/holding/read")).data == 1
    pool = app.resources.db.pool
    await eventually(lambda: pool.get_idle_size() == pool.get_size())  # others of the worker use it too, for moments


async def test_killed_backends_are_503_with_retry_after_and_never_500(
    holding: tuple[Running, Any], operator: Any
) -> None:
    app, _ = holding
    stop = asyncio.Event()
    answers: list[Answer] = []

    async def load(client: Client) -> None:
        while not stop.is_set():
            answers.append(await client.post("/holding/write"))
            answers.append(await client.get("/holding/read"))

    loads = [asyncio.create_task(load(app.client)) for _ in range(8)]
    for _ in range(8):
        enough = len(answers) + 40  # the load goes on meanwhile
        await eventually(lambda enough=enough: len(answers) > enough)
        await operator.execute(KILL_ALL)
    stop.set()
    await asyncio.gather(*loads)
    failed = [answer for answer in answers if answer.status != 200]
    assert all(map(is_unavailable, failed)), {answer.status for answer in failed}
    assert len(failed) <= 8 * 4, "at most one failed request a backend"
    assert len(answers) > 4 * len(failed)
    assert (await app.client.post("/holding/write")).status == 200


async def test_a_database_that_is_away_is_503_at_once_and_health_goes_on(own: Settings) -> None:
    environ = {**settings_for_tests(own), "VOICERA_DATABASE_URL": "postgresql://voicera:x@127.0.0.1:1/none"}
    async with running_app(environ, plugins=[holding_plugin()], migrated=True) as app:
        started = time.perf_counter()
        answers = [await app.client.get("/holding/read"), await app.client.post("/holding/write")]
        assert time.perf_counter() - started < PATIENCE, "none of its time limits was waited for"
        assert all(map(is_unavailable, answers))
        assert (await app.client.get("/health")).status == 200
        readiness = await app.client.get("/readiness")
        assert (readiness.status, readiness.data["database"]) == (503, "unavailable")


def _holders(database: Database) -> list[Any]:
    holders: list[Any] = [holder for holder in database.pool._holders if holder._con]  # type: ignore[attr-defined]
    return holders


async def _pid(holder: Any) -> int:
    return int(holder._con.get_server_pid())
