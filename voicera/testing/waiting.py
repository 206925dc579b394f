"""Waiting for what must come true soon, without sleeping for luck."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from voicera.testing.patience import PATIENCE


async def eventually(condition: Any, *, seconds: float = PATIENCE) -> Any:
    """Call `condition` (plain or a coroutine function) until it is true, at most so long; return what it gave."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value or time.monotonic() > deadline:
            assert value, f"{condition} did not come true in {seconds} s"
            return value
        await asyncio.sleep(0.02)
