"""The SQL of transitions: one conditional UPDATE each, and what the clock looks for, which is of any owner."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from plugins.campaigns.queries.rows import STATE, WHOLE, Stored, plain, stored
from plugins.campaigns.states import Rule, Transition
from voicera import Connection

LEADER = 0x43414D504149474E  # "CAMPAIGN"
# $4 is now.
RULES: dict[Rule, str] = {
    "phone_number": "phone_number_count > 0",
    "agent": "agent_id = $7",
    "ends_later": "end_time > $4",
    "starts_later": "start_time > $4",
    "start_reached": "start_time <= $4",
    "end_reached": "end_time <= $4",
}


class Due(NamedTuple):
    """A campaign whose time has come, in the order of those times."""

    at: datetime
    owner_id: UUID
    campaign_id: UUID


MOVE = """
UPDATE campaigns AS campaign
SET status = $3, {stamp} = $4, version = campaign.version + 1, updated_at = greatest($4, campaign.updated_at)
WHERE owner_id = $1 AND id = $2 AND status = ANY($5) AND ($6::text[] IS NULL OR version::text = ANY($6)) {rules}
RETURNING {state}, {whole} AS resource
"""


@lru_cache(maxsize=32)
def moving(transition: Transition) -> str:
    """The text of a transition's conditional UPDATE."""
    rules = "".join(f" AND {RULES[rule]}" for rule in transition.rules)
    return MOVE.format(stamp=transition.stamp, rules=rules, state=STATE, whole=WHOLE)


async def move(
    connection: Connection,
    owner_id: UUID,
    campaign_id: UUID,
    transition: Transition,
    now: datetime,
    *,
    versions: Sequence[str] | None,
    agent_id: UUID | None,
) -> Stored | None:
    """Make a transition where the state and all rules allow it, else None; of many at once, one succeeds.

    `agent_id` is the agent that has been found fit, where the transition needs one.
    """
    values = [owner_id, campaign_id, transition.to, now, transition.sources, versions]
    agent = [agent_id] if "agent" in transition.rules else []
    return stored(await connection.fetchrow(moving(transition), *values, *agent))


LEAD = "SELECT pg_try_advisory_xact_lock($1)"


async def lead(connection: Connection) -> bool:
    """Become the one that serves the clock until the transaction ends; False where another one is."""
    return bool(await connection.fetchval(LEAD, LEADER))


# Each status stands in the text: a plan for any value could not use the partial index.
DUE = """
SELECT {at} AS at, owner_id, id FROM campaigns
WHERE status IN ({sources}) AND {at} <= $1 AND ({at}, owner_id, id) > ($2, $3, $4)
ORDER BY {at}, owner_id, id LIMIT $5
"""
FIRST = Due(datetime(1, 1, 1, tzinfo=UTC), UUID(int=0), UUID(int=0))


@lru_cache(maxsize=8)
def finding(transition: Transition) -> str:
    """The text that finds the campaigns whose time for a transition has come."""
    return DUE.format(at=transition.due, sources=", ".join(f"'{name}'" for name in transition.sources))


async def due(connection: Connection, transition: Transition, now: datetime, after: Due, most: int) -> list[Due]:
    """At most so many campaigns, of any owner, whose time has come: those that follow `after`."""
    rows = await connection.fetch(finding(transition), now, *after, most)
    return [Due(row["at"], plain(row["owner_id"]), plain(row["id"])) for row in rows]
