"""Made-up calls: the conversations of `examples/make_calls.py`, skewed over agents, campaigns, numbers and hours."""

from __future__ import annotations

import importlib.util
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate, islice
from typing import Any
from uuid import UUID

import msgspec

from loadtests.service import ROOT, post
from voicera import uuid7s

AGENTS, CAMPAIGNS = 12, 30
CONVERSATIONS = 5_000
FILLER = " Agent: May I read your details back to you? User: Yes, please do, and send them to me by mail."
WIDTH = 860  # bytes of a call log on the wire, in the mean
PLANTED = 60  # calls that only a rare filter finds, as many in every table, whatever its size
RARE_NUMBER = "+15550001111"
CHUNK = 10_000
HOUR_MS = 3_600_000
LONGEST = 7200  # seconds; no other call lasts so long
COLUMNS = (
    *("owner_id", "id", "external_id", "campaign_id", "agent_id", "phone_number", "direction", "status"),
    *("duration_seconds", "sentiment", "emotions", "key_phrases", "transcript", "summary", "cost_micros"),
    *("metadata", "created_at", "updated_at"),
)
Call = dict[str, Any]
encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Owner:
    """A user with agents and campaigns; `campaigns` are pairs of a campaign and its agent, the busiest first."""

    id: UUID
    token: str
    agents: list[str]
    campaigns: list[tuple[str, str]]


def make_owner(url: str, name: str) -> Owner:
    """Make a user with agents and campaigns, through the API."""
    who = {"email": f"{name}@example.com", "password": "Correct-Horse-7", "first_name": "Ada", "last_name": "Byron"}
    post(f"{url}/auth/register", who)
    login = post(f"{url}/auth/login", {key: who[key] for key in ("email", "password")})
    token = login["token"]
    models = {"llm_provider": "openai", "llm_model": "gpt-4", "stt_provider": "deepgram", "tts_provider": "cartesia"}
    agent = {"description": "Handles sales", "language": "en", "system_prompt": "You are a helpful agent.", **models}
    agents = [post(f"{url}/agents", {"name": f"Agent {n}", **agent}, token)["id"] for n in range(AGENTS)]
    campaigns = []
    for number in range(CAMPAIGNS):
        whose = agents[number % AGENTS]
        made = post(f"{url}/campaigns", {"name": f"Campaign {number}", "agent_id": whose}, token)
        campaigns.append((made["id"], whose))
    return Owner(UUID(login["user"]["id"]), token, agents, campaigns)


def make_calls(owner: Owner, count: int, days: int, *, phrases: bool = True) -> list[Call]:
    """So many calls of the last so many days, oldest first, PLANTED of each rare kind among them."""
    return [call for chunk in chunks_of(owner, count, days, phrases=phrases) for call in chunk]


def chunks_of(owner: Owner, count: int, days: int, *, phrases: bool = True, size: int = CHUNK) -> Iterator[list[Call]]:
    """The same calls in chunks of `size`, each made when it is asked for: millions of them are never there at once."""
    # One for each, so that the size of a chunk makes no difference.
    who, what, when = (random.Random(f"{count} {name}") for name in ("who", "what", "when"))
    pool = _conversations(phrases=phrases)
    planted = _planted(owner, count)
    weights = list(accumulate(1 / (place + 1) for place in range(CAMPAIGNS)))
    moments = _moments(when, count, days)
    for start in range(0, count, size):
        here = list(islice(moments, min(size, count - start)))
        campaigns = who.choices(owner.campaigns, cum_weights=weights, k=len(here))
        talks = what.choices(pool, k=len(here))
        calls = [
            {
                **conversation,
                "external_id": external_id(count, number),
                "campaign_id": campaign,
                "agent_id": agent,
                "created_at": moment,
            }
            for number, conversation, (campaign, agent), moment in zip(
                range(start, start + len(here)), talks, campaigns, here, strict=True
            )
        ]
        for number in range(start, start + len(here)):
            if number in planted:
                calls[number - start].update(planted[number])
        yield calls


