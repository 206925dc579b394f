"""The rules about agents."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import asyncpg
import msgspec

from plugins.agents import queries
from plugins.agents.errors import AgentExists, AgentNotFound
from plugins.agents.hookspecs import AgentChange as Change
from plugins.agents.hookspecs import AgentsChanged
from plugins.agents.queries import Stored
from plugins.agents.schemas import AgentChange, AgentItem, AgentQuery, NewAgent
from voicera import (
    UNSET,
    Connection,
    FieldError,
    Fragment,
    InvalidFields,
    Meta,
    Page,
    PreconditionFailed,
    Resources,
    milliseconds_of,
    uuid7,
)

VOICE_BYTES = 16_384
DELETED = "deleted"
VOICE_KEYS: dict[str, Any] = {
    "voice_id": str | None,
    "speed": Annotated[float, Meta(gt=0, le=10)] | None,
    "tone": str | None,
}


async def page(resources: Resources, owner_id: UUID, wanted: AgentQuery) -> Page[AgentItem]:
    """A page of an owner's agents, and how many match in all."""
    filters = {
        "search": _key(wanted.search),
        "status": wanted.status,
        "llm_provider": wanted.llm_provider,
        "language": wanted.language,
    }
    given = {name: value for name, value in filters.items() if value}
    total, items = await resources.db.reading(
        lambda connection: queries.page(connection, owner_id, given, wanted.sort, limit=wanted.limit, skip=wanted.skip)
    )
    return Page(total=total, skip=wanted.skip, limit=wanted.limit, items=Fragment(items))


async def get(resources: Resources, owner_id: UUID, agent_id: UUID) -> Stored:
    """One agent; raises AgentNotFound."""
    found = await resources.db.reading(lambda connection: queries.get(connection, owner_id, agent_id))
    if found is None:
        raise AgentNotFound
    return found


async def create(resources: Resources, owner_id: UUID, new: NewAgent) -> tuple[UUID, Stored]:
    """Create an agent; its id and itself. Raises AgentExists, InvalidFields."""
    now = _now(resources)
    agent_id = uuid7(milliseconds_of(now))
    fields = _columns(new)
    async with resources.db.connection() as connection:
        with _one_name():
            stored = await queries.insert(connection, owner_id, agent_id, now, fields)
    _tell(resources, owner_id, agent_id, "created", stored)
    return agent_id, stored


async def update(
    resources: Resources, owner_id: UUID, agent_id: UUID, change: AgentChange, versions: Sequence[str] | None
) -> Stored:
    """Change the fields given, if the agent has one of these versions (any, for None).

    Raises AgentNotFound, AgentExists, PreconditionFailed, InvalidFields.
    """
    fields = _columns(change)
    async with resources.db.connection() as connection:
        with _one_name():
            done = await queries.update(connection, owner_id, agent_id, _now(resources), fields, versions=versions)
    if done.stored is None:
        raise PreconditionFailed if versions is not None and done.exists else AgentNotFound
    _tell(resources, owner_id, agent_id, "changed", done.stored)
    return done.stored


async def delete(resources: Resources, owner_id: UUID, agent_id: UUID, versions: Sequence[str] | None) -> None:
    """Delete an agent, if it has one of these versions and no plugin objects.

    Raises AgentNotFound, PreconditionFailed, and what the plugins raise.
    """
    async with resources.db.tx() as connection:
        version = await queries.lock(connection, owner_id, agent_id)
        if version is None:
            raise AgentNotFound
        if versions is not None and str(version) not in versions:
            raise PreconditionFailed
        event = {"resources": resources, "connection": connection, "owner_id": owner_id, "agent_id": agent_id}
        await resources.hooks.within("agent_deleting", **event)
        await queries.delete(connection, owner_id, agent_id)
    _tell(resources, owner_id, agent_id, "deleted", Stored(version, "null"))


async def known(connection: Connection, owner_id: UUID, agent_ids: frozenset[UUID]) -> frozenset[UUID]:
    """Those of the ids that are agents of the owner."""
    return await queries.known(connection, owner_id, agent_ids) if agent_ids else frozenset()


async def require(connection: Connection, owner_id: UUID, agent_id: UUID) -> bool:
    """True for an agent of the owner, which is not deleted until the transaction ends; else raises AgentNotFound."""
    if not await queries.keep(connection, owner_id, agent_id):
        raise AgentNotFound
    return True


async def status(connection: Connection, owner_id: UUID, agent_id: UUID) -> str:
    """An agent's status, which does not change until the transaction ends; `deleted` where there is none."""
    return await queries.keep_status(connection, owner_id, agent_id) or DELETED


def _tell(
    resources: Resources, owner_id: UUID, agent_id: UUID, action: Literal["created", "changed", "deleted"], now: Stored
) -> None:
    if resources.hooks.listened("agents_changed"):
        change = Change(agent_id, action, now.version, msgspec.json.decode(now.resource))
        event = AgentsChanged(owner_id, (change,))
        resources.hooks.after(resources.background, "agents_changed", resources=resources, event=event)


def _columns(given: NewAgent | AgentChange) -> str:
    """The fields given, as a JSON object of columns; raises InvalidFields."""
    columns = {name: value for name, value in msgspec.structs.asdict(given).items() if value is not UNSET}
    if "name" in columns:
        columns["name"] = columns["name"].strip()
        columns["name_key"] = _key(columns["name"])
    if "description" in columns:
        columns["description_key"] = _key(columns["description"])
    _check_voice(columns.get("voice_parameters"))
    return msgspec.json.encode(columns).decode()


def _key(text: str | None) -> str | None:
    """What two texts have in common that differ only in case or in how they compose their letters (NFC)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()) if text is not None else None


def _check_voice(parameters: dict[str, Any] | None) -> None:
    if parameters is None:
        return
    if len(msgspec.json.encode(parameters)) > VOICE_BYTES:
        raise InvalidFields([FieldError(field="voice_parameters", message=f"must not exceed {VOICE_BYTES} bytes")])
    if wrong := list(_wrong_voice(parameters)):
        raise InvalidFields(wrong)


def _wrong_voice(parameters: dict[str, Any]) -> Iterator[FieldError]:
    for key, kind in VOICE_KEYS.items():
        try:
            msgspec.convert(parameters.get(key), kind)
        except msgspec.ValidationError as error:
            yield FieldError(field=f"voice_parameters.{key}", message=str(error).replace("`", ""))


@contextmanager
def _one_name() -> Iterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == queries.NAME_CONSTRAINT:
            raise AgentExists("another agent of yours has this name") from None
        raise


def _now(resources: Resources) -> datetime:
    """The time in whole milliseconds, as the columns keep it and ids carry it."""
    now = resources.now()
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
