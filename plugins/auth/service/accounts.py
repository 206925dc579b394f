"""Accounts: who may have one, and with what password."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from plugins.auth.errors import EmailTaken, InvalidCredentials
from plugins.auth.hookspecs import RegisteredUser
from plugins.auth.queries import sessions
from plugins.auth.queries import users as queries
from plugins.auth.schemas import NewUser, PasswordChange, UserView
from plugins.auth.service.passwords import normal, weakness
from plugins.auth.service.revocation import publish_ended
from plugins.auth.service.state import state_of
from voicera import FieldError, InvalidFields, Page, PermissionDenied, Principal, Resources, Unauthenticated, uuid7

LONGEST_LOCAL = 64
# What stands unquoted in practice; quoted local parts and address literals (RFC 5321) are refused.
LOCAL = re.compile(r"[^\s@\"(),:;<>\[\\\]\x00-\x1f\x7f-\x9f]{1,64}")
LABEL = re.compile(r"[^\W_](?:[\w-]{0,61}[^\W_])?")
VIEW = tuple(UserView.__struct_fields__)


async def register(resources: Resources, wanted: NewUser, role: str = "user") -> UserView:
    """Make an account; raises InvalidFields, EmailTaken, or Unavailable when too many hashes wait."""
    _check(wanted)
    owner_id = uuid7()
    row = {
        "id": owner_id,
        "email": wanted.email,
        "email_key": normal(wanted.email),
        "first_name": wanted.first_name,
        "last_name": wanted.last_name,
        "role": role,
        "created_at": resources.now(),
        "password_hash": await state_of(resources).passwords.hash(wanted.password),
    }
    async with resources.db.tx():
        if not await queries.insert(row):
            raise EmailTaken
    if resources.hooks.listened("user_registered"):
        user = RegisteredUser(owner_id, wanted.email, wanted.first_name, wanted.last_name)
        resources.hooks.after(resources.background, "user_registered", resources=resources, user=user)
    return view_of(row)


async def me(resources: Resources, user_id: UUID) -> UserView:
    """The caller's account; raises Unauthenticated if it has gone meanwhile."""
    async with resources.db.connection():
        row = await queries.by_id(user_id)
    if row is None:
        raise Unauthenticated("the account is gone")
    return view_of(row)


async def list_users(resources: Resources, skip: int, limit: int) -> Page[UserView]:
    """All accounts, newest first: for administrators."""
    async with resources.db.connection():
        total, rows = await queries.page(skip, limit)
    return Page(total=total, skip=skip, limit=limit, items=[view_of(row) for row in rows])


async def change_password(resources: Resources, caller: Principal, wanted: PasswordChange) -> None:
    """Set another password and end the owner's other sessions; API keys stay.

    Raises InvalidCredentials if the present password is wrong, InvalidFields if the new one is too weak.
    """
    require_session(caller)
    async with resources.db.connection():
        row = await queries.by_id(caller.owner_id)
    passwords = state_of(resources).passwords
    fits, _ = await passwords.verify(wanted.current_password, row["password_hash"] if row else None)
    if row is None or not fits:
        raise InvalidCredentials("the present password is wrong")
    if weak := weakness(wanted.new_password, row["email"]):
        raise InvalidFields([FieldError(field="new_password", message=weak)])
    new_hash = await passwords.hash(wanted.new_password)
    await resources.background.finish("auth: change a password", _set_password(resources, caller, row, new_hash))


async def _set_password(resources: Resources, caller: Principal, row: dict[str, Any], new_hash: str) -> None:
    async with resources.db.tx() as connection:
        if not await queries.set_password(caller.owner_id, row["password_hash"], new_hash):
            raise InvalidCredentials("the password was changed meanwhile")
        ended = await sessions.end_others(connection, caller.owner_id, caller.session_id)
    await publish_ended(resources, [(caller.owner_id, each) for each in ended])


def require_session(caller: Principal) -> None:
    """Raise PermissionDenied for an API key: one that leaks must not make others, or shut its owner out."""
    if caller.kind != "token":
        raise PermissionDenied("an API key cannot do this; log in")


def view_of(row: dict[str, Any]) -> UserView:
    """An account without its secrets."""
    return UserView(**{name: row[name] for name in VIEW})


def _check(wanted: NewUser) -> None:
    errors = []
    if not _is_email(wanted.email):
        errors.append(FieldError(field="email", message="is not an e-mail address"))
    if weak := weakness(wanted.password, wanted.email):
        errors.append(FieldError(field="password", message=weak))
    if errors:
        raise InvalidFields(errors)


def _is_email(text: str) -> bool:
    local, _, domain = text.rpartition("@")
    labels = domain.split(".")
    dots = local.startswith(".") or local.endswith(".") or ".." in local
    return LOCAL.fullmatch(local) is not None and not dots and len(labels) > 1 and all(map(LABEL.fullmatch, labels))
