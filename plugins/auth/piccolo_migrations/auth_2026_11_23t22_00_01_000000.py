"""What Piccolo cannot say of the account tables: partial indexes, the chain's foreign key, comments, and a trigger."""

from typing import Any

from voicera import sql_migration

ID = "auth_2026_11_23t22_00_01_000000"
VERSION = "1.38.0"
DESCRIPTION = "constraints, indexes, and the end of all sessions of an account that goes"

# Sessions and keys have no foreign key to users: their ends are still published after an account is gone.
STATEMENTS = (
    "ALTER TABLE users ADD CONSTRAINT users_role CHECK (role IN ('user', 'admin'))",
    """
    ALTER TABLE refresh_tokens ADD CONSTRAINT refresh_tokens_session
    FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE
    """,
    "CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL",
    "CREATE INDEX sessions_expiry ON sessions (expires_at)",
    "CREATE INDEX api_keys_ended ON api_keys (ended_at) WHERE ended_at IS NOT NULL",
    *(f"COMMENT ON TABLE {name} IS 'voicera:auth'" for name in ("users", "sessions", "refresh_tokens", "api_keys")),
    "COMMENT ON COLUMN users.email_key IS 'the e-mail in NFKC, case folded: the form that is compared'",
    # An account that is disabled, deleted or given another role, by whatever way, takes its sessions with it.
    """
    CREATE FUNCTION end_sessions_of_user() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE sessions SET ended_at = clock_timestamp() WHERE owner_id = OLD.id AND ended_at IS NULL;
        UPDATE api_keys SET ended_at = clock_timestamp() WHERE owner_id = OLD.id AND ended_at IS NULL;
        RETURN NULL;
    END $$
    """,
    "CREATE TRIGGER users_deleted AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION end_sessions_of_user()",
    """
    CREATE TRIGGER users_disabled AFTER UPDATE OF disabled_at, role ON users FOR EACH ROW
    WHEN (OLD.role <> NEW.role OR (OLD.disabled_at IS NULL AND NEW.disabled_at IS NOT NULL))
    EXECUTE FUNCTION end_sessions_of_user()
    """,
)


async def forwards() -> Any:
    """Run the statements."""
    return sql_migration(ID, *STATEMENTS, description=DESCRIPTION)
