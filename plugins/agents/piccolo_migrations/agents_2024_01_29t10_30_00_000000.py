"""The table of agents, as far as Piccolo can say it; the next migration does the rest."""

from __future__ import annotations

from typing import Any

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns import JSON, UUID, BigInt, Column, Text, Timestamptz, Varchar
from piccolo.columns.defaults.timestamptz import TimestamptzNow
from piccolo.columns.indexes import IndexMethod

ID = "agents_2024_01_29t10_30_00_000000"
VERSION = "1.38.0"
DESCRIPTION = "create agents"

COMMON: dict[str, Any] = {
    "default": None,
    "null": False,
    "primary_key": False,
    "unique": False,
    "index": False,
    "index_method": IndexMethod.btree,
    "choices": None,
    "db_column_name": None,
    "secret": False,
}
NULLABLE = {"null": True}
COLUMNS: list[tuple[str, type[Column], dict[str, Any]]] = [
    ("id", UUID, {"primary_key": True}),
    ("owner_id", UUID, {}),
    ("name", Varchar, {"length": 200, "default": ""}),
    ("name_key", Text, {"default": ""}),
    ("description", Text, NULLABLE),
    ("description_key", Text, NULLABLE),
    ("llm_provider", Text, NULLABLE),
    ("llm_model", Text, NULLABLE),
    ("stt_provider", Text, NULLABLE),
    ("tts_provider", Text, NULLABLE),
    ("system_prompt", Text, NULLABLE),
    ("language", Text, NULLABLE),
    ("voice_parameters", JSON, NULLABLE),
    ("status", Text, {"default": "active"}),
    ("version", BigInt, {"default": 1}),
    ("created_at", Timestamptz, {"default": TimestamptzNow()}),
    ("updated_at", Timestamptz, {"default": TimestamptzNow()}),
]


async def forwards() -> MigrationManager:
    """Create the table."""
    manager = MigrationManager(migration_id=ID, app_name="agents", description=DESCRIPTION)
    manager.add_table(class_name="Agent", tablename="agents", schema=None, columns=None)
    for name, kind, params in COLUMNS:
        manager.add_column(
            table_class_name="Agent",
            tablename="agents",
            column_name=name,
            db_column_name=name,
            column_class_name=kind.__name__,
            column_class=kind,
            params={**COMMON, **params},
            schema=None,
        )
    return manager
