"""What the tests of call logs share."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

_numbers = itertools.count(1)
NewCall = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def call() -> NewCall:
    """Make a call log that is accepted, with what is given in place of what it would have."""

    def make(**given: Any) -> dict[str, Any]:
        return {
            "external_id": f"CA{next(_numbers):08x}",
            "phone_number": "+1234567890",
            "status": "completed",
            "duration_seconds": 120,
            "sentiment": "positive",
            "emotions": ["satisfied", "relieved"],
            "key_phrases": ["billing", "resolution"],
            "transcript": "User: Hello... Agent: Hi...",
            "summary": "Customer called about billing issue...",
            "cost": 0.5,
            "created_at": "2024-01-29T10:30:00Z",
            **given,
        }

    return make
