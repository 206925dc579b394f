"""Creating, reading, changing and deleting campaigns."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from plugins.campaigns.errors import CampaignNotFound, StateForbids
from plugins.campaigns.hookspecs import CampaignChange as Change
from plugins.campaigns.hookspecs import CampaignsChanged
from plugins.campaigns.queries import campaigns as queries
from plugins.campaigns.queries import numbers as number_queries
from plugins.campaigns.queries import suppressed
from plugins.campaigns.queries.rows import Stored
from plugins.campaigns.schemas import (
    MOST_NUMBERS,
    MOST_SHOWN,
    CampaignChange,
    CampaignQuery,
    CampaignView,
    NewCampaign,
    NumbersQuery,
)
from plugins.campaigns.states import CHANGEABLE, DELETABLE, NEEDED, State
from voicera import (
    UNSET,
    Connection,
    FieldError,
    Fragment,
    InvalidFields,
    Page,
    PreconditionFailed,
    Resources,
    milliseconds_of,
    uuid7,
)

MOST_NAMED = 3


async def page(resources: Resources, owner_id: UUID, wanted: CampaignQuery) -> Page[CampaignView]:
    """A page of an owner's campaigns, newest first, and how many match in all."""
    filters = {"agent_id": wanted.agent_id, "status": wanted.status, "search": _key(wanted.search)}
    given = {name: value for name, value in filters.items() if value}
    total, items = await resources.db.reading(
        lambda connection: queries.page(connection, owner_id, given, limit=wanted.limit, skip=wanted.skip)
    )
    return Page(total=total, skip=wanted.skip, limit=wanted.limit, items=Fragment(items))


async def get(resources: Resources, owner_id: UUID, campaign_id: UUID) -> Stored:
    """One campaign; raises CampaignNotFound."""
    found = await resources.db.reading(lambda connection: queries.get(connection, owner_id, campaign_id))
    if found is None:
        raise CampaignNotFound
    return found


async def numbers(resources: Resources, owner_id: UUID, campaign_id: UUID, wanted: NumbersQuery) -> Page[str]:
    """A page of a campaign's phone numbers, in order; raises CampaignNotFound."""
    first = min(wanted.skip, MOST_NUMBERS)
    found = await resources.db.reading(
        lambda connection: number_queries.page(connection, owner_id, campaign_id, first, first + wanted.limit)
    )
    if found is None:
        raise CampaignNotFound
    return Page(total=found[0], skip=wanted.skip, limit=wanted.limit, items=Fragment(found[1]))


async def create(resources: Resources, owner_id: UUID, new: NewCampaign) -> tuple[UUID, Stored]:
    """Create a draft; its id and itself. Raises InvalidFields, and what the plugin of the agents raises."""
    now = now_of(resources)
    campaign_id = uuid7(milliseconds_of(now))
    given = _given(new)
    phone_numbers = _distinct(given)
    _check_times(given["start_time"], given["end_time"])
    fields = _columns(given, phone_numbers)
    async with resources.db.tx() as connection:
        await _require_agent(resources, connection, owner_id, new.agent_id)
        made = await queries.insert(connection, owner_id, campaign_id, now, fields)
        await number_queries.add(connection, owner_id, campaign_id, phone_numbers or [])
    _tell(resources, owner_id, campaign_id, "created", made)
    return campaign_id, made


async def update(
    resources: Resources, owner_id: UUID, campaign_id: UUID, change: CampaignChange, versions: Sequence[str] | None
) -> Stored:
    """Change the fields given, if the campaign has one of these versions (any, for None) and its state allows it.

    Raises CampaignNotFound, PreconditionFailed, StateForbids, InvalidFields, and what the plugin of the agents raises.
    """
    given = _given(change)
    phone_numbers = _distinct(given)
    async with resources.db.tx() as connection:
        before = allowed(await queries.lock(connection, owner_id, campaign_id), versions)
        changed = _changed(before, given)
        _check_change(before, changed)
        _check_times(given.get("start_time", before.start_time), given.get("end_time", before.end_time))
        if "agent_id" in changed:
            await _require_agent(resources, connection, owner_id, changed["agent_id"])
        if phone_numbers is not None:
            await number_queries.delete(connection, owner_id, campaign_id)
            await number_queries.add(connection, owner_id, campaign_id, phone_numbers)
            await suppressed.forget(connection, owner_id, campaign_id, phone_numbers)
        made = await queries.update(
            connection, owner_id, campaign_id, now_of(resources), _columns(given, phone_numbers)
        )
    if changed:
        _tell(resources, owner_id, campaign_id, "changed", made)
    return made


