"""What the statements share: how a campaign becomes JSON and a `State`."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from plugins.campaigns.states import State
from voicera import rfc3339_sql

TIMES = (
    *("start_time", "end_time", "scheduled_at", "launched_at", "paused_at", "resumed_at"),
    *("completed_at", "cancelled_at", "created_at", "updated_at"),
)
SHOWN = f"""id, owner_id AS user_id, name, agent_id, status, phone_numbers, phone_number_count, max_concurrent_calls,
    {", ".join(f"{rfc3339_sql(name)} AS {name}" for name in TIMES)}"""
WHOLE = f"row_to_json((SELECT whole FROM (SELECT {SHOWN}) AS whole))::text"  # noqa: S608  # constants
STATE = ", ".join(State._fields)


class Stored(NamedTuple):
    """A campaign as it stands in the table: its state, and the resource as JSON text."""

    state: State
    resource: str


def state_of(row: Any) -> State:
    """The state in a row that has the columns STATE."""
    values = {name: row[name] for name in State._fields}
    return State(**{**values, "agent_id": plain(row["agent_id"])})


def stored(row: Any) -> Stored | None:
    """The campaign in a row that has the columns STATE and its resource; None for None."""
    return Stored(state_of(row), row["resource"]) if row is not None else None


def plain(value: UUID) -> UUID:
    """A plain UUID of asyncpg's own class, which orjson refuses."""
    return UUID(int=value.int)