def external_id(count: int, number: int) -> str:
    """The external id of one of `count` calls."""
    return f"CA{number:010x}{count:x}"


@cache
def common_number() -> str:
    """The phone number that stands in the most calls."""
    [(number, _)] = Counter(call["phone_number"] for call in _conversations(phrases=True)).most_common(1)
    return str(number)


def _planted(owner: Owner, count: int) -> dict[int, Call]:
    """What to change in which calls, evenly spread over time, so that each rare filter finds PLANTED of them."""
    step = count / PLANTED
    # The busiest campaign, and an agent who has nothing to do with it.
    stranger = {"campaign_id": owner.campaigns[0][0], "agent_id": owner.agents[-1], "status": "busy"}
    kinds: list[tuple[float, Call]] = [
        (0.1, {"status": "queued", "duration_seconds": 0, "cost": 0.0, "sentiment": None}),
        (0.3, stranger),
        (0.5, {"duration_seconds": LONGEST}),
        (0.7, {"phone_number": RARE_NUMBER}),
    ]
    return {int((number + part) * step): kind for number in range(PLANTED) for part, kind in kinds}


def lines_of(calls: list[Call]) -> list[bytes]:
    """The calls as lines of JSON, without line feeds."""
    return [encode(call) for call in calls]


def rows_of(owner: Owner, calls: list[Call]) -> list[tuple[Any, ...]]:
    """The calls as rows in the order of COLUMNS, with ids."""
    now = datetime.now(UTC)
    ids = uuid7s([int(call["created_at"].timestamp() * 1000) for call in calls])
    campaigns = {text: UUID(text) for text, _ in owner.campaigns}
    agents = {text: UUID(text) for text in owner.agents}
    return [
        (
            owner.id,
            identifier,
            call["external_id"],
            campaigns[call["campaign_id"]],
            agents[call["agent_id"]],
            *(call.get(name) for name in ("phone_number", "direction", "status", "duration_seconds", "sentiment")),
            call.get("emotions", []),
            call.get("key_phrases", []),
            call.get("transcript"),
            call.get("summary"),
            round(call["cost"] * 1_000_000),
            encode(call["metadata"]).decode() if "metadata" in call else None,
            call["created_at"],
            now,
        )
        for identifier, call in zip(ids, calls, strict=True)
    ]


@cache
def _example() -> Any:
    """The program that makes the examples, as a module: it is no package."""
    found = importlib.util.spec_from_file_location("make_calls", ROOT / "examples" / "make_calls.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@cache
def _conversations(*, phrases: bool) -> list[Call]:
    """Calls without who and when, whose mean width on the wire with those is WIDTH."""
    chance = random.Random(7)
    numbers = [f"+1{chance.randint(201, 989)}5{place:06d}" for place in range(400)]
    made = [_example().one_call(chance, numbers) for _ in range(CONVERSATIONS)]
    around = 26 + 52 + 49 + 20  # external_id, campaign_id, agent_id, and what created_at has more here
    talks = [call for call in made if "transcript" in call]
    missing = (WIDTH - around) * len(made) - sum(len(encode(call)) for call in made)
    for call in talks:
        call["transcript"] += (FILLER * 9)[: max(0, missing // len(talks))]
    if not phrases:
        for call in made:
            call.pop("key_phrases", None)
    return made


def _moments(chance: random.Random, count: int, days: int) -> Iterator[datetime]:
    """Moments of the last full days, in order: office hours are busy, Sundays are quiet."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    dates = [today - timedelta(days=back) for back in range(days, 0, -1)]
    until = list(accumulate(1.0 if date.weekday() < 5 else 0.25 for date in dates))
    hours = list(accumulate(_example().HOURS))
    done = 0
    for date, share in zip(dates, until, strict=True):
        upto = round(count * share / until[-1])
        chosen = chance.choices(range(24), cum_weights=hours, k=upto - done)
        for milliseconds in sorted(hour * HOUR_MS + int(chance.random() * HOUR_MS) for hour in chosen):
            yield date + timedelta(milliseconds=milliseconds)
        done = upto
