"""Who calls: an access token or an API key becomes a Principal. On the way of every request, so it remembers."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from plugins.auth.errors import TokenExpired
from plugins.auth.queries import api_keys as queries
from plugins.auth.service.state import AuthState, state_of
from plugins.auth.service.tokens import API_KEY, digest, is_opaque
from voicera import Principal, Resources, Unauthenticated

REMEMBERED = timedelta(seconds=30)
TOUCH_SECONDS = 60.0


async def identify(resources: Resources, token: str) -> Principal:
    """Return who sent a token; raises TokenExpired or Unauthenticated.

    Whether the session has been ended is not asked here: the kernel does so with the rate limit.
    """
    state = state_of(resources)
    known = state.remembered.get(token)
    now = resources.now()
    if known is not None:
        principal, until, final = known
        if now < until:
            return principal
        state.remembered.forget(token, None)
        if final:
            raise TokenExpired("refresh it, or log in again")
    if token.startswith(API_KEY):
        return await _find_key(resources, state, token)
    principal, expires_at = state.access.verify(token, now)
    state.remembered.keep(token, (principal, expires_at, True))
    return principal


async def _find_key(resources: Resources, state: AuthState, token: str) -> Principal:
    if not is_opaque(token, API_KEY):
        raise Unauthenticated("this is not an API key")
    key = await resources.db.reading(lambda connection: queries.find(connection, digest(token)))
    if key is None:
        raise Unauthenticated("there is no such API key")
    now = resources.now()
    expires = key["expires_at"]
    if expires is not None and expires <= now:
        raise TokenExpired("make a new API key")
    if key["last_used_at"] is None or (now - key["last_used_at"]).total_seconds() >= TOUCH_SECONDS:
        resources.background.spawn("auth: note the use of an API key", _touch(resources, key["id"]))
    principal = Principal(key["owner_id"], key["role"], frozenset(key["scopes"]), key["id"], "api_key")
    until = now + REMEMBERED
    state.remembered.keep(token, (principal, min(until, expires) if expires else until, False))
    return principal


async def _touch(resources: Resources, key_id: UUID) -> None:
    async with resources.db.connection() as connection:
        await queries.touch(connection, key_id, resources.now())
