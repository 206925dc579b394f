"""Sessions and their refresh tokens. Raw SQL: each step is one conditional statement."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from voicera import Connection

START = """
WITH account AS (
    SELECT id FROM users WHERE id = $2 AND password_hash = $3 AND disabled_at IS NULL FOR SHARE
), session AS (
    INSERT INTO sessions (id, owner_id, created_at, expires_at) SELECT $1, id, $4, $5 FROM account RETURNING id
)
INSERT INTO refresh_tokens (token_hash, session_id, expires_at) SELECT $6, id, $5 FROM session RETURNING session_id
"""


async def start(
    connection: Connection,
    session_id: UUID,
    *,
    owner_id: UUID,
    password_hash: str,
    now: datetime,
    expires_at: datetime,
    token_hash: bytes,
) -> bool:
    """Start a session with its first refresh token; False if the account is gone, disabled or has another password."""
    started = await connection.fetchval(START, session_id, owner_id, password_hash, now, expires_at, token_hash)
    return started is not None


# Of several that use one token at a time, the others wait for the row, then find `used_at` set, and change nothing.
ROTATE = """
WITH used AS (
    UPDATE refresh_tokens AS token SET used_at = $2
    FROM sessions AS session, users AS account
    WHERE token.token_hash = $1 AND token.used_at IS NULL AND token.expires_at > $2
      AND session.id = token.session_id AND session.ended_at IS NULL
      AND account.id = session.owner_id AND account.disabled_at IS NULL
    RETURNING session.id AS session_id, session.owner_id, account.role
), made AS (
    INSERT INTO refresh_tokens (token_hash, session_id, expires_at) SELECT $3, session_id, $4 FROM used
), kept AS (
    UPDATE sessions SET expires_at = $4 WHERE id = (SELECT session_id FROM used)
)
SELECT session_id, owner_id, role FROM used
"""


async def rotate(
    connection: Connection, used_hash: bytes, now: datetime, new_hash: bytes, expires_at: datetime
) -> asyncpg.Record | None:
    """Use up a refresh token and add the next; None, and nothing changed, if it cannot be used."""
    return await connection.fetchrow(ROTATE, used_hash, now, new_hash, expires_at)


LOOK_UP = """
SELECT session.id AS session_id, session.owner_id, token.used_at, token.expires_at
FROM refresh_tokens AS token JOIN sessions AS session ON session.id = token.session_id
WHERE token.token_hash = $1
"""


async def look_up(connection: Connection, token_hash: bytes) -> asyncpg.Record | None:
    """What is known of a refresh token, to say why it could not be used."""
    return await connection.fetchrow(LOOK_UP, token_hash)


END = """
UPDATE sessions SET ended_at = clock_timestamp() WHERE owner_id = $1 AND id = $2 AND ended_at IS NULL
"""


async def end(connection: Connection, owner_id: UUID, session_id: UUID) -> None:
    """End a session; the refresh tokens of an ended session are of no use."""
    await connection.execute(END, owner_id, session_id)


END_OTHERS = """
UPDATE sessions SET ended_at = clock_timestamp()
WHERE owner_id = $1 AND id <> $2 AND ended_at IS NULL AND expires_at > now() RETURNING id
"""


async def end_others(connection: Connection, owner_id: UUID, session_id: UUID) -> list[UUID]:
    """End all sessions of an owner but one; return which."""
    return [row["id"] for row in await connection.fetch(END_OTHERS, owner_id, session_id)]


ENDED = """
SELECT NOT EXISTS (SELECT FROM sessions WHERE id = $2 AND owner_id = $1 AND ended_at IS NULL)
   AND NOT EXISTS (SELECT FROM api_keys WHERE id = $2 AND owner_id = $1 AND ended_at IS NULL)
"""


async def ended(connection: Connection, owner_id: UUID, session_id: UUID) -> bool:
    """Say whether a session, or an API key, is over or never was."""
    return bool(await connection.fetchval(ENDED, owner_id, session_id))


ENDED_SINCE = """
SELECT owner_id, id FROM sessions WHERE ended_at > $1
UNION ALL
SELECT owner_id, id FROM api_keys WHERE ended_at > $1
"""


async def ended_since(connection: Connection, moment: datetime) -> list[asyncpg.Record]:
    """The sessions and API keys that ended after a moment of the database's clock."""
    return await connection.fetch(ENDED_SINCE, moment)


CLOCK = "SELECT clock_timestamp()"


async def clock(connection: Connection) -> datetime:
    """The database's time, by which ends are dated."""
    moment: datetime = await connection.fetchval(CLOCK)
    return moment


FORGET = """
WITH expired AS (
    DELETE FROM refresh_tokens WHERE token_hash IN (
        SELECT token_hash FROM refresh_tokens WHERE expires_at < $1 LIMIT 10000 FOR UPDATE SKIP LOCKED)
)
DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < $1 LIMIT 10000 FOR UPDATE SKIP LOCKED)
"""


async def forget(connection: Connection, before: datetime) -> None:
    """Delete some sessions and refresh tokens that expired before a moment."""
    await connection.execute(FORGET, before)
