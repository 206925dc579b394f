"""Reading what somebody else wrote: a part that is missing, null or of another type is None, and never an error."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

MOST_TRANSCRIPT = 1 << 20
MOST_SUMMARY = 10_000
MOST_PHRASE = 200
MOST_PHRASES = 100
MOST_NAME = 100  # of ids and reasons in `metadata`, which is 16 KiB in all
MOST_URL = 1000
LONGEST_CALL = 31_536_000  # a year, in seconds
LARGEST_COST = 1_000_000
E164 = re.compile(r"\+[0-9]{7,15}")
SCHEME = re.compile(r"(?:sips?|tel):", re.IGNORECASE)
BETWEEN_DIGITS = re.compile(r"[ ().\u00a0-]+")
CALL_ID = re.compile(r"[!-~]{1,150}")
EARLIEST, LATEST = datetime(1971, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
SENTIMENTS = {"positive", "neutral", "negative"}


def at(value: Any, *path: str) -> Any:
    """What stands at a path through nested objects."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def first(*values: Any) -> Any:
    """The first that is not None."""
    return next((value for value in values if value is not None), None)


def text(value: Any, most: int = MOST_NAME) -> str | None:
    """A text, cut to `most` characters; None for an empty one."""
    return (value.strip()[:most] or None) if isinstance(value, str) else None


def number(value: Any, most: float = math.inf) -> float | None:
    """A number from 0 to `most`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= min(most, 1e18) else None  # NaN compares with nothing


def seconds(value: Any) -> int | None:
    """A duration in whole seconds."""
    found = number(value, LONGEST_CALL)
    return None if found is None else round(found)


def dollars(value: Any) -> float | None:
    """Money, exact to a millionth."""
    found = number(value, LARGEST_COST)
    return None if found is None else round(found, 6)


def moment(value: Any) -> datetime | None:
    """A time, given as RFC 3339 text (UTC, where no zone is named) or in milliseconds since 1970."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        elif (milliseconds := number(value)) is not None:
            found = datetime.fromtimestamp(milliseconds / 1000, UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return found if EARLIEST <= found <= LATEST else None


def between(start: datetime | None, end: datetime | None) -> float | None:
    """The seconds from one time to another."""
    return None if start is None or end is None else (end - start).total_seconds()


def phone_number(value: Any) -> str | None:
    """A phone number in the form of E.164, also where it is written with spaces or stands in a SIP or tel address.

    One without its country code (no `+`) is None: nobody can tell which country's it is.
    """
    user = re.split("[@;]", SCHEME.sub("", text(value) or "", count=1))[0]
    found = BETWEEN_DIGITS.sub("", user)
    return found if E164.fullmatch(found) else None


def party(*addresses: Any) -> tuple[str | None, str | None]:
    """The phone number that one of the addresses is; where none is one, None and the first of them as it was sent."""
    found = first(*map(phone_number, addresses))
    return found, None if found else first(*map(text, addresses))


def external_id(provider: str, value: Any) -> str | None:
    """A call's id as ours, `vapi:…`. One that is cut might be another call's, so it is whole or None."""
    return f"{provider}:{value}" if isinstance(value, str) and CALL_ID.fullmatch(value) else None


def sentiment(value: Any) -> str | None:
    """One of our three, however it is capitalized."""
    found = (text(value) or "").lower()
    return found if found in SENTIMENTS else None


def phrases(value: Any) -> list[str]:
    """Key phrases, given as a list of texts or as one text with commas."""
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    return [found for part in parts if (found := text(part, MOST_PHRASE))][:MOST_PHRASES]


def turns(value: Any, name: str, speakers: Mapping[str, str]) -> str | None:
    """A transcript made of a list of turns: who speaks stands under `role`, what is said under `name`."""
    lines = [
        f"{speaker}: {said}"
        for turn in (value if isinstance(value, list) else [])
        if (speaker := speakers.get(text(at(turn, "role")) or "")) and (said := text(at(turn, name), MOST_TRANSCRIPT))
    ]
    return text("\n".join(lines), MOST_TRANSCRIPT)


def url(value: Any) -> str | None:
    """An address; None for one that is too long, since half of one is of no use."""
    return value if isinstance(value, str) and re.fullmatch(rf"https?://[!-~]{{1,{MOST_URL}}}", value) else None


def metadata(**values: Any) -> dict[str, Any]:
    """Those of the values that are there: texts are cut, numbers and truths stay, what else it is falls away."""
    kept = {name: value if name.endswith("_url") else _short(value) for name, value in values.items()}
    return {name: value for name, value in kept.items() if value is not None}


def _short(value: Any) -> str | float | bool | None:
    if isinstance(value, bool):
        return value
    found = number(value)
    return text(value) if found is None else int(found) if found.is_integer() else found
