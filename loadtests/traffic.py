"""Made-up calls as in life: office hours peak, a few phone numbers and phrases are most of them all."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate
from typing import Any

# How busy an hour of the day is, and a weekday from Monday.
HOURS = (1, 1, 1, 1, 1, 2, 4, 8, 14, 20, 22, 20, 16, 17, 21, 22, 20, 16, 10, 6, 4, 3, 2, 1)
WEEKDAYS = (1.15, 1.1, 1.0, 1.0, 0.9, 0.3, 0.15)
LULL = 0.25  # no hour of a load test is quieter than this, of 1.0 in the mean
STATUSES = {"completed": 74, "no_answer": 12, "busy": 5, "failed": 5, "cancelled": 3, "in_progress": 1}
SENTIMENTS = {"positive": 52, "neutral": 33, "negative": 15}
EMOTIONS = {
    "positive": ("satisfied", "relieved", "grateful", "hopeful"),
    "neutral": ("calm", "curious", "patient"),
    "negative": ("frustrated", "angry", "confused"),
}
THINGS = ("invoice", "delivery", "password", "contract", "refund", "router", "card", "appointment", "order", "upgrade")
TROUBLES = ("late", "lost", "wrong", "declined", "duplicate", "expired", "damaged", "missing", "blocked", "question")
WISHES = (
    *("I was charged twice this month", "my parcel is three days late", "I cannot get into my account"),
    *("my card was declined", "I would like the bigger plan", "are you open on Sunday", "I want to cancel"),
)
FILLERS = (
    "Agent: May I read your details back to you? User: Yes, please do, and send them to me by mail.",
    "Agent: One moment, I am looking it up. User: Take your time, I have the letter here in front of me.",
    "Agent: Is there anything else that I can do for you? User: No, that was all, thank you very much.",
)
NUMBERS = 2_000  # that an owner calls
CONVERSATIONS = 2_000  # different ones; calls repeat them
Call = dict[str, Any]


def power_law(size: int, exponent: float = 1.0) -> list[float]:
    """Cumulative weights by rank, for `random.choices`: the first has most (Zipf's law)."""
    return list(accumulate(1 / rank**exponent for rank in range(1, size + 1)))


def shares(count: int, size: int) -> list[int]:
    """So many things, dealt out by a power law."""
    bounds = power_law(size)
    ends = [round(count * bound / bounds[-1]) for bound in bounds]
    return [end - begin for begin, end in zip([0, *ends], ends, strict=False)]


def busyness(part: float) -> float:
    """How busy it is when so much of the day (0 to 1) has passed; 1.0 in the mean."""
    place = part % 1.0 * 24
    hour, fraction = int(place), place % 1.0
    found = HOURS[hour] * (1 - fraction) + HOURS[(hour + 1) % 24] * fraction
    return max(LULL, found * 24 / sum(HOURS))


def moments(chance: random.Random, count: int, days: int) -> list[datetime]:
    """Moments of the last so many days, oldest first: office hours are busy, Sundays are quiet."""
    now = datetime.now(UTC)
    first = (now - timedelta(days=days)).replace(minute=0, second=0, microsecond=0)
    slots = [first + timedelta(hours=number) for number in range(days * 24)]
    weights = list(accumulate(HOURS[slot.hour] * WEEKDAYS[slot.weekday()] for slot in slots))
    found = [
        slot + timedelta(milliseconds=chance.randrange(3_600_000))
        for slot in chance.choices(slots, cum_weights=weights, k=count)
    ]
    return sorted(min(moment, now) for moment in found)


@cache
def phrases() -> list[str]:
    """The key phrases that there are, the commonest first."""
    chance = random.Random(1)
    found = [f"{trouble} {thing}" for thing in THINGS for trouble in TROUBLES]
    chance.shuffle(found)
    return found


@cache
def conversations() -> list[Call]:
    """What completed calls leave: length, cost, mood, phrases, a transcript and a summary."""
    chance = random.Random(2)
    weights = power_law(len(phrases()), 1.1)
    return [_conversation(chance, weights) for _ in range(CONVERSATIONS)]


def _conversation(chance: random.Random, weights: Sequence[float]) -> Call:
    sentiment = pick(chance, SENTIMENTS)
    seconds = min(1800, max(6, int(chance.lognormvariate(4.9, 0.7))))
    wish = chance.choice(WISHES)
    lines = [f"Agent: Hello, how can I help you? User: Hi, {wish}.", *chance.choices(FILLERS, k=1 + seconds // 60)]
    return {
        "duration_seconds": seconds,
        "sentiment": sentiment,
        "emotions": chance.sample(EMOTIONS[sentiment], k=chance.randint(1, 2)),
        "key_phrases": list(dict.fromkeys(chance.choices(phrases(), cum_weights=weights, k=chance.randint(1, 4)))),
        "transcript": " ".join(lines),
        "summary": f"The caller said: {wish}. The agent has taken care of it.",
        "cost": round(0.02 + seconds * 0.0021, 4),
    }


class Crowd:
    """Whom one owner calls: phone numbers, agents and campaigns, the busiest first; the same in every process."""

    def __init__(self, name: str, agents: Sequence[str], campaigns: Sequence[tuple[str, str]]) -> None:
        chance = random.Random(name)
        self.numbers = [f"+1{chance.randint(201, 989)}{chance.randint(2_000_000, 9_999_999)}" for _ in range(NUMBERS)]
        self.agents, self.campaigns = agents, campaigns
        self._weights = {size: power_law(size) for size in {NUMBERS, len(agents), len(campaigns)} if size}

    def number(self, chance: random.Random) -> str:
        """A phone number."""
        return chance.choices(self.numbers, cum_weights=self._weights[NUMBERS])[0]

    def agent(self, chance: random.Random) -> str | None:
        """An agent, if there are any."""
        return chance.choices(self.agents, cum_weights=self._weights[len(self.agents)])[0] if self.agents else None

    def campaign(self, chance: random.Random) -> tuple[str, str] | None:
        """A campaign with its agent, if there are any."""
        if not self.campaigns:
            return None
        return chance.choices(self.campaigns, cum_weights=self._weights[len(self.campaigns)])[0]

    def call(self, chance: random.Random, moment: datetime, status: str | None = None) -> Call:
        """A call that began then; outbound ones belong to a campaign."""
        status = status or pick(chance, STATUSES)
        call: Call = {
            "external_id": f"CA{chance.getrandbits(96):024x}",
            "phone_number": self.number(chance),
            "status": status,
            "created_at": moment.isoformat(timespec="milliseconds"),
        }
        campaign = self.campaign(chance) if chance.random() < 0.75 else None
        if campaign is not None:
            call |= {"direction": "outbound", "campaign_id": campaign[0], "agent_id": campaign[1]}
        elif agent := self.agent(chance):
            call |= {"direction": "inbound", "agent_id": agent}
        if status == "completed":
            call |= chance.choice(conversations())
        return call


def results(chance: random.Random) -> Call:
    """What becomes known of a call when it has ended."""
    status = pick(chance, {name: weight for name, weight in STATUSES.items() if name != "in_progress"})
    return {"status": status, **(chance.choice(conversations()) if status == "completed" else {})}


def pick(chance: random.Random, weights: dict[str, int]) -> str:
    """Choose a key by its weight."""
    return chance.choices(list(weights), list(weights.values()))[0]
