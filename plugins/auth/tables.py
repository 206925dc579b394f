"""The tables of accounts, sessions and credentials. Tokens and keys are kept as SHA-256 only."""

from __future__ import annotations

from piccolo.columns import UUID, Array, Bytea, Text, Timestamptz, Varchar
from piccolo.table import Table


class User(Table, tablename="users"):
    """An account; `email_key` is the form in which e-mails are compared."""

    id = UUID(primary_key=True, default=None)
    email = Varchar(length=254)
    email_key = Text(unique=True)
    password_hash = Text()
    first_name = Varchar(length=100)
    last_name = Varchar(length=100)
    role = Varchar(length=16, default="user")
    created_at = Timestamptz(default=None)
    disabled_at = Timestamptz(null=True, default=None)


class Session(Table, tablename="sessions"):
    """A log-in and all that was refreshed from it: the family that is revoked as one."""

    id = UUID(primary_key=True, default=None)
    owner_id = UUID(index=True, default=None)
    created_at = Timestamptz(default=None)
    expires_at = Timestamptz(default=None)
    ended_at = Timestamptz(null=True, default=None)


class RefreshToken(Table, tablename="refresh_tokens"):
    """One link of a session's chain of refresh tokens."""

    token_hash = Bytea(primary_key=True, default=None)
    session_id = UUID(index=True, default=None)
    expires_at = Timestamptz(default=None)
    used_at = Timestamptz(null=True, default=None)


class ApiKey(Table, tablename="api_keys"):
    """A machine's credential; a deleted one stays until nobody can remember it any more."""

    id = UUID(primary_key=True, default=None)
    owner_id = UUID(index=True, default=None)
    name = Varchar(length=100)
    prefix = Varchar(length=16)
    key_hash = Bytea(unique=True, default=None)
    scopes = Array(base_column=Varchar())
    created_at = Timestamptz(default=None)
    expires_at = Timestamptz(null=True, default=None)
    last_used_at = Timestamptz(null=True, default=None)
    ended_at = Timestamptz(null=True, default=None)
