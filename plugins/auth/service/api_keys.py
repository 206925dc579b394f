"""API keys: credentials for machines, with scopes, shown once, ended at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from plugins.auth.errors import ApiKeyNotFound
from plugins.auth.queries import api_keys as queries
from plugins.auth.schemas import ApiKeyMade, ApiKeyView, NewApiKey
from plugins.auth.service.accounts import require_session
from plugins.auth.service.revocation import publish_ended
from plugins.auth.service.tokens import API_KEY, digest, new_opaque
from voicera import FieldError, InvalidFields, Page, Principal, Resources, uuid7

SHOWN = 9
EVERYTHING, ADMIN = "*", "admin"
SESSIONS_ONLY = "account:manage"
VIEW = tuple(ApiKeyView.__struct_fields__)


async def make_key(resources: Resources, caller: Principal, wanted: NewApiKey) -> ApiKeyMade:
    """Make an API key; raises InvalidFields for a scope that no route asks for, or an expiry that is past."""
    require_session(caller)
    now = resources.now()
    expires_at = _expiry(wanted, now)
    _check_scopes(resources, caller, wanted.scopes)
    key = new_opaque(API_KEY)
    made = ApiKeyMade(
        id=uuid7(),
        name=wanted.name,
        prefix=key[:SHOWN],
        scopes=sorted(set(wanted.scopes)),
        created_at=now,
        expires_at=expires_at,
        last_used_at=None,
        key=key,
    )
    row = (made.id, caller.owner_id, made.name, made.prefix, digest(key), made.scopes, now, expires_at)
    async with resources.db.connection() as connection:
        await queries.insert(connection, row)
    return made


async def list_keys(resources: Resources, owner_id: UUID, skip: int, limit: int) -> Page[ApiKeyView]:
    """The owner's keys, newest first, without the keys themselves."""
    async with resources.db.connection() as connection:
        rows = await queries.page(connection, owner_id, skip, limit)
        total = rows[0]["total"] if rows else await queries.count(connection, owner_id)
    items = [ApiKeyView(**{name: row[name] for name in VIEW}) for row in rows]
    return Page(total=total, skip=skip, limit=limit, items=items)


async def delete_key(resources: Resources, caller: Principal, key_id: UUID) -> None:
    """End a key: it is dead in every worker when this returns. Raises ApiKeyNotFound, also for another owner's."""
    require_session(caller)
    await resources.background.finish("auth: delete an API key", _delete(resources, caller.owner_id, key_id))


async def _delete(resources: Resources, owner_id: UUID, key_id: UUID) -> None:
    async with resources.db.connection() as connection:
        if not await queries.end(connection, owner_id, key_id):
            raise ApiKeyNotFound
    await publish_ended(resources, [(owner_id, key_id)])


def _expiry(wanted: NewApiKey, now: datetime) -> datetime | None:
    if wanted.expires_in is not None and wanted.expires_at is not None:
        raise InvalidFields([FieldError(field="expires_in", message="give this or expires_at, not both")])
    if wanted.expires_in is not None:
        return now + timedelta(days=wanted.expires_in)
    if wanted.expires_at is not None and wanted.expires_at <= now:
        raise InvalidFields([FieldError(field="expires_at", message="must lie in the future")])
    return wanted.expires_at


def _check_scopes(resources: Resources, caller: Principal, scopes: list[str]) -> None:
    offered = (resources.scopes | {EVERYTHING}) - {SESSIONS_ONLY}
    if not caller.allows(ADMIN):
        offered -= {ADMIN}
    errors = [
        FieldError(field=f"scopes[{index}]", message=f"is not a scope; there are: {', '.join(sorted(offered))}")
        for index, scope in enumerate(scopes)
        if scope not in offered
    ]
    if errors:
        raise InvalidFields(errors)
