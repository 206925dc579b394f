"""Accounts, through Piccolo: none of this is on a hot path. Run inside `db.connection()` or `db.tx()`."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from plugins.auth.tables import User

VIEW = (User.id, User.email, User.first_name, User.last_name, User.role, User.created_at)
SECRETS = (*VIEW, User.password_hash, User.disabled_at)


async def insert(row: dict[str, Any]) -> bool:
    """Insert an account; False if its e-mail has one."""
    made = await User.insert(User(**row)).on_conflict(target=User.email_key, action="DO NOTHING").returning(User.id)
    return bool(made)


async def by_email(email_key: str) -> dict[str, Any] | None:
    """An account with its password hash."""
    return await User.select(*SECRETS).where(User.email_key == email_key).first()


async def by_id(user_id: UUID) -> dict[str, Any] | None:
    """An account with its password hash."""
    return await User.select(*SECRETS).where(User.id == user_id).first()


async def page(skip: int, limit: int) -> tuple[int, list[dict[str, Any]]]:
    """How many accounts there are, and a page of them, newest first."""
    total = await User.count()
    rows = await User.select(*VIEW).order_by(User.id, ascending=False).offset(skip).limit(limit)
    return total, rows


async def set_password(user_id: UUID, old_hash: str, new_hash: str) -> bool:
    """Replace a hash; False if another one has been set meanwhile."""
    changed = (
        await User.update({User.password_hash: new_hash})
        .where((User.id == user_id) & (User.password_hash == old_hash))
        .returning(User.id)
    )
    return bool(changed)


async def set_disabled(email_key: str, at: datetime | None) -> bool:
    """Disable an account, which ends its sessions (a trigger does), or enable it; False if there is none."""
    changed = await User.update({User.disabled_at: at}).where(User.email_key == email_key).returning(User.id)
    return bool(changed)
