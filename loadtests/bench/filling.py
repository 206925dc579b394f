"""Filling a database with the calls of owners of several sizes: by COPY, a chunk at a time, then the rollups.

The calls are written past the API, which would take longer; their rollups are computed by the product, by the
migration that finds calls there already. What one client sees then is what it would see had the API taken them in.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import uvloop

from loadtests.bench import calls as made
from loadtests.bench.calls import COLUMNS, Call, Owner, make_owner
from loadtests.bench.results import Results
from loadtests.bench.stack import Stack
from plugins.calls.queries.partitions import create_partition, partitions
from plugins.calls.service.partitions import after, month_of, name_of
from voicera import lowest, milliseconds_of

Case = tuple[str, str]
WRITERS = 2  # connections that copy, so that one is written while the next chunk is made
KEYS = ("owner_id", "external_id", "call_id")
UNFOLDED = "SELECT EXISTS (SELECT FROM call_deltas)"
# A worker that starts walks over the calls once, if nobody kept the rollups for a while; then it makes this mark.
NOT_LOOKED_AT = "SELECT NOT EXISTS (SELECT FROM rollup_marks WHERE name = 'kept')"
MOST_SECONDS = 300


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """An owner with so many calls of the last so many days."""

    database: str
    size: int
    days: int
    owner: Owner
    label: str = ""
    cases: list[Case] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name for people."""
        return f"{self.size:,}{self.label}"

    @property
    def external_id(self) -> str:
        """The external id of one of its calls."""
        return made.external_id(self.size, self.size // 2)


def fill(
    results: Results,
    stack: Stack,
    database: str,
    sizes: Sequence[int],
    *,
    days: int,
    label: str = "",
    phrases: bool = True,
) -> list[Dataset]:
    """Make a database with an owner for each size."""
    uvloop.run(stack.create(database))
    stack.migrate(database, disabled="analytics")
    sizes = list(dict.fromkeys(sizes))
    with stack.worker(database, disabled="analytics") as program:
        owners = [make_owner(program.url, f"owner-{size}") for size in sizes]
    found = [Dataset(database, size, days, owner, label) for size, owner in zip(sizes, owners, strict=True)]
    for one in found:
        began = time.monotonic()
        uvloop.run(_copy(stack.url_of(database), one, phrases=phrases))
        results.say(f"filled {database} with {one.size:,} calls in {time.monotonic() - began:.0f} s")
    began = time.monotonic()
    stack.migrate(database)
    results.say(f"rolled {database} up in {time.monotonic() - began:.0f} s")
    began = time.monotonic()
    uvloop.run(stack.settle(database))
    results.say(f"vacuumed {database} in {time.monotonic() - began:.0f} s")
    return found


async def folded(url: str) -> float:
    """Wait until no call waits to be folded into the rollups; how many seconds that took."""
    return await _until_not(url, UNFOLDED)


async def quiet(url: str) -> None:
    """Wait until a worker that was started on filled tables has nothing left to do but to answer."""
    await _until_not(url, NOT_LOOKED_AT)
    await _until_not(url, UNFOLDED)


async def _until_not(url: str, question: str) -> float:
    connection = await asyncpg.connect(url)
    began = time.monotonic()
    while await connection.fetchval(question):
        if time.monotonic() - began > MOST_SECONDS:
            raise SystemExit(f"still so after {MOST_SECONDS} s: {question}")
        await asyncio.sleep(0.01)
    await connection.close()
    return time.monotonic() - began


async def make_partitions(url: str, days: int) -> None:
    """Make the monthly partitions of the last so many days, as the service makes them when calls come in."""
    connection: Any = await asyncpg.connect(url)
    month, last = month_of(datetime.now(UTC) - timedelta(days=days)), month_of(datetime.now(UTC))
    there = await partitions(connection)
    while month <= last:
        if name_of(month) not in there:
            bounds = (lowest(milliseconds_of(datetime(*each, 1, tzinfo=UTC))) for each in (month, after(month)))
            await create_partition(connection, name_of(month), *bounds)
        month = after(month)
    await connection.close()


async def _copy(url: str, one: Dataset, *, phrases: bool) -> None:
    """Write the calls and their keys, chunk after chunk in the order of time."""
    await make_partitions(url, one.days)
    chunks = made.chunks_of(one.owner, one.size, one.days, phrases=phrases)
    connections = [await asyncpg.connect(url) for _ in range(WRITERS)]

    async def some(connection: Any) -> None:
        for chunk in chunks:
            await _write(connection, one.owner, chunk)

    await asyncio.gather(*map(some, connections))
    for connection in connections:
        await connection.close()


async def _write(connection: Any, owner: Owner, chunk: list[Call]) -> None:
    rows = made.rows_of(owner, chunk)
    async with connection.transaction():
        await connection.copy_records_to_table("call_logs", records=rows, columns=COLUMNS)
        keys = [(row[0], row[2], row[1]) for row in rows]
        await connection.copy_records_to_table("call_keys", records=keys, columns=KEYS)
