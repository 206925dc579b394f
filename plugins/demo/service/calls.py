"""Calls as life makes them: few agents have most of them, hours and weekdays peak, moods have reasons."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

from plugins.demo.service.scenes import AGENTS, CAMPAIGNS, MARKETS, Agent, Campaign, Market
from plugins.demo.service.topics import COMMON_PHRASES, EMOTIONS, ENDINGS, GREETINGS, TOPICS, WELCOME, Topic

DAYS = 90
INBOUND = 0.28
# How busy an hour of the day is where the people live, and a weekday from Monday.
OUTBOUND_HOURS = (0, 0, 0, 0, 0, 0, 0, 0, 2, 9, 14, 13, 8, 7, 10, 13, 14, 12, 9, 5, 1, 0, 0, 0)
INBOUND_HOURS = (1, 1, 0, 0, 0, 1, 2, 5, 10, 14, 14, 12, 11, 10, 11, 11, 10, 9, 7, 6, 5, 4, 3, 2)
WEEKDAYS = (1.15, 1.1, 1.0, 1.0, 0.9, 0.3, 0.12)
OUTAGE_DAY = 24  # so many days ago everything broke down
OUTBOUND = {"completed": 61, "no_answer": 22, "busy": 7, "failed": 5, "cancelled": 5}
ANSWERED = {"completed": 87, "cancelled": 9, "failed": 4}
RECENT = timedelta(minutes=8)
CALLING = tuple(campaign for campaign in CAMPAIGNS if campaign.state != "draft")
ANSWERING = AGENTS[:-1]  # nobody calls to be asked questions
CARRIERS = ("twilio", "telnyx", "vonage", "bandwidth")


def power_law(size: int, exponent: float) -> list[float]:
    """Cumulative weights by rank: the first has most."""
    return list(accumulate(1 / rank**exponent for rank in range(1, size + 1)))


@dataclass(frozen=True, slots=True)
class Known:
    """The ids that the service gave, by name; what is missing there stays out of the calls."""

    agents: Mapping[str, str]
    campaigns: Mapping[str, str]


class Calendar:
    """The hours of the last 90 days in one market, each as busy as it is there; growing week by week."""

    def __init__(self, market: Market, hours: Sequence[int], now: datetime) -> None:
        self._now = now
        first = now.replace(minute=0, second=0, microsecond=0) - timedelta(days=DAYS)
        self._slots = [first + timedelta(hours=number) for number in range(DAYS * 24 + 1)]
        weights = []
        for number, slot in enumerate(self._slots):
            local = slot + timedelta(hours=market.hours)
            weights.append(hours[local.hour] * WEEKDAYS[local.weekday()] * (1 + 0.4 * number / len(self._slots)))
        self._weights = list(accumulate(weights))

    def pick(self, chance: random.Random) -> datetime:
        """When a call begins."""
        while True:
            slot = chance.choices(self._slots, cum_weights=self._weights)[0]
            moment = slot + timedelta(milliseconds=chance.randrange(3_600_000))
            if moment < self._now:
                return moment


class Story:
    """All calls of a demonstration. The same seed and the same `now` tell the same story."""

    def __init__(self, seed: int, now: datetime, known: Known) -> None:
        self._seed, self._known, self._now = seed, known, now
        self._chance = random.Random(seed)  # noqa: S311  # it must repeat
        self._outage = now.date() - timedelta(days=OUTAGE_DAY)
        self._calendars = {
            (name, inbound): Calendar(market, INBOUND_HOURS if inbound else OUTBOUND_HOURS, now)
            for name, market in MARKETS.items()
            for inbound in (False, True)
        }
        self._numbers = {campaign.name: numbers_of(campaign) for campaign in CAMPAIGNS}
        self._callers = [number for name in MARKETS for number in _numbers(MARKETS[name], 120, seed)]
        self._campaigns = power_law(len(CALLING), 1.1)
        self._agents = power_law(len(ANSWERING), 1.3)

    def calls(self, count: int) -> Iterator[dict[str, Any]]:
        """The calls, oldest first, as `POST /call-logs/batch` takes them."""
        chance = self._chance
        plans = []
        for _ in range(count):
            inbound = chance.random() < INBOUND
            campaign = None if inbound else chance.choices(CALLING, cum_weights=self._campaigns)[0]
            market = campaign.market if campaign else chance.choice(tuple(MARKETS))
            plans.append((self._calendars[market, inbound].pick(chance), campaign))
        plans.sort(key=lambda plan: plan[0])
        for number, (moment, campaign) in enumerate(plans):
            yield {"external_id": f"demo-{self._seed}-{number:06d}", **self._call(moment, campaign)}

    def _call(self, moment: datetime, campaign: Campaign | None) -> dict[str, Any]:
        chance = self._chance
        if campaign is None:
            agent = chance.choices(ANSWERING, cum_weights=self._agents)[0]
            numbers, direction = self._callers, "inbound"
        else:
            agent = next(each for each in AGENTS if each.name == campaign.agent)
            numbers, direction = self._numbers[campaign.name], "outbound"
        topic = self._topic(moment, agent, campaign)
        status = self._status(moment, topic, direction)
        call: dict[str, Any] = {
            # A few numbers are called, and call, again and again.
            "phone_number": numbers[int(len(numbers) * chance.random() ** 1.8)],
            "status": status,
            "direction": direction,
            "agent_id": self._known.agents.get(agent.name),
            "campaign_id": self._known.campaigns.get(campaign.name) if campaign else None,
            "created_at": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "metadata": {"carrier": chance.choice(CARRIERS), "attempt": 1 + int(chance.expovariate(1.6))},
        }
        if status == "completed":
            call |= self._conversation(agent, topic, WELCOME if campaign is None else topic.opening)
        elif status in ("failed", "cancelled"):
            call |= self._broken_off(agent)
        elif status in ("no_answer", "busy"):
            call |= {"duration_seconds": 0, "cost": 0.0}
        return {name: value for name, value in call.items() if value is not None}

    def _topic(self, moment: datetime, agent: Agent, campaign: Campaign | None) -> Topic:
        if moment.date() == self._outage and "outage" in agent.topics and self._chance.random() < 0.7:
            return TOPICS["outage"]
        if campaign is not None:
            return TOPICS[campaign.topic]
        usual = [name for name in agent.topics if name != "outage"]
        return TOPICS[self._chance.choices(usual, cum_weights=power_law(len(usual), 1.0))[0]]

    def _status(self, moment: datetime, topic: Topic, direction: str) -> str:
        if self._now - moment < RECENT:
            return self._chance.choice(("queued", "in_progress", "in_progress"))
        weights = OUTBOUND if direction == "outbound" else ANSWERED
        if topic.name == "outage":
            weights = {**weights, "failed": weights["failed"] * 6}
        return self._chance.choices(list(weights), list(weights.values()))[0]

    def _conversation(self, agent: Agent, topic: Topic, opening: str) -> dict[str, Any]:
        chance = self._chance
        seconds = min(2_400, max(8, round(chance.lognormvariate(4.75, 0.65))))
        sentiment = self._sentiment(topic, seconds)
        turns = min(5, 1 + seconds // 60)
        wishes = chance.sample(topic.wishes, min(turns, len(topic.wishes)))
        said = [f"Agent: {chance.choice(GREETINGS).format(agent=agent.first_name)} {opening}"]
        for wish in wishes:
            said += [f"User: {wish}", f"Agent: {chance.choice(topic.answers)}"]
        said.append(f"User: {chance.choice(ENDINGS[sentiment])}")
        phrases = self._phrases(topic)
        return {
            "duration_seconds": seconds,
            "sentiment": sentiment if seconds > 15 else None,
            "emotions": chance.sample(EMOTIONS[sentiment], chance.choice((1, 1, 2))),
            "key_phrases": phrases,
            "transcript": "\n".join(said),
            "summary": f"About {phrases[0]}: the customer said “{wishes[0].rstrip('.!')}”; {topic.result}.",
            "cost": round(0.01 + agent.price * seconds / 60, 4),
        }

    def _broken_off(self, agent: Agent) -> dict[str, Any]:
        chance = self._chance
        seconds = round(chance.expovariate(1 / 9))
        upset = chance.random() < 0.25
        return {
            "duration_seconds": seconds,
            "sentiment": "negative" if upset else None,
            "emotions": ["frustrated"] if upset else [],
            "cost": round(agent.price * seconds / 60, 4),
            "summary": "The call broke off before anything was said." if seconds < 5 else "The call was cut short.",
        }

    def _sentiment(self, topic: Topic, seconds: int) -> str:
        """Content people are brief; whoever stays long on the line often has a trouble."""
        mood = self._chance.gauss(topic.mood - (seconds - 130) / 500, 0.75)
        return "positive" if mood > 0.1 else "negative" if mood < -0.8 else "neutral"

    def _phrases(self, topic: Topic) -> list[str]:
        chance = self._chance
        weights = power_law(len(topic.phrases), 1.2)
        found = dict.fromkeys(chance.choices(topic.phrases, cum_weights=weights, k=chance.choice((1, 2, 2, 3, 4))))
        if chance.random() < 0.3:
            found[chance.choices(COMMON_PHRASES, cum_weights=power_law(len(COMMON_PHRASES), 1.0))[0]] = None
        return list(found)


def numbers_of(campaign: Campaign) -> list[str]:
    """The numbers that a campaign calls, none twice."""
    return _numbers(MARKETS[campaign.market], campaign.numbers, len(campaign.name))


def _numbers(market: Market, count: int, seed: int) -> list[str]:
    """So many different numbers, as far as the market has them, in an order of chance."""
    chance = random.Random(seed)  # noqa: S311  # it must repeat
    each, digits = 10**market.digits, market.digits
    chosen = chance.sample(range(len(market.prefixes) * each), min(count, len(market.prefixes) * each))
    return [f"{market.prefixes[number // each]}{number % each:0{digits}d}" for number in chosen]


def utc_now() -> datetime:
    """Now, to the minute, so that a demonstration within the same minute repeats exactly."""
    return datetime.now(UTC).replace(second=0, microsecond=0)
