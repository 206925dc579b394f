"""What the accounts publish to other plugins."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from voicera import Resources, hookspec


@dataclass(frozen=True, slots=True)
class RegisteredUser:
    """A new account, without its secrets; `owner_id` is what all that belongs to it carries."""

    owner_id: UUID
    email: str
    first_name: str
    last_name: str


@hookspec
async def user_registered(resources: Resources, user: RegisteredUser) -> None:
    """Hear of a new account, made by `POST /auth/register` or by `voicera user create`.

    Called *after* the commit, in the background, in no transaction; an error or a hang is logged with your plugin's
    name, and nobody else notices. The e-mail is as it was typed, and nobody has proved yet that it is theirs.
    """
