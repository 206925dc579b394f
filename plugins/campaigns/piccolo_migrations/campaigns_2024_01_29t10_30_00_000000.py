"""The table of campaigns, as far as Piccolo can say it; the next migration does the rest."""

from __future__ import annotations

from typing import Any

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns import UUID, Array, BigInt, Column, Integer, Text, Timestamptz, Varchar
from piccolo.columns.defaults.timestamptz import TimestamptzNow
from piccolo.columns.indexes import IndexMethod

ID = "campaigns_2024_01_29t10_30_00_000000"
VERSION = "1.38.0"
DESCRIPTION = "create campaigns"

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
    ("agent_id", UUID, {}),
    ("status", Text, {"default": "draft"}),
    ("phone_numbers", Array, {"base_column": Text(), "default": list}),
    ("phone_number_count", Integer, {"default": 0}),
    ("start_time", Timestamptz, NULLABLE),
    ("end_time", Timestamptz, NULLABLE),
    ("max_concurrent_calls", Integer, NULLABLE),
    ("scheduled_at", Timestamptz, NULLABLE),
    ("launched_at", Timestamptz, NULLABLE),
    ("paused_at", Timestamptz, NULLABLE),
    ("resumed_at", Timestamptz, NULLABLE),
    ("completed_at", Timestamptz, NULLABLE),
    ("cancelled_at", Timestamptz, NULLABLE),
    ("version", BigInt, {"default": 1}),
    ("created_at", Timestamptz, {"default": TimestamptzNow()}),
    ("updated_at", Timestamptz, {"default": TimestamptzNow()}),
]


async def forwards() -> MigrationManager:
    """Create the table."""
    manager = MigrationManager(migration_id=ID, app_name="campaigns", description=DESCRIPTION)
    manager.add_table(class_name="Campaign", tablename="campaigns", schema=None, columns=None)
    for name, kind, params in COLUMNS:
        manager.add_column(
            table_class_name="Campaign",
            tablename="campaigns",
            column_name=name,
            db_column_name=name,
            column_class_name=kind.__name__,
            column_class=kind,
            params={**COMMON, **params},
            schema=None,
        )
    return manager