async def delete(resources: Resources, owner_id: UUID, campaign_id: UUID, versions: Sequence[str] | None) -> None:
    """Delete a campaign that is not live, if it has one of these versions.

    Raises CampaignNotFound, PreconditionFailed, StateForbids.
    """
    async with resources.db.tx() as connection:
        state = allowed(await queries.lock(connection, owner_id, campaign_id), versions)
        if state.status not in DELETABLE:
            raise StateForbids(f"it is {state.status}; stop it first")
        await queries.delete(connection, owner_id, campaign_id)
    _tell(resources, owner_id, campaign_id, "deleted", Stored(state, "null"))


async def keep_agent(connection: Connection, owner_id: UUID, agent_id: UUID) -> None:
    """Raise StateForbids if a live campaign rests on an agent."""
    names, together = await queries.live_of_agent(connection, owner_id, agent_id, MOST_NAMED)
    if names:
        more = f" and {together - len(names)} more" if together > len(names) else ""
        raise StateForbids(f"in use by live campaigns: {', '.join(names)}{more}")


async def known(connection: Connection, owner_id: UUID, campaign_ids: frozenset[UUID]) -> frozenset[UUID]:
    """Those of the ids that are campaigns of the owner."""
    return await queries.known(connection, owner_id, campaign_ids) if campaign_ids else frozenset()


def now_of(resources: Resources) -> datetime:
    """The time in whole milliseconds, as the columns keep it and ids carry it."""
    return _whole(resources.now())


def allowed(state: State | None, versions: Sequence[str] | None) -> State:
    """The state of a campaign that is there and has one of these versions, else raise."""
    if state is None:
        raise CampaignNotFound
    if versions is not None and str(state.version) not in versions:
        raise PreconditionFailed
    return state


def _tell(
    resources: Resources,
    owner_id: UUID,
    campaign_id: UUID,
    action: Literal["created", "changed", "deleted"],
    now: Stored,
) -> None:
    """Let the plugins hear of a change that has been committed."""
    if resources.hooks.listened("campaigns_changed"):
        change = Change(campaign_id, action, now.state.version, msgspec.json.decode(now.resource))
        event = CampaignsChanged(owner_id, (change,))
        resources.hooks.after(resources.background, "campaigns_changed", resources=resources, event=event)


async def _require_agent(resources: Resources, connection: Connection, owner_id: UUID, agent_id: UUID) -> None:
    await resources.hooks.first("require_agent", connection=connection, owner_id=owner_id, agent_id=agent_id)


def _given(sent: NewCampaign | CampaignChange) -> dict[str, Any]:
    """The fields given, with times in UTC as they are kept. Raises InvalidFields for one that UTC cannot express."""
    given = {name: value for name, value in msgspec.structs.asdict(sent).items() if value is not UNSET}
    for name in ("start_time", "end_time"):
        if given.get(name) is not None:
            try:
                given[name] = _whole(given[name].astimezone(UTC))
            except OverflowError:
                raise InvalidFields([FieldError(field=name, message="is out of range")]) from None
    if "name" in given:
        given["name"] = given["name"].strip()
    return given


def _distinct(given: dict[str, Any]) -> list[str] | None:
    """The phone numbers without repetitions, in order; None where none are given. Raises InvalidFields."""
    if "phone_numbers" not in given:
        return None
    found = list(dict.fromkeys(given["phone_numbers"]))
    if len(found) > MOST_NUMBERS:
        message = f"must not be more than {MOST_NUMBERS}; there are {len(found)}"
        raise InvalidFields([FieldError(field="phone_numbers", message=message)])
    return found


def _columns(given: dict[str, Any], phone_numbers: list[str] | None) -> str:
    """The columns to set, as a JSON object."""
    columns = dict(given)
    if "name" in columns:
        columns["name_key"] = _key(columns["name"])
    if phone_numbers is not None:
        columns |= {"phone_numbers": phone_numbers[:MOST_SHOWN], "phone_number_count": len(phone_numbers)}
    return msgspec.json.encode(columns).decode()


def _check_times(start: datetime | None, end: datetime | None) -> None:
    if start is not None and end is not None and end <= start:
        raise InvalidFields([FieldError(field="end_time", message="must come after start_time")])


def _changed(before: State, given: dict[str, Any]) -> dict[str, Any]:
    """The fields given another value than they have; phone numbers that are given count as changed."""
    return {name: value for name, value in given.items() if name == "phone_numbers" or value != getattr(before, name)}


def _check_change(before: State, changed: dict[str, Any]) -> None:
    status = before.status
    for name, value in changed.items():
        if status not in CHANGEABLE[name]:
            raise StateForbids(f"it is {status}; {name} may change in {', '.join(CHANGEABLE[name])}")
        if not value and status in NEEDED.get(name, ()):
            raise StateForbids(f"it is {status}; then it must have {name}")


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _key(text: str) -> str:
    """What two texts have in common that differ only in case or in how they compose their letters (NFC)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
