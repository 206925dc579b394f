"""Ingestion under faults: clients that hang up, backends that end, batches that cross, months that nobody has seen."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest

from core.database import connect_options
from core.settings import Settings
from plugins.calls.hookspecs import CallsRecorded
from voicera import (
    ApiError,
    Blueprint,
    Connection,
    Reply,
    Request,
    hookimpl,
    in_joined_transaction,
    public,
    reply,
)
from voicera.testing import Client, Running, eventually, running_app, settings_for_tests
from voicera.testing.patience import PATIENCE

NewCall = Callable[..., dict[str, Any]]
BATCH, CALLS = "/call-logs/batch", "/call-logs"
GONE, BATCH_OF = 200, 20
REFUSED, BROKEN = "+4900000001", "+4900000002"
KEYS_APART = """
SELECT count(*)
FROM (SELECT call_id FROM call_keys WHERE owner_id = $1) AS keys
FULL JOIN (SELECT id FROM call_logs WHERE owner_id = $1 AND external_id IS NOT NULL) AS calls ON call_id = id
WHERE id IS NULL OR call_id IS NULL"""
TOUCH = "UPDATE call_logs SET summary = summary WHERE owner_id = $1 AND id = $2"
_months = itertools.count()


class Unwanted(ApiError):
    """Calls to this number are not wanted."""

    code, status = "UNWANTED_001", 409
    raised_in = ("calls_recording",)


@hookimpl
async def calls_recording(connection: Connection, batch: CallsRecorded) -> None:
    """Refuse one number, and stumble over another, when something has been written already."""
    numbers = {call.log.phone_number for call in batch.calls}
    await connection.execute(TOUCH, batch.owner_id, batch.calls[0].id)
    if REFUSED in numbers:
        raise Unwanted
    if BROKEN in numbers:
        raise RuntimeError("a listener of somebody else")


probe = Blueprint("/probe")


@probe.get("")
@public
async def look(request: Request) -> Reply:
    """Say what of a transaction is there when a request begins."""
    engine = request.resources.db.engine
    return reply({"joined": in_joined_transaction(), "piccolo": engine.current_transaction.get() is not None})


def _plugin() -> ModuleType:
    module = ModuleType("refusing")
    module.__dict__.update(
        calls_recording=calls_recording,
        register_blueprints=hookimpl(lambda: [probe]),
        register_errors=hookimpl(lambda: [Unwanted]),
    )
    return module


@pytest.fixture(scope="module")
async def app(stack: Settings) -> AsyncIterator[Running]:
    """An application of its own, with a listener that refuses."""
    async with running_app(settings_for_tests(stack), plugins=[_plugin()], migrated=True) as running:
        yield running


@pytest.fixture
async def caller(app: Running) -> Client:
    """A client of a new user of that application."""
    return await app.client.new_user()


async def total(client: Client) -> int:
    """How many calls the API counts, after comparing the keys with the calls."""
    return int((await client.get(CALLS, params={"limit": 1})).data["total"])


async def is_sound(app: Running, client: Client, calls: int) -> None:
    """The table, the keys and the total say the same."""
    owner = UUID(client.user["id"])
    assert await app.resources.db.pool.fetchval("SELECT count(*) FROM call_logs WHERE owner_id = $1", owner) == calls
    assert await app.resources.db.pool.fetchval(KEYS_APART, owner) == 0
    assert await total(client) == calls


def wire(client: Client, path: str, body: Any, headers: dict[str, str] | None = None, method: str = "POST") -> bytes:
    """A request as bytes."""
    data = b"" if body is None else orjson.dumps(body)
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {client.token}"]
    lines += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + data


async def connect(client: Client) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the client's application."""
    host, port = client.url.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port))


async def send_and_hang_up(client: Client, data: bytes, seconds: float) -> None:
    """Send a request, and go away in the middle of whatever happens, or with the answer if that comes first."""
    reader, writer = await connect(client)
    writer.write(data)
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(seconds):  # the random moment is the point
            await reader.read(1)
    writer.transport.abort()


async def quiet(app: Running) -> None:
    """Wait until nothing of what has been sent is under way, and every connection is back."""
    pool = app.resources.db.pool
    await eventually(lambda: not app.resources.background._work and pool.get_idle_size() == pool.get_size())
    held = [await pool.acquire(timeout=PATIENCE) for _ in range(pool.get_max_size())]
    for connection in held:
        assert not connection.is_in_transaction()
        await pool.release(connection)


