"""What a batch of calls adds to the rollups: one pass over the calls, and the columns of one row of `call_deltas`.

This runs for every call that comes in, so it avoids what costs: hashing a UUID or an Enum member is Python code,
hashing the integer and the text in them is not; and a text of JSON is made and sent in a tenth of the time that an
array of as many values takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from asyncpg.pgproto.pgproto import UUID as DatabaseUUID  # noqa: N811  # written without a detour over Python

from plugins.analytics.cells import COMPLETED, NUMBERS
from plugins.analytics.periods import HOUR_MS
from plugins.calls.hookspecs import RecordedCall

MICROS = 1_000_000
MOST_COST = 1 << 61  # of an entry, whatever a call may cost: a bigint has to hold it
_to_json = msgspec.json.Encoder().encode


class Delta(NamedTuple):
    """The columns of a row of `call_deltas`, without the owner: they are parallel, and each place in them is an entry.

    An entry is about the calls of an hour, agent, campaign, status and sentiment. `phrases`, `emotions` and
    `durations` are JSON arrays that hold an array for each entry: the words of its calls, each once a call, and their
    seconds. What is taken away is negative; the words and durations of a negative entry are taken away.
    """

    hours: list[int]
    agents: list[Any]
    campaigns: list[Any]
    cells: list[int]
    calls: list[int]
    timed_calls: list[int]
    seconds: list[int]
    costs: list[int]
    phrases: str
    emotions: str
    durations: str


class _Entry:
    __slots__ = ("calls", "cost", "durations", "emotions", "phrases")

    def __init__(self) -> None:
        self.calls = 0
        self.cost = 0
        self.durations: list[int] = []
        self.phrases: list[str] = []
        self.emotions: list[str] = []


_Key = tuple[int, int | None, int | None, str, str | None]  # hour, agent, campaign, status, sentiment
_Entries = list[tuple[_Key, _Entry]]


def folded(word: str) -> str:
    """A phrase or an emotion as it is compared: without outer space, whatever its case (Unicode's case folding)."""
    return word.strip().casefold()


class _Folded(dict[str, str]):
    def __missing__(self, word: str) -> str:
        found = self[word] = folded(word)
        return found


def added(calls: Iterable[RecordedCall]) -> Delta:
    """What these calls add."""
    return _columns(_gather(calls), [])


def changed(before: Iterable[RecordedCall], after: Iterable[RecordedCall]) -> Delta:
    """What the change from these calls to those adds: all that was, taken away, and all that is."""
    return _columns(_gather(after), _gather(before))


def _gather(calls: Iterable[RecordedCall]) -> _Entries:
    entries: dict[_Key, _Entry] = {}
    full: _Entries = []
    fold = _Folded({"": ""}).__getitem__
    for call in calls:
        log = call.log
        agent, campaign, sentiment = log.agent_id, log.campaign_id, log.sentiment
        key = (
            (call.id.int >> 80) // HOUR_MS,
            None if agent is None else agent.int,
            None if campaign is None else campaign.int,
            log.status._value_,
            None if sentiment is None else sentiment._value_,
        )
        if (entry := entries.get(key)) is None:
            entry = entries[key] = _Entry()
        entry.calls += 1
        if log.duration_seconds is not None:
            entry.durations.append(log.duration_seconds)
        if log.key_phrases:
            entry.phrases.extend(set(map(fold, log.key_phrases)))
        if log.emotions:
            entry.emotions.extend(set(map(fold, log.emotions)))
        if cost := log.cost:
            entry.cost += round(cost * MICROS)
            if entry.cost > MOST_COST:  # the next call of this kind begins an entry of its own
                full.append((key, entries.pop(key)))
    return [*full, *entries.items()]


class _Ids(dict[int | None, Any]):
    def __missing__(self, number: int) -> Any:
        made = self[number] = DatabaseUUID(number.to_bytes(16, "big"))
        return made


def _columns(plus: _Entries, minus: _Entries) -> Delta:
    ids, entries = _Ids({None: None}), [*plus, *minus]
    signs = [*[1] * len(plus), *[-1] * len(minus)]
    # Of completed calls alone the mean duration is asked for.
    timed = [entry.durations if key[3] == COMPLETED else () for key, entry in entries]
    return Delta(
        [key[0] for key, _ in entries],
        [ids[key[1]] for key, _ in entries],
        [ids[key[2]] for key, _ in entries],
        [NUMBERS[key[3], key[4]] for key, _ in entries],
        [sign * entry.calls for sign, (_, entry) in zip(signs, entries, strict=True)],
        [sign * len(durations) for sign, durations in zip(signs, timed, strict=True)],
        [sign * sum(durations) for sign, durations in zip(signs, timed, strict=True)],
        [sign * entry.cost for sign, (_, entry) in zip(signs, entries, strict=True)],
        _to_json([entry.phrases for _, entry in entries]).decode(),
        _to_json([entry.emotions for _, entry in entries]).decode(),
        _to_json([entry.durations for _, entry in entries]).decode(),
    )
