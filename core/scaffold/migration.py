"""Writes a plugin's next migration, in SQL, by comparing its Piccolo tables with what its migrations make.

Both are made in an empty database of their own and read from PostgreSQL's catalogue, so that there is one notion of a
type and a default: PostgreSQL's. A table with an `owner_id` gets a key, and indexes, that begin with it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from piccolo.columns import Column
    from piccolo.table import Table

OWNER = "owner_id"
INDENT = " " * 12
COLUMNS = """
SELECT class.relname AS table, attname AS column, format_type(atttypid, atttypmod) AS type, attnotnull AS required,
    pg_get_expr(adbin, adrelid) AS default
FROM pg_class AS class JOIN pg_attribute ON attrelid = class.oid AND attnum > 0 AND NOT attisdropped
LEFT JOIN pg_attrdef ON adrelid = class.oid AND adnum = attnum
WHERE class.relkind IN ('r', 'p') AND NOT class.relispartition AND class.relnamespace = current_schema()::regnamespace
ORDER BY class.relname, attnum"""
FILE = '''"""{title}."""

from typing import Any

from voicera import sql_migration

ID = "{identifier}"


async def forwards() -> Any:
    """Run the statements, in one transaction."""
    return sql_migration(
        ID,
{statements}
    )
'''


@dataclass(frozen=True, slots=True)
class ColumnState:
    """A column as PostgreSQL has it."""

    type: str
    required: bool
    default: str | None


State = dict[str, dict[str, ColumnState]]  # tables, and their columns by name


def write_first_migration(tables_file: Path, folder: Path, app: str) -> Path:
    """Write the migration that makes the tables of a new plugin; return its file."""
    tables = list(tables_of(tables_file))
    return write(folder, app, [statement for table in tables for statement in creation(table, app)])


def write(folder: Path, app: str, statements: Sequence[str]) -> Path:
    """Write a migration file of these statements; return it."""
    identifier = f"{app}_{datetime.now(UTC):%Y_%m_%dt%H_%M_%S_%f}"
    title = statements[0].split("(")[0].strip().capitalize()
    shown = ",\n".join(f'        """{statement}"""' for statement in statements)
    file = folder / f"{identifier}.py"
    file.write_text(FILE.format(title=title, identifier=identifier, statements=shown + ","))
    return file


def tables_of(file: Path) -> Iterator[type[Table]]:
    """The Piccolo tables that a file defines, in its order."""
    from piccolo.table import Table  # noqa: PLC0415  # slow to import

    spec = importlib.util.spec_from_file_location(f"voicera_scaffold.{file.parent.name}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for found in vars(module).values():
        if isinstance(found, type) and issubclass(found, Table) and found.__module__ == module.__name__:
            yield found


def creation(table: type[Table], app: str) -> Iterator[str]:
    """The statements that make a table: itself, its indexes, and the comment that says whose it is."""
    meta = table._meta  # noqa: SLF001  # Piccolo's way to what a table is
    lines = [definition(column) for column in meta.columns]
    lines.append(f"PRIMARY KEY ({', '.join(_led([meta.primary_key._meta.db_column_name], meta.columns))})")  # noqa: SLF001
    body = ",\n".join(INDENT + line for line in lines)
    yield f"CREATE TABLE {meta.tablename} (\n{body}\n        )"
    yield from (index for column in meta.columns for index in indexes(meta.tablename, column, meta.columns))
    yield f"COMMENT ON TABLE {meta.tablename} IS 'voicera:{app}'"


def definition(column: Column) -> str:
    """A column of CREATE TABLE. Piccolo's `DEFAULT null` says nothing, and its key and uniqueness know no owner."""
    meta = column._meta  # noqa: SLF001
    text = f"{meta.db_column_name} {column.column_type.lower()}"
    if not meta.null:
        text += " NOT NULL"
    default = column.get_sql_value(column.get_default_value()) if not meta.primary_key else None
    return text if default is None or str(default).lower() == "null" else f"{text} DEFAULT {default}"


def indexes(table: str, column: Column, columns: Iterable[Column]) -> Iterator[str]:
    """The index that a column asks for by `index=True` or `unique=True`."""
    meta = column._meta  # noqa: SLF001
    if (meta.index or meta.unique) and not meta.primary_key:
        name = meta.db_column_name
        kind = "UNIQUE INDEX" if meta.unique else "INDEX"
        yield f"CREATE {kind} {table}_{name} ON {table} ({', '.join(_led([name], columns))})"


def _led(names: list[str], columns: Iterable[Column]) -> list[str]:
    owned = any(column._meta.db_column_name == OWNER for column in columns)  # noqa: SLF001
    return [OWNER, *names] if owned and OWNER not in names else names


async def state_of(connection: Any) -> State:
    """What the tables of the current schema look like."""
    found: State = {}
    for row in await connection.fetch(COLUMNS):
        state = ColumnState(row["type"], row["required"], row["default"])
        found.setdefault(row["table"], {})[row["column"]] = state
    return found


async def changes(connection: Any, app: str, made: State, tables: Sequence[type[Table]]) -> list[str]:
    """The statements that lead from what the migrations made to what the tables say; none if they agree.

    `connection` is to an empty schema, in which the tables are made for comparison. A table that no class describes
    is left alone: it may be one that SQL alone made, and what it holds would be gone.
    """
    for table in tables:
        for statement in creation(table, app):
            await connection.execute(statement)
    wanted = await state_of(connection)
    statements: list[str] = []
    for table in tables:
        name = table._meta.tablename  # noqa: SLF001
        if name not in made:
            statements += creation(table, app)
        else:
            statements += _altered(table, made[name], wanted[name])
    return statements


def _altered(table: type[Table], made: dict[str, ColumnState], wanted: dict[str, ColumnState]) -> Iterator[str]:
    meta = table._meta  # noqa: SLF001
    for column in meta.columns:
        name = column._meta.db_column_name  # noqa: SLF001
        if name not in made:
            yield f"ALTER TABLE {meta.tablename} ADD COLUMN {definition(column)}"
            yield from indexes(meta.tablename, column, meta.columns)
        else:
            for turn in _turn(made[name], wanted[name], name):
                yield f"ALTER TABLE {meta.tablename} ALTER COLUMN {name} {turn}"
    yield from (f"ALTER TABLE {meta.tablename} DROP COLUMN {name}" for name in made if name not in wanted)


def _turn(made: ColumnState, wanted: ColumnState, name: str) -> Iterator[str]:
    if made.type != wanted.type:
        yield f"TYPE {wanted.type} USING {name}::{wanted.type}"
    if made.default != wanted.default:
        yield f"SET DEFAULT {wanted.default}" if wanted.default else "DROP DEFAULT"
    if made.required != wanted.required:
        yield "SET NOT NULL" if wanted.required else "DROP NOT NULL"
