"""Writes `calls.ndjson`: 1,000 believable calls of a fortnight, skewed over hours, numbers and phrases as in life.

Run it as `python examples/make_calls.py > examples/calls.ndjson`; it writes the same file each time.
"""

from __future__ import annotations

import json
import random
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

CALLS = 1_000
FIRST_DAY = datetime(2026, 10, 5, tzinfo=UTC)  # a Monday
DAYS = 14
HOURS = [0, 0, 0, 0, 0, 0, 1, 3, 9, 14, 15, 12, 8, 10, 13, 14, 12, 9, 6, 4, 2, 1, 0, 0]
STATUSES = {"completed": 74, "no_answer": 12, "busy": 5, "failed": 5, "cancelled": 3, "in_progress": 1}
SENTIMENTS = {"positive": 52, "neutral": 33, "negative": 15}
EMOTIONS = {
    "positive": ["satisfied", "relieved", "grateful"],
    "neutral": ["calm", "curious"],
    "negative": ["frustrated", "angry", "confused"],
}
# Topic: weight, key phrases, what the caller says, what the agent does.
TOPICS: list[tuple[int, list[str], str, str]] = [
    (30, ["billing issue", "invoice"], "I was charged twice this month", "refunded the second charge"),
    (18, ["account access", "password reset"], "I cannot get into my account", "sent a link to reset the password"),
    (14, ["delivery delay", "tracking number"], "my parcel is three days late", "given the new delivery date"),
    (11, ["payment problem", "card declined"], "my card was declined", "taken the payment with another card"),
    (9, ["plan upgrade", "pricing"], "I would like the bigger plan", "moved the account to the bigger plan"),
    (7, ["cancel subscription"], "I want to cancel", "kept the account with one month free"),
    (6, ["opening hours"], "are you open on Sunday", "given the opening hours"),
    (
        3,
        ["technical support", "router restart"],
        "the internet is down again",
        "walked through a restart of the router",
    ),
    (2, ["data privacy", "delete my data"], "please delete my data", "opened a request for deletion"),
]


def main() -> None:
    """Write the calls to standard output, one JSON object a line."""
    chance = random.Random(1234)
    numbers = [f"+1{chance.randint(201, 989)}55501{chance.randint(0, 99):02d}" for _ in range(400)]
    calls = sorted((one_call(chance, numbers) for _ in range(CALLS)), key=lambda call: str(call["created_at"]))
    for place, call in enumerate(calls, 1):
        sys.stdout.write(json.dumps({"external_id": f"example-{place:04d}", **call}, ensure_ascii=False) + "\n")


def one_call(chance: random.Random, numbers: list[str]) -> dict[str, Any]:
    """One call; a few numbers call often, office hours are busy, Sundays are quiet."""
    status = pick(chance, STATUSES)
    call: dict[str, Any] = {
        "phone_number": numbers[min(int(chance.expovariate(1 / 60)), len(numbers) - 1)],
        "status": status,
        "direction": "inbound" if chance.random() < 0.35 else "outbound",
        "created_at": moment(chance).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return call | (conversation(chance) if status == "completed" else {"duration_seconds": 0, "cost": 0.0})


def conversation(chance: random.Random) -> dict[str, Any]:
    """What a completed call leaves: length, cost, mood, phrases, a transcript and a summary."""
    _, phrases, complaint, remedy = chance.choices(TOPICS, [topic[0] for topic in TOPICS])[0]
    sentiment = pick(chance, SENTIMENTS)
    seconds = min(1800, max(9, int(chance.lognormvariate(4.9, 0.7))))
    ending = {"positive": "Great, thank you!", "neutral": "All right.", "negative": "This should not happen again."}
    transcript = (
        f"Agent: Hello, how can I help you? User: Hi, {complaint}. "
        f"Agent: I am sorry to hear that. I have {remedy}. User: {ending[sentiment]}"
    )
    return {
        "duration_seconds": seconds,
        "sentiment": sentiment,
        "emotions": chance.sample(EMOTIONS[sentiment], k=chance.randint(1, 2)),
        "key_phrases": phrases[: chance.randint(1, len(phrases))],
        "transcript": transcript,
        "summary": f"The caller said: {complaint}. The agent has {remedy}.",
        "cost": round(0.02 + seconds * 0.0021, 4),
        "metadata": {"carrier": chance.choice(["twilio", "telnyx", "vonage"]), "turns": chance.randint(4, 40)},
    }


def moment(chance: random.Random) -> datetime:
    """When a call begins."""
    while True:
        day = FIRST_DAY + timedelta(days=chance.randrange(DAYS))
        if day.weekday() < 5 or chance.random() < 0.25:
            hour = chance.choices(range(24), HOURS)[0]
            return day + timedelta(hours=hour, seconds=chance.randrange(3600))


def pick(chance: random.Random, weights: dict[str, int]) -> str:
    """Choose a key by its weight."""
    return chance.choices(list(weights), list(weights.values()))[0]


if __name__ == "__main__":
    main()
