"""SQL of the partitions of call_logs."""

from __future__ import annotations

from uuid import UUID

from voicera import Connection

PARTITIONS = """
SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
WHERE inhparent = 'call_logs'::regclass"""
PARTITION_LOCK = "SELECT pg_advisory_xact_lock(hashtext('voicera call_logs partitions'))"
# Made on its own and attached afterwards: attaching takes a lock that writers do not wait for, creating a
# table as a partition of another takes one that they do. The CHECK spares the attaching its scan.
CREATE_PARTITION = """
CREATE TABLE {name} (LIKE call_logs INCLUDING ALL,
    CONSTRAINT bounds CHECK (id >= '{low}'::uuid AND id < '{high}'::uuid));
ALTER TABLE call_logs ATTACH PARTITION {name} FOR VALUES FROM ('{low}') TO ('{high}');
ALTER TABLE {name} DROP CONSTRAINT bounds;
COMMENT ON TABLE {name} IS 'voicera:calls'"""


async def partitions(connection: Connection) -> set[str]:
    """The names of the partitions that there are."""
    return {row[0] for row in await connection.fetch(PARTITIONS)}


async def lock_partitions(connection: Connection) -> None:
    """Let one session at a time make partitions, until the end of the transaction."""
    await connection.execute(PARTITION_LOCK)


async def create_partition(connection: Connection, name: str, low: UUID, high: UUID) -> None:
    """Make the partition for ids from `low` up to and without `high`."""
    await connection.execute(CREATE_PARTITION.format(name=name, low=low, high=high))
