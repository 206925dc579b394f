"""The agents' Piccolo app."""

from __future__ import annotations

from pathlib import Path

from piccolo.conf.apps import AppConfig

from plugins.agents.tables import Agent

APP_CONFIG = AppConfig(
    app_name="agents",
    migrations_folder_path=str(Path(__file__).parent / "piccolo_migrations"),
    table_classes=[Agent],
)
