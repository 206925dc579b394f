"""The routes under `/auth`, and how credentials are read from a request."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from plugins.auth import examples
from plugins.auth.errors import ApiKeyNotFound, EmailTaken, InvalidCredentials, RefreshTokenReused, TokenExpired
from plugins.auth.schemas import (
    ApiKeyMade,
    ApiKeyView,
    Credentials,
    LoggedIn,
    NewApiKey,
    NewUser,
    PasswordChange,
    Tokens,
    UserView,
)
from plugins.auth.service import accounts, api_keys, callers, sessions
from voicera import (
    Blueprint,
    InvalidFields,
    Page,
    Paging,
    Principal,
    Reply,
    Request,
    Unauthenticated,
    Unavailable,
    public,
    reply,
    requires,
)

blueprint = Blueprint("/auth", tag="Authentication")
NONE: tuple[str, ...] = ()
AUTHORIZATION, X_API_KEY = "authorization", "x-api-key"
BEARER = "bearer"


@blueprint.post(
    "/register",
    body=NewUser,
    returns=UserView,
    status=201,
    raises=(EmailTaken, InvalidFields, Unavailable),
    limit="auth",
    examples={"body": examples.REGISTER, "reply": examples.USER},
)
@public
async def register(request: Request) -> Reply:
    """Make an account."""
    return reply(await accounts.register(request.resources, request.decode(NewUser)), status=201)


@blueprint.post(
    "/login",
    body=Credentials,
    returns=LoggedIn,
    raises=(InvalidCredentials, Unavailable),
    limit="auth",
    examples={"body": examples.LOGIN, "reply": examples.LOGGED_IN},
)
@public
async def login(request: Request) -> Reply:
    """Log in: an access token for 24 hours, and a refresh token for 30 days."""
    return reply(await sessions.log_in(request.resources, request.decode(Credentials)))


@blueprint.get("/me", returns=UserView, raises=(TokenExpired,), examples={"reply": examples.USER})
@requires("account:read")
async def me(request: Request) -> Reply:
    """Who is calling."""
    return reply(await accounts.me(request.resources, request.principal.owner_id))


@blueprint.post(
    "/refresh-token",
    returns=Tokens,
    raises=(TokenExpired, RefreshTokenReused, Unauthenticated),
    limit="auth",
    examples={"reply": examples.TOKENS},
)
@public
async def refresh_token(request: Request) -> Reply:
    """Trade a refresh token, sent as `Authorization: Bearer`, for new tokens.

    It is good for one use. Used again, even at the same moment, it ends the session (AUTH_006).
    """
    return reply(await sessions.refresh(request.resources, token_of(request) or ""))


@blueprint.post("/logout", status=204, raises=(TokenExpired,))
@requires("account:manage")
async def logout(request: Request) -> Reply:
    """End the session: its access and refresh tokens are dead at once."""
    await sessions.log_out(request.resources, request.principal)
    return reply(status=204)


@blueprint.post(
    "/change-password",
    body=PasswordChange,
    status=204,
    raises=(InvalidCredentials, TokenExpired, InvalidFields, Unavailable),
    limit="auth",
    examples={"body": examples.PASSWORD_CHANGE},
)
@requires("account:manage")
async def change_password(request: Request) -> Reply:
    """Set another password; every other session ends, API keys stay."""
    await accounts.change_password(request.resources, request.principal, request.decode(PasswordChange))
    return reply(status=204)


@blueprint.post(
    "/api-keys",
    body=NewApiKey,
    returns=ApiKeyMade,
    status=201,
    raises=(InvalidFields, TokenExpired),
    examples={"body": examples.NEW_API_KEY, "reply": examples.API_KEY_MADE},
)
@requires("account:manage")
async def make_api_key(request: Request) -> Reply:
    """Make an API key for a machine; the key is shown this once."""
    made = await api_keys.make_key(request.resources, request.principal, request.decode(NewApiKey))
    return reply(made, status=201)


@blueprint.get(
    "/api-keys",
    query=Paging,
    returns=Page[ApiKeyView],
    raises=(TokenExpired,),
    examples={"reply": examples.API_KEYS},
)
@requires("account:read")
async def list_api_keys(request: Request) -> Reply:
    """The caller's API keys, newest first, without the keys themselves."""
    page = request.query(Paging)
    return reply(await api_keys.list_keys(request.resources, request.principal.owner_id, page.skip, page.limit))


@blueprint.delete("/api-keys/{key_id}", status=204, raises=(ApiKeyNotFound, TokenExpired))
@requires("account:manage")
async def delete_api_key(request: Request, key_id: UUID) -> Reply:
    """Delete an API key: it is dead at once."""
    await api_keys.delete_key(request.resources, request.principal, key_id)
    return reply(status=204)


@blueprint.get(
    "/users", query=Paging, returns=Page[UserView], raises=(TokenExpired,), examples={"reply": examples.USERS}
)
@requires("admin")
async def list_users(request: Request) -> Reply:
    """All accounts, newest first: for administrators."""
    page = request.query(Paging)
    return reply(await accounts.list_users(request.resources, page.skip, page.limit))


async def caller(request: Request) -> Principal | None:
    """Who sent a request, by its token or API key; None if it carries neither."""
    token = token_of(request)
    return None if token is None else await callers.identify(request.resources, token)


def token_of(request: Request) -> str | None:
    """The credential of a request: `Authorization: Bearer` (RFC 6750) or `X-API-Key`, None if there is none.

    Raises Unauthenticated where there are several, or another scheme: no guess is made which one is meant.
    """
    headers: Any = request.headers
    sent = headers.getall(AUTHORIZATION, NONE)
    keys = headers.getall(X_API_KEY, NONE)
    if len(sent) + len(keys) > 1:
        raise Unauthenticated("send one credential, not several")
    if sent:
        scheme, _, token = sent[0].partition(" ")
        if scheme.lower() != BEARER or not token:
            raise Unauthenticated("write it as Authorization: Bearer …")
        return str(token).strip(" ")
    if keys:
        return str(keys[0])
    return None
