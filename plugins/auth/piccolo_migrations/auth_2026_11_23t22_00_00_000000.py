"""Accounts, sessions, refresh tokens and API keys: the columns. What Piccolo cannot say follows in the next file."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns import UUID, Array, Bytea, Column, Text, Timestamptz, Varchar

ID = "auth_2026_11_23t22_00_00_000000"
VERSION = "1.38.0"
DESCRIPTION = "users, sessions, refresh_tokens, api_keys"

TABLES: dict[tuple[str, str], dict[str, Column]] = {
    ("User", "users"): {
        "id": UUID(primary_key=True, default=None),
        "email": Varchar(length=254),
        "email_key": Text(unique=True),
        "password_hash": Text(),
        "first_name": Varchar(length=100),
        "last_name": Varchar(length=100),
        "role": Varchar(length=16, default="user"),
        "created_at": Timestamptz(default=None),
        "disabled_at": Timestamptz(null=True, default=None),
    },
    ("Session", "sessions"): {
        "id": UUID(primary_key=True, default=None),
        "owner_id": UUID(index=True, default=None),
        "created_at": Timestamptz(default=None),
        "expires_at": Timestamptz(default=None),
        "ended_at": Timestamptz(null=True, default=None),
    },
    ("RefreshToken", "refresh_tokens"): {
        "token_hash": Bytea(primary_key=True, default=None),
        "session_id": UUID(index=True, default=None),
        "expires_at": Timestamptz(default=None),
        "used_at": Timestamptz(null=True, default=None),
    },
    ("ApiKey", "api_keys"): {
        "id": UUID(primary_key=True, default=None),
        "owner_id": UUID(index=True, default=None),
        "name": Varchar(length=100),
        "prefix": Varchar(length=16),
        "key_hash": Bytea(unique=True, default=None),
        "scopes": Array(base_column=Varchar()),
        "created_at": Timestamptz(default=None),
        "expires_at": Timestamptz(null=True, default=None),
        "last_used_at": Timestamptz(null=True, default=None),
        "ended_at": Timestamptz(null=True, default=None),
    },
}


async def forwards() -> MigrationManager:
    """Make the four tables."""
    manager = MigrationManager(migration_id=ID, app_name="auth", description=DESCRIPTION)
    for (class_name, tablename), columns in TABLES.items():
        manager.add_table(class_name=class_name, tablename=tablename)
        for name, column in columns.items():
            manager.add_column(
                table_class_name=class_name,
                tablename=tablename,
                column_name=name,
                db_column_name=name,
                column_class_name=type(column).__name__,
                column_class=type(column),
                params=column._meta.params,  # noqa: SLF001  # what `piccolo migrations new` writes out
            )
    return manager
