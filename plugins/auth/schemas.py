"""What the account routes read and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from voicera import Meta, Struct

Email = Annotated[
    str,
    Meta(
        max_length=254,
        pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$",
        description="Compared case-insensitively.",
        extra={"wanted": "is not an e-mail address"},
    ),
]
NewPassword = Annotated[
    str,
    Meta(
        min_length=8,
        max_length=128,
        description="8 to 128 characters, not the e-mail, not one of the most common ones.",
    ),
]
AnyPassword = Annotated[str, Meta(min_length=1, max_length=1024)]
Name = Annotated[str, Meta(min_length=1, max_length=100)]
Moment = Annotated[datetime, Meta(tz=True)]


class NewUser(Struct, forbid_unknown_fields=True, kw_only=True):
    """Who wants an account."""

    email: Email
    password: NewPassword
    first_name: Name
    last_name: Name


class Credentials(Struct, forbid_unknown_fields=True, kw_only=True):
    """A log-in."""

    email: Annotated[str, Meta(min_length=1, max_length=254)]
    password: AnyPassword


class PasswordChange(Struct, forbid_unknown_fields=True, kw_only=True):
    """A new password, and proof of the present one."""

    current_password: AnyPassword
    new_password: NewPassword


class NewApiKey(Struct, forbid_unknown_fields=True, kw_only=True):
    """An API key to make. Of `expires_at` and `expires_in` (days) one at most; neither: it does not expire."""

    name: Name
    scopes: Annotated[
        list[Annotated[str, Meta(max_length=100)]],
        Meta(min_length=1, max_length=100, description="What the key may do: `thing:verb`, or `*` for everything."),
    ]
    expires_at: Moment | None = None
    expires_in: Annotated[int, Meta(ge=1, le=3650, description="Days.")] | None = None


class UserView(Struct, kw_only=True):
    """An account as its owner sees it."""

    id: UUID
    email: str
    first_name: str
    last_name: str
    role: str
    created_at: datetime


class Tokens(Struct, kw_only=True):
    """A fresh access token, and the refresh token that follows the one used."""

    token: str
    refresh_token: str
    expires_in: int


class LoggedIn(Tokens, kw_only=True):
    """The tokens of a new session, and whose it is."""

    user: UserView


class ApiKeyView(Struct, kw_only=True):
    """An API key, without the key. `prefix` is how it begins; `last_used_at` is exact to a minute."""

    id: UUID
    name: str
    prefix: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class ApiKeyMade(ApiKeyView, kw_only=True):
    """A new API key. `key` is shown this once: only its hash is kept."""

    key: str