class TestHangingUp:
    async def test_two_hundred_clients_that_hang_up_leave_whole_batches_or_none(
        self, app: Running, caller: Client, call: NewCall
    ) -> None:
        chance = random.Random(11)
        batches = [[call(summary=f"batch {number}") for _ in range(BATCH_OF)] for number in range(GONE // 2)]
        singles = [call() for _ in range(GONE // 2)]
        gate = asyncio.Semaphore(20)

        async def go(number: int) -> None:
            path, body = (BATCH, batches[number // 2]) if number % 2 else (CALLS, singles[number // 2])
            headers = {"Idempotency-Key": f"key-{number}"} if number % 3 == 0 else None
            moment = PATIENCE if number % 10 < 2 else chance.random() * 0.3  # some stay, however slow the machine is
            async with gate:
                await send_and_hang_up(caller, wire(caller, path, body, headers), moment)

        await asyncio.gather(*[go(number) for number in range(GONE)])
        await quiet(app)
        rows = await app.resources.db.pool.fetch(
            "SELECT external_id FROM call_logs WHERE owner_id = $1", UUID(caller.user["id"])
        )
        there = {row["external_id"] for row in rows}
        sizes = {len({log["external_id"] for log in batch} & there) for batch in batches}
        assert sizes == {0, BATCH_OF}, "some went away before and some after the commit, and none was cut in two"
        await is_sound(app, caller, len(rows))
        for number in range(GONE):
            path, body = (BATCH, batches[number // 2]) if number % 2 else (CALLS, singles[number // 2])
            assert (await caller.post(path, body)).status in (200, 201)
        await is_sound(app, caller, GONE // 2 * (BATCH_OF + 1))

    async def test_who_hangs_up_harms_nobody_in_the_same_transaction(
        self, app: Running, caller: Client, call: NewCall
    ) -> None:
        staying, going = [call() for _ in range(60)], [call() for _ in range(30)]
        answers, *_ = await asyncio.gather(
            asyncio.gather(*[caller.post(CALLS, log) for log in staying]),
            *[send_and_hang_up(caller, wire(caller, CALLS, log), 0.001 * n) for n, log in enumerate(going)],
        )
        assert [answer.status for answer in answers] == [201] * 60
        await quiet(app)
        assert 60 <= await total(caller) <= 90
        assert {(await caller.post(CALLS, log)).status for log in going} <= {200, 201}
        await is_sound(app, caller, 90)


class TestBackendsThatEnd:
    async def test_all_backends_ended_again_and_again_and_each_call_is_there_once(
        self, app: Running, stack: Settings, caller: Client, call: NewCall
    ) -> None:
        over = asyncio.Event()
        statuses: list[int] = []
        sent: list[str] = []

        async def push(path: str, size: int) -> None:
            while not over.is_set():
                logs = [call() for _ in range(size)]
                while True:
                    answer = await caller.post(path, logs if path == BATCH else logs[0])
                    statuses.append(answer.status)
                    if answer.status in (200, 201):
                        break
                    assert answer.status == 503, answer.content
                sent.extend(log["external_id"] for log in logs)

        pushing = [asyncio.create_task(push(path, size)) for path, size in [(BATCH, 50), (CALLS, 1)] * 4]
        for _ in range(10):
            enough = len(sent) + 100
            await eventually(lambda enough=enough: len(sent) > enough)
            await end_backends(app, stack)
        over.set()
        await asyncio.gather(*pushing)
        assert 503 in statuses
        rows = await app.resources.db.pool.fetch(
            "SELECT external_id FROM call_logs WHERE owner_id = $1", UUID(caller.user["id"])
        )
        assert sorted(row["external_id"] for row in rows) == sorted(sent)
        await is_sound(app, caller, len(sent))


async def end_backends(app: Running, stack: Settings) -> None:
    """End every backend of the application's pool."""
    holders = app.resources.db.pool._holders  # type: ignore[attr-defined]  # nothing public names them
    pids = [holder._con.get_server_pid() for holder in holders if holder._con]
    connection = await asyncpg.connect(**connect_options(stack))
    try:
        await connection.execute("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", pids)
    finally:
        await connection.close()


class TestCrossing:
    async def test_two_batches_with_the_same_ids_in_opposite_order_never_block_one_another(
        self, running: Running, user: Client, call: NewCall
    ) -> None:
        for _ in range(20):
            logs = [call() for _ in range(1000)]
            answers = await asyncio.gather(user.post(BATCH, logs), user.post(BATCH, logs[::-1]))
            assert [answer.status for answer in answers] == [201, 201]
            assert sum(answer.data["created"] for answer in answers) == 1000
        await is_sound(running, user, 20_000)

    async def test_six_clients_that_send_the_same_calls_create_them_once(
        self, running: Running, user: Client, call: NewCall
    ) -> None:
        logs = [call() for _ in range(500)]
        answers = await asyncio.gather(*[user.post(BATCH, random.sample(logs, 500)) for _ in range(6)])
        assert [answer.status for answer in answers] == [201] * 6
        assert sum(answer.data["created"] for answer in answers) == 500
        await is_sound(running, user, 500)


class TestNewMonths:
    async def test_a_month_that_nobody_has_seen_is_there_for_eight_at_once(
        self, app: Running, caller: Client, call: NewCall
    ) -> None:
        for _ in range(3):
            moment = await an_unseen_month(app)
            keyed = [{"Idempotency-Key": uuid4().hex} if n % 2 else {} for n in range(8)]
            answers = await asyncio.gather(
                *[caller.post(CALLS, call(created_at=moment), headers=headers) for headers in keyed[:4]],
                *[caller.post(BATCH, [call(created_at=moment)] * 3, headers=headers) for headers in keyed[4:]],
            )
            assert [answer.status for answer in answers] == [201] * 8
        await is_sound(app, caller, 24)

    async def test_so_many_with_a_key_that_all_connections_are_held_get_through(
        self, app: Running, caller: Client, call: NewCall
    ) -> None:
        moment = await an_unseen_month(app)
        size = app.resources.db.pool.get_max_size() * 3
        answers = await asyncio.gather(
            *[
                caller.post(CALLS, call(created_at=moment), headers={"Idempotency-Key": uuid4().hex})
                for _ in range(size)
            ]
        )
        assert [answer.status for answer in answers] == [201] * size


async def an_unseen_month(app: Running) -> str:
    """A moment in a month that has no partition yet."""
    while True:
        year, month = divmod(next(_months) * 7, 12)
        name = f"call_logs_{1975 + year:04d}_{month + 1:02d}"
        if await app.resources.db.pool.fetchval("SELECT to_regclass($1)", name) is None:
            return f"{1975 + year:04d}-{month + 1:02d}-11T10:30:00Z"


class TestListenersThatRefuse:
    @pytest.mark.parametrize(("number", "status"), [(REFUSED, 409), (BROKEN, 500)])
    async def test_one_of_fifty_calls_refused_by_a_listener_harms_no_other(
        self, app: Running, caller: Client, call: NewCall, number: str, status: int
    ) -> None:
        logs = [call(phone_number=number) if n == 25 else call() for n in range(50)]
        answers = await asyncio.gather(*[caller.post(CALLS, log) for log in logs])
        assert [answer.status for answer in answers] == [status if n == 25 else 201 for n in range(50)]
        await is_sound(app, caller, 49)

    async def test_a_refused_batch_is_absent_whole_and_may_be_sent_again(
        self, app: Running, caller: Client, call: NewCall
    ) -> None:
        logs = [call() for _ in range(10)]
        refused = await caller.post(BATCH, [*logs, call(phone_number=REFUSED)], headers={"Idempotency-Key": "k"})
        assert (refused.status, refused.code) == (409, "UNWANTED_001")
        await is_sound(app, caller, 0)
        assert (await caller.post(BATCH, logs, headers={"Idempotency-Key": "k"})).data["created"] == 10


class TestOneConnectionForTwoUsers:
    @pytest.mark.parametrize(
        ("body", "failure"),
        [
            ({"phone_number": REFUSED}, 409),
            ({"phone_number": BROKEN}, 500),
            ({"status": "gone"}, 422),
            ({"external_id": "taken"}, 409),
        ],
    )
    async def test_what_a_failed_request_with_a_key_began_is_over_for_the_next_user(
        self, app: Running, caller: Client, call: NewCall, body: dict[str, str], failure: int
    ) -> None:
        other = await app.client.new_user()
        assert (await caller.post(CALLS, call(external_id="taken", status="busy"))).status == 201
        reader, writer = await connect(caller)
        try:
            writer.write(wire(caller, CALLS, call(**body), {"Idempotency-Key": "k"}))
            assert await status_and_data(reader) == (failure, None)
            writer.write(wire(other, "/probe", None, method="GET"))
            assert await status_and_data(reader) == (200, {"joined": False, "piccolo": False})
            for headers in ({}, {"Idempotency-Key": "k"}, {}):
                writer.write(wire(other, CALLS, call(), headers))
                status, made = await status_and_data(reader)
                assert status == 201
                assert (await other.get(f"{CALLS}/{made['id']}")).status == 200, "it is committed"
            writer.write(wire(other, CALLS, None, method="GET"))
            assert (await status_and_data(reader))[1]["total"] == 3
        finally:
            writer.close()
        await is_sound(app, caller, 1)
        await is_sound(app, other, 3)
        await quiet(app)


async def status_and_data(reader: asyncio.StreamReader) -> tuple[int, Any]:
    """Read one answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next(int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:"))
    return int(head.split()[1]), orjson.loads(await reader.readexactly(length))["data"]
