"""The Piccolo app of the accounts."""

from pathlib import Path

from piccolo.conf.apps import AppConfig

from plugins.auth.tables import ApiKey, RefreshToken, Session, User

APP_CONFIG = AppConfig(
    app_name="auth",
    migrations_folder_path=str(Path(__file__).parent / "piccolo_migrations"),
    table_classes=[User, Session, RefreshToken, ApiKey],
    migration_dependencies=[],
    commands=[],
)
