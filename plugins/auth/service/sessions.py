"""Sessions: begun by a log-in, carried on by refresh tokens that are good for one use, ended as one."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any
from uuid import UUID

from plugins.auth.errors import InvalidCredentials, RefreshTokenReused, TokenExpired
from plugins.auth.queries import sessions as queries
from plugins.auth.queries import users
from plugins.auth.schemas import Credentials, LoggedIn, Tokens
from plugins.auth.service.accounts import require_session, view_of
from plugins.auth.service.passwords import normal
from plugins.auth.service.revocation import publish_ended
from plugins.auth.service.state import state_of
from plugins.auth.service.tokens import REFRESH, digest, is_opaque, new_opaque
from voicera import Principal, RateLimited, Resources, Unauthenticated, uuid7

ATTEMPTS = 3
WRONG = "the e-mail or the password is wrong"


async def log_in(resources: Resources, given: Credentials) -> LoggedIn:
    """Begin a session.

    Raises InvalidCredentials, the same after the same time whether the e-mail or the password is wrong;
    RateLimited after too many attempts on one account; Unavailable when too many hashes wait.
    """
    key, passwords = normal(given.email), state_of(resources).passwords
    await _take_attempt(resources, key)
    for _ in range(ATTEMPTS):
        async with resources.db.connection():
            row = await users.by_email(key)
        fits, rehashed = await passwords.verify(given.password, row["password_hash"] if row else None)
        if row is None or not fits or row["disabled_at"]:
            break
        if (begun := await _begin(resources, row, rehashed)) is not None:
            return begun
    raise InvalidCredentials(WRONG)


async def refresh(resources: Resources, token: str) -> Tokens:
    """Use a refresh token up for new tokens of the same session.

    Raises RefreshTokenReused, and ends the session, if it was used before: of several that use one at the
    same moment the first has success, and the others end what it got (RFC 9700, section 4.14.2).
    Raises TokenExpired, and Unauthenticated for what is not a refresh token or belongs to an ended session.
    """
    if not is_opaque(token, REFRESH):
        raise Unauthenticated("this is not a refresh token")
    fresh, now = new_opaque(REFRESH), resources.now()
    async with resources.db.connection() as connection:
        used = await queries.rotate(connection, digest(token), now, digest(fresh), now + _validity(resources))
    if used is None:
        raise await _refuse(resources, token)
    return Tokens(**_tokens(resources, used["owner_id"], used["role"], used["session_id"]), refresh_token=fresh)


async def log_out(resources: Resources, caller: Principal) -> None:
    """End the caller's session: its tokens are dead in every worker when this returns."""
    require_session(caller)
    await resources.background.finish("auth: log out", end_session(resources, caller.owner_id, caller.session_id))


async def end_session(resources: Resources, owner_id: UUID, session_id: UUID) -> None:
    """End a session and tell every worker."""
    async with resources.db.connection() as connection:
        await queries.end(connection, owner_id, session_id)
    await publish_ended(resources, [(owner_id, session_id)])


async def _take_attempt(resources: Resources, email_key: str) -> None:
    """Take from the account's own bucket, so that guesses from many addresses do not add up."""
    who = hashlib.sha256(email_key.encode()).hexdigest()
    verdict = await resources.limits.take("auth", f"account:{who}")
    if not verdict.allowed:
        raise RateLimited(
            f"try again in {verdict.retry_after} seconds", headers={"Retry-After": str(verdict.retry_after)}
        )


async def _begin(resources: Resources, row: dict[str, Any], rehashed: str | None) -> LoggedIn | None:
    """Begin a session; None if the password has been changed since it was verified, or the account disabled."""
    session_id, token, now = uuid7(), new_opaque(REFRESH), resources.now()
    expires_at = now + _validity(resources)
    async with resources.db.tx() as connection:
        if rehashed is not None:
            await users.set_password(row["id"], row["password_hash"], rehashed)
        password_hash = rehashed or row["password_hash"]
        if not await queries.start(
            connection,
            session_id,
            owner_id=row["id"],
            password_hash=password_hash,
            now=now,
            expires_at=expires_at,
            token_hash=digest(token),
        ):
            return None
    tokens = _tokens(resources, row["id"], row["role"], session_id)
    return LoggedIn(**tokens, refresh_token=token, user=view_of(row))


def _tokens(resources: Resources, owner_id: UUID, role: str, session_id: UUID) -> dict[str, Any]:
    access = state_of(resources).access
    return {"token": access.sign(owner_id, role, session_id, resources.now()), "expires_in": access.lifetime}


async def _refuse(resources: Resources, token: str) -> Exception:
    """Say why a refresh token could not be used; one that was used before ends its session."""
    async with resources.db.connection() as connection:
        known = await queries.look_up(connection, digest(token))
    if known is None:
        return Unauthenticated("there is no such refresh token")
    if known["used_at"] is not None:
        ending = end_session(resources, known["owner_id"], known["session_id"])
        await resources.background.finish("auth: end a reused session", ending)
        return RefreshTokenReused("log in again")
    if known["expires_at"] <= resources.now():
        return TokenExpired("log in again")
    return Unauthenticated("the session has ended")


def _validity(resources: Resources) -> timedelta:
    return timedelta(days=state_of(resources).settings.refresh_token_days)
