"""Where Piccolo finds the tables and their migrations."""

from pathlib import Path

from piccolo.conf.apps import AppConfig

from voicera_short_calls.tables import Note

APP_CONFIG = AppConfig(
    app_name="short_calls",
    migrations_folder_path=str(Path(__file__).parent / "piccolo_migrations"),
    table_classes=[Note],
)
