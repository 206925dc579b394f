"""The state machine of campaigns: one table. The code that moves a campaign and docs/campaigns.md both come from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from plugins.campaigns.errors import CannotLaunch, StateForbids
from voicera import ApiError

Status = Literal["draft", "scheduled", "active", "paused", "completed", "cancelled"]
Rule = Literal["phone_number", "agent", "ends_later", "starts_later", "start_reached", "end_reached"]
Action = Literal["schedule", "launch", "pause", "resume", "stop", "start", "complete", "expire"]

LIVE: tuple[Status, ...] = ("scheduled", "active", "paused")
UNFINISHED: tuple[Status, ...] = ("draft", *LIVE)
READY: tuple[Rule, ...] = ("phone_number", "agent", "ends_later")

RULES: dict[Rule, str] = {
    "phone_number": "at least one phone number",
    "agent": "an agent that is `active`",
    "ends_later": "an `end_time` in the future",
    "starts_later": "a `start_time` in the future",
    "start_reached": "`start_time` has come",
    "end_reached": "`end_time` has come",
}


class State(NamedTuple):
    """What the rules look at: a campaign as it stands, without its phone numbers."""

    version: int
    status: Status
    name: str
    agent_id: UUID
    phone_number_count: int
    start_time: datetime | None
    end_time: datetime | None
    max_concurrent_calls: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One way from state to state.

    `stamp` is the column that keeps when it last happened, `error` what a client gets where it is not allowed,
    `event` the hook that hears of it after the commit. `due` is the column whose time brings it about: empty where
    a request does.
    """

    action: Action
    sources: tuple[Status, ...]
    to: Status
    stamp: str
    event: str
    rules: tuple[Rule, ...] = ()
    error: type[ApiError] = StateForbids
    due: Literal["", "start_time", "end_time"] = ""

    @property
    def activates(self) -> bool:
        """True where calls begin: plugins may veto it, or suppress phone numbers."""
        return self.to == "active"


SCHEDULE = Transition(
    action="schedule",
    sources=("draft",),
    to="scheduled",
    stamp="scheduled_at",
    event="campaign_scheduled",
    rules=(*READY, "starts_later"),
)
LAUNCH = Transition(
    action="launch",
    sources=("draft", "scheduled", "paused"),
    to="active",
    stamp="launched_at",
    event="campaign_launched",
    rules=READY,
    error=CannotLaunch,
)
PAUSE = Transition(action="pause", sources=("active",), to="paused", stamp="paused_at", event="campaign_paused")
RESUME = Transition(
    action="resume", sources=("paused",), to="active", stamp="resumed_at", event="campaign_resumed", rules=READY
)
STOP = Transition(action="stop", sources=UNFINISHED, to="cancelled", stamp="cancelled_at", event="campaign_stopped")
START = Transition(
    action="start",
    sources=("scheduled",),
    to="active",
    stamp="launched_at",
    event="campaign_launched",
    rules=(*READY, "start_reached"),
    due="start_time",
)
COMPLETE = Transition(
    action="complete",
    sources=("active", "paused"),
    to="completed",
    stamp="completed_at",
    event="campaign_completed",
    rules=("end_reached",),
    due="end_time",
)
EXPIRE = Transition(
    action="expire",
    sources=("scheduled",),
    to="cancelled",
    stamp="cancelled_at",
    event="campaign_stopped",
    rules=("end_reached",),
    due="end_time",
)
TRANSITIONS = (SCHEDULE, LAUNCH, PAUSE, RESUME, STOP, START, COMPLETE, EXPIRE)

# The states in which a field may be given another value.
CHANGEABLE: dict[str, tuple[Status, ...]] = {
    "name": (*UNFINISHED, "completed", "cancelled"),
    "max_concurrent_calls": UNFINISHED,
    "end_time": UNFINISHED,
    "agent_id": ("draft", "scheduled", "paused"),
    "phone_numbers": ("draft", "scheduled", "paused"),
    "start_time": ("draft", "scheduled"),
}
# The states in which a field must have a value (a list: a member).
NEEDED: dict[str, tuple[Status, ...]] = {"phone_numbers": LIVE, "end_time": LIVE, "start_time": ("scheduled",)}
DELETABLE: tuple[Status, ...] = ("draft", "completed", "cancelled")


def forbidden(transition: Transition, state: State, now: datetime) -> str | None:
    """Say which rule forbids a transition, None if none of those that the campaign itself can break does."""
    if state.status not in transition.sources:
        return f"it is {state.status}; {transition.action} is allowed from {', '.join(transition.sources)}"
    return next((reason for rule in transition.rules if (reason := _broken(rule, state, now))), None)


def _broken(rule: Rule, state: State, now: datetime) -> str | None:
    start, end = state.start_time, state.end_time
    if rule == "phone_number":
        return None if state.phone_number_count else "it has no phone number"
    if rule == "ends_later":
        return _unless_later("end_time", end, now)
    if rule == "starts_later":
        return _unless_later("start_time", start, now)
    if rule == "start_reached":
        return None if start is not None and start <= now else "its start_time has not come"
    if rule == "end_reached":
        return None if end is not None and end <= now else "its end_time has not come"
    return None  # the agent is another plugin's: the service asks


def _unless_later(name: str, moment: datetime | None, now: datetime) -> str | None:
    if moment is None:
        return f"it has no {name}"
    return None if moment > now else f"its {name} is in the past"


def transitions_table() -> str:
    """The state machine as a Markdown table."""
    return "\n".join(_transition_rows())


def fields_table() -> str:
    """Which field may change when, as a Markdown table."""
    return "\n".join(_field_rows())


def _transition_rows() -> Iterator[str]:
    yield "| action | by | from | to | needs | sets | otherwise | heard by |"
    yield "|---|---|---|---|---|---|---|---|"
    for each in TRANSITIONS:
        by = "the clock" if each.due else f"`POST /campaigns/{{campaign_id}}/{each.action}`"
        needs = ", ".join(RULES[rule] for rule in each.rules) or "nothing more"
        otherwise = "it stays" if each.due else f"`{each.error.code}`"
        yield (
            f"| {each.action} | {by} | {_codes(each.sources)} | `{each.to}` | {needs} | `{each.stamp}` "
            f"| {otherwise} | `{each.event}` |"
        )


def _field_rows() -> Iterator[str]:
    yield "| field | may change in | must have a value in |"
    yield "|---|---|---|"
    for name, states in CHANGEABLE.items():
        needed = NEEDED.get(name, () if name == "max_concurrent_calls" else CHANGEABLE["name"])
        yield f"| `{name}` | {_codes(states)} | {_codes(needed)} |"


def _codes(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"
