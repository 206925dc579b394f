"""Who calls whom: agents, campaigns and markets, in the order of how much they have to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Market:
    """Where people are called: hours ahead of UTC, and numbers that are kept for fiction there.

    Each of the `prefixes` is followed by so many `digits`.
    """

    name: str
    hours: float
    prefixes: tuple[str, ...]
    digits: int


@dataclass(frozen=True, slots=True)
class Agent:
    """A voice agent; `price` is money a minute, `topics` what people who call it talk about."""

    name: str
    description: str
    provider: str
    model: str
    voice: str
    language: str
    price: float
    topics: tuple[str, ...]

    @property
    def first_name(self) -> str:
        """How the agent calls itself."""
        return self.name.partition(" (")[0]


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign; `state` is what becomes of it after it was made. A draft has not called anybody yet."""

    name: str
    agent: str
    topic: str
    market: str
    numbers: int
    state: str


EASTERN = (201, 202, 203, 212, 215, 267, 301, 305, 315, 347, 404, 407, 410, 412, 508, 516, 607, 617, 718, 781, 813, 904)
WESTERN = (206, 213, 253, 310, 323, 360, 408, 415, 425, 503, 509, 510, 530, 562, 619, 626, 650, 707, 714, 805)
MARKETS = {
    market.name: market
    for market in (
        Market("US East", -5, tuple(f"+1{area}55501" for area in EASTERN), 2),
        Market("US West", -8, tuple(f"+1{area}55501" for area in WESTERN), 2),
        Market("UK", 0, ("+442079460", "+441614960"), 3),
        Market("Germany", 1, ("+493023125", "+496990009"), 3),
        Market("France", 1, ("+3319900", "+3326191"), 4),
        Market("Australia", 10, ("+6125550", "+6135550"), 4),
    )
}
AGENTS = (
    Agent(
        "Aria (Billing)",
        "Explains invoices and takes payments",
        "openai",
        "gpt-4o",
        "english_female",
        "en-US",
        0.14,
        ("billing", "renewal", "outage"),
    ),
    Agent(
        "Milo (Retention)",
        "Renews contracts",
        "anthropic",
        "claude-sonnet-4",
        "english_male",
        "en-US",
        0.17,
        ("renewal", "billing"),
    ),
    Agent(
        "Clara (Appointments)",
        "Confirms and moves appointments",
        "openai",
        "gpt-4o-mini",
        "english_soft",
        "en-GB",
        0.07,
        ("appointment",),
    ),
    Agent(
        "Otto (Delivery)",
        "Knows where every parcel is",
        "openai",
        "gpt-4o-mini",
        "german_male",
        "en-GB",
        0.06,
        ("delivery",),
    ),
    Agent(
        "Front Desk",
        "Answers whoever calls, and passes them on",
        "groq",
        "llama-3.3-70b",
        "english_neutral",
        "en-US",
        0.05,
        ("billing", "delivery", "onboarding", "appointment", "outage"),
    ),
    Agent(
        "Nova (Onboarding)",
        "Helps new customers with their first steps",
        "anthropic",
        "claude-haiku-4",
        "english_bright",
        "en-US",
        0.09,
        ("onboarding",),
    ),
    Agent(
        "Sol (Surveys)",
        "Asks three short questions",
        "groq",
        "llama-3.3-70b",
        "english_warm",
        "en-AU",
        0.04,
        ("survey",),
    ),
)
CAMPAIGNS = (
    Campaign("Invoice reminders", "Aria (Billing)", "billing", "US East", 2_200, "active"),
    Campaign("Annual renewals", "Milo (Retention)", "renewal", "US West", 1_500, "active"),
    Campaign("Appointment confirmations", "Clara (Appointments)", "appointment", "UK", 900, "active"),
    Campaign("Parcel notices", "Otto (Delivery)", "delivery", "Germany", 700, "paused"),
    Campaign("Welcome calls", "Nova (Onboarding)", "onboarding", "France", 400, "active"),
    Campaign("Spring survey", "Sol (Surveys)", "survey", "Australia", 300, "draft"),
)
