"""`Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): the same request sent again has one effect.

The handler runs in one transaction with the row that remembers its answer, so that either both are on disk or
neither, whatever dies in between. Everything that the handler does on the database joins that transaction
(`Database.joined`), and events for after the commit wait for it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import orjson

from core.database import Connection
from core.errors import BadRequest, IdempotencyConflict
from core.http.reply import Fragment, Reply, encode, reply

if TYPE_CHECKING:
    from core.http.request import Request
    from core.resources import Resources

SANE_KEY = re.compile(r"[\x21-\x7e]{1,255}")
KEPT = timedelta(hours=24)
PURGE_SECONDS = 600.0
MOST_PURGED = 5_000
IN_FLIGHT = "a request with this Idempotency-Key is still in flight: try again when it is answered"
OTHER = "this Idempotency-Key was used for another request"
REPLAYED = {"Idempotent-Replayed": "true"}

BEGIN = """
SELECT pg_try_advisory_xact_lock(hashtextextended($1::text || $2, 0)) AS free, fingerprint, status, headers, body
FROM (VALUES (1)) AS always LEFT JOIN idempotency_keys ON owner_id = $1 AND key = $2 AND created_at > $3"""
REMEMBER = """
INSERT INTO idempotency_keys (owner_id, key, fingerprint, status, headers, body, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (owner_id, key) DO UPDATE SET (fingerprint, status, headers, body, created_at)
    = (excluded.fingerprint, excluded.status, excluded.headers, excluded.body, excluded.created_at)
    WHERE idempotency_keys.created_at <= $8
RETURNING key"""
PURGE = """
DELETE FROM idempotency_keys WHERE (owner_id, key) IN (
    SELECT owner_id, key FROM idempotency_keys WHERE created_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)"""


def key_of(request: Request) -> str | None:
    """The key that the request carries, None without one; raises BadRequest for one that cannot be a key."""
    lines = request.headers.getall("idempotency-key", None)
    if lines is None:
        return None
    if len(lines) > 1 or not SANE_KEY.fullmatch(lines[0]):
        raise BadRequest("Idempotency-Key must be 1 to 255 visible ASCII characters")
    key: str = lines[0]
    return key


async def answer_once(request: Request, key: str, work: Callable[[], Awaitable[Reply]]) -> Reply:
    """Answer with what `work` gives, or with what it gave before under the same key of the same owner.

    Errors are not remembered: what was refused may be sent again. Raises IdempotencyConflict where the key belongs
    to another request, or the same one is still being answered.
    """
    resources, owner_id = request.resources, request.principal.owner_id
    fingerprint = _fingerprint(request)
    async with resources.db.joined() as connection:
        oldest = resources.now() - KEPT
        row = await connection.fetchrow(BEGIN, owner_id, key, oldest)
        assert row is not None
        if row["fingerprint"] is not None:
            if row["fingerprint"] != fingerprint:
                raise IdempotencyConflict(OTHER)
            return reply(Fragment(row["body"]), row["status"], {**orjson.loads(row["headers"]), **REPLAYED})
        if not row["free"]:
            raise IdempotencyConflict(IN_FLIGHT)
        answer = await work()
        body = encode(answer.data)
        remembered = await connection.fetchval(
            REMEMBER,
            owner_id,
            key,
            fingerprint,
            answer.status,
            orjson.dumps(answer.headers).decode(),
            body,
            resources.now(),
            oldest,
        )
        if remembered is None:  # another one has committed since this one looked
            raise IdempotencyConflict(IN_FLIGHT)
        return reply(Fragment(body), answer.status, answer.headers)


async def forget_old(resources: Resources) -> None:
    """Delete the keys that are older than 24 hours, a bounded number at a time."""
    async with resources.db.connection() as connection:
        while await _purge(connection, resources.now() - KEPT) == MOST_PURGED:
            pass


async def _purge(connection: Connection, oldest: datetime) -> int:
    done: str = await connection.execute(PURGE, oldest, MOST_PURGED)
    return int(done.rpartition(" ")[2])


def _fingerprint(request: Request) -> bytes:
    """What makes two requests the same: method, path, query and body."""
    digest = hashlib.sha256()
    for part in (request.method.encode(), request.path.encode(), request.query_string.encode(), request.body):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()
