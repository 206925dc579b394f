"""What a rate limit is: so many units a period, written as `100/minute` or `10MB/minute`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
BYTES = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}
MOST = 10**15  # Lua counts in doubles
FORM = re.compile(r"(?P<amount>[1-9][0-9]{0,15})(?P<unit>|KB|MB|GB)/(?P<period>second|minute|hour|day)")


@dataclass(frozen=True, slots=True)
class Limit:
    """A token bucket's size: `amount` units, refilled evenly over `seconds`.

    The bucket starts full, so a client may spend `amount` at once and then
    `amount / seconds` units a second.
    """

    amount: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Limit:
        """Read `100/minute` or `10MB/minute`; raises ValueError for anything else."""
        match = FORM.fullmatch(text.strip())
        if match is None:
            raise ValueError("write a rate limit as 100/minute or 10MB/minute (second, minute, hour, day)")
        amount = int(match["amount"]) * BYTES[match["unit"]]
        if amount > MOST:
            raise ValueError("a rate limit is at most 1000000 GB (10^15 units) a period")
        return cls(amount, SECONDS[match["period"]])

    def __str__(self) -> str:
        period = next(name for name, seconds in SECONDS.items() if seconds == self.seconds)
        return f"{self.amount}/{period}"

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Let settings be typed as `Limit` and read from text."""
        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, cls) else cls.parse(str(value)),
            serialization=core_schema.to_string_ser_schema(),
        )
