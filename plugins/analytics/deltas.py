"""What a batch of calls adds to the rollups: one pass over the calls, and arrays for one row of `call_deltas`.

This runs for every call that comes in, so it avoids what costs: hashing a UUID or an Enum member is Python code,
hashing the integer and the text in them is not.
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
Place = tuple[int, int | None, int | None]  # hour, agent, campaign
Sums = list[int]  # calls, of them completed ones with a duration, the seconds of those, and the cost of all
_to_json = msgspec.json.Encoder().encode


class Delta(NamedTuple):
    """The columns of a row of `call_deltas`, without the owner: two groups of parallel arrays.

    `phrases` and `emotions` are JSON arrays: the words of all calls of an hour, agent and campaign, each once a call.
    They stand beside one of the entries of these; the others have None. What is taken away is negative; the words of
    a negative entry are taken away.
    """

    hours: list[int]
    agents: list[Any]
    campaigns: list[Any]
    cells: list[int]
    calls: list[int]
    timed_calls: list[int]
    seconds: list[int]
    costs: list[int]
    phrases: list[str | None]
    emotions: list[str | None]
    duration_hours: list[int]
    durations: list[int]
    duration_signs: list[int]


def folded(word: str) -> str:
    """A phrase or an emotion as it is compared: without outer space, whatever its case (Unicode's case folding)."""
    return word.strip().casefold()


class _Folded(dict[str, str]):
    def __missing__(self, word: str) -> str:
        found = self[word] = folded(word)
        return found


class _Batch:
    __slots__ = ("durations", "facts", "full", "hours", "words")

    def __init__(self) -> None:
        self.facts: dict[tuple[Place, str, str | None], Sums] = {}
        self.full: list[tuple[Place, str, str | None, Sums]] = []
        self.words: dict[Place, tuple[list[str], list[str]]] = {}
        self.hours: list[int] = []
        self.durations: list[int] = []

    @property
    def entries(self) -> list[tuple[Place, str, str | None, Sums]]:
        """What the facts are in the end."""
        return [*self.full, *((*key, sums) for key, sums in self.facts.items())]


def added(calls: Iterable[RecordedCall]) -> Delta:
    """What these calls add."""
    return _arrays([(1, _gather(calls))])


def changed(before: Iterable[RecordedCall], after: Iterable[RecordedCall]) -> Delta:
    """What the change from these calls to those adds: all that was, taken away, and all that is."""
    return _arrays([(-1, _gather(before)), (1, _gather(after))])


def _gather(calls: Iterable[RecordedCall]) -> _Batch:
    batch = _Batch()
    facts, words, hours, durations = batch.facts, batch.words, batch.hours, batch.durations
    fold = _Folded({"": ""}).__getitem__
    for call in calls:
        log = call.log
        hour = (call.id.int >> 80) // HOUR_MS
        agent, campaign, status, sentiment = log.agent_id, log.campaign_id, log.status._value_, log.sentiment
        place = (hour, None if agent is None else agent.int, None if campaign is None else campaign.int)
        key = (place, status, None if sentiment is None else sentiment._value_)
        if (sums := facts.get(key)) is None:
            sums = facts[key] = [0, 0, 0, 0]
        sums[0] += 1
        if (seconds := log.duration_seconds) is not None:
            if status == COMPLETED:
                sums[1] += 1
                sums[2] += seconds
            hours.append(hour)
            durations.append(seconds)
        if cost := log.cost:
            sums[3] += round(cost * MICROS)
            if sums[3] > MOST_COST:  # the next call of this kind begins an entry of its own
                batch.full.append((place, status, key[2], facts.pop(key)))
        if log.key_phrases or log.emotions:
            if (lists := words.get(place)) is None:
                lists = words[place] = ([], [])
            lists[0].extend(set(map(fold, log.key_phrases)))
            lists[1].extend(set(map(fold, log.emotions)))
    return batch


class _Ids(dict[int | None, Any]):
    def __missing__(self, number: int) -> Any:
        made = self[number] = DatabaseUUID(number.to_bytes(16, "big"))
        return made


def _arrays(batches: list[tuple[int, _Batch]]) -> Delta:
    ids = _Ids({None: None})
    entries = [(sign, *entry) for sign, batch in batches for entry in batch.entries]
    words = [batch.words.pop(entry[0], None) for _, batch in batches for entry in batch.entries]
    return Delta(
        [place[0] for _, place, _, _, _ in entries],
        [ids[place[1]] for _, place, _, _, _ in entries],
        [ids[place[2]] for _, place, _, _, _ in entries],
        [NUMBERS[status, sentiment] for _, _, status, sentiment, _ in entries],
        [sign * sums[0] for sign, _, _, _, sums in entries],
        [sign * sums[1] for sign, _, _, _, sums in entries],
        [sign * sums[2] for sign, _, _, _, sums in entries],
        [sign * sums[3] for sign, _, _, _, sums in entries],
        [None if lists is None else _to_json(lists[0]).decode() for lists in words],
        [None if lists is None else _to_json(lists[1]).decode() for lists in words],
        [hour for _, batch in batches for hour in batch.hours],
        [seconds for _, batch in batches for seconds in batch.durations],
        [sign for sign, batch in batches for _ in batch.durations],
    )
