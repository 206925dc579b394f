"""What an operator does from the command line: make an administrator, disable an account, enable it again."""

from __future__ import annotations

from uuid import UUID

import msgspec

from plugins.auth.queries import users as queries
from plugins.auth.schemas import NewUser, UserView
from plugins.auth.service.accounts import register
from plugins.auth.service.passwords import normal
from voicera import FieldError, InvalidFields, Resources


async def create_user(resources: Resources, given: dict[str, str], *, admin: bool) -> UserView:
    """Make an account under the same rules as `POST /auth/register`; raises InvalidFields or EmailTaken."""
    try:
        wanted = msgspec.convert(given, NewUser)
    except msgspec.ValidationError as error:
        raise InvalidFields([FieldError(field="", message=str(error).replace("`", ""))]) from None
    return await register(resources, wanted, "admin" if admin else "user")


async def set_disabled(resources: Resources, email: str, *, disabled: bool) -> bool:
    """Disable an account, or enable it; False if there is none.

    Its sessions and API keys end with it: the running workers publish that within half a second.
    """
    async with resources.db.tx():
        return await queries.set_disabled(normal(email), resources.now() if disabled else None)


async def find_owner(resources: Resources, email: str) -> UUID | None:
    """The id of the account with this e-mail; None if there is none."""
    async with resources.db.connection():
        found = await queries.by_email(normal(email))
    return None if found is None else found["id"]
