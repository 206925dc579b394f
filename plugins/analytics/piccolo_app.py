"""The Piccolo app of the analytics: migrations alone, since Piccolo cannot say what these tables are."""

from pathlib import Path

from piccolo.conf.apps import AppConfig

APP_CONFIG = AppConfig(
    app_name="analytics",
    migrations_folder_path=str(Path(__file__).parent / "piccolo_migrations"),
    table_classes=[],
    migration_dependencies=["plugins.calls.piccolo_app"],  # its migration counts what calls there are
    commands=[],
)
