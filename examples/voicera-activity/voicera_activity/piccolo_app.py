"""Where Piccolo finds the table and its migrations."""

from __future__ import annotations

from pathlib import Path

from piccolo.conf.apps import AppConfig

from voicera_activity.tables import ActivityEntries

APP_CONFIG = AppConfig(
    app_name="activity",
    migrations_folder_path=str(Path(__file__).parent / "piccolo_migrations"),
    table_classes=[ActivityEntries],
)
