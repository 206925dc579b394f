"""What PostgreSQL knows of the tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Partitions are as their tables; Piccolo's bookkeeping is nobody's.
TABLES = """
SELECT c.relname AS name, obj_description(c.oid, 'pg_class') AS comment,
    (SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = c.oid AND i.indisprimary) AS key,
    ARRAY(SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = c.oid ORDER BY 1) AS indexes,
    (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND c.relname <> 'migration'
ORDER BY c.relname"""
COLUMNS = """
SELECT attname AS name, atttypid::regtype::text AS kind FROM pg_attribute
WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped"""
TYPE_NAMED = "SELECT to_regtype($1)::text"


@dataclass(frozen=True)
class StoredTable:
    """A table: its comment, the column that leads its primary key, and those that lead its indexes."""

    name: str
    comment: str | None
    key: str | None
    indexes: list[str]
    columns: int


async def tables(connection: Any) -> list[StoredTable]:
    """Every table, by name."""
    return [StoredTable(**row) for row in await connection.fetch(TABLES)]


async def columns(connection: Any, table: str) -> dict[str, str]:
    """A table's columns with their types."""
    return {row["name"]: row["kind"] for row in await connection.fetch(COLUMNS, f'"{table}"')}


async def type_named(connection: Any, name: str) -> str | None:
    """A type by the name that the catalogue has for it, without its length; None for what is no type, as `SERIAL`."""
    found: str | None = await connection.fetchval(TYPE_NAMED, name)
    return found
