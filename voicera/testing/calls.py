"""Call logs for tests, made in one line."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from voicera.testing.http import Client

_numbers = itertools.count(1)


def a_call(**fields: Any) -> dict[str, Any]:
    """A call log as `POST /call-logs` takes it: a completed call of two minutes, with `fields` in place of its own.

    Each has an `external_id` of its own. Begun now, unless you give `created_at`.
    """
    return {
        "external_id": f"test-{secrets.token_hex(4)}-{next(_numbers)}",
        "phone_number": "+1234567890",
        "status": "completed",
        "direction": "outbound",
        "duration_seconds": 120,
        "sentiment": "positive",
        "emotions": ["satisfied"],
        "key_phrases": ["billing"],
        "transcript": "Agent: Hello. Caller: Hi.",
        "summary": "A call about billing.",
        "cost": 0.5,
        **fields,
    }


async def make_calls(
    client: Client, calls: int | Sequence[Mapping[str, Any]] = 1, **fields: Any
) -> list[dict[str, Any]]:
    """Send call logs as one batch, and return them as they are recorded, whole, in the order sent: the newest last.

    `calls` is how many, or a list of the fields in which they differ; `fields` all of them share.
    """
    differing: Sequence[Mapping[str, Any]] = [{}] * calls if isinstance(calls, int) else calls
    logs = [a_call(**{**fields, **own}) for own in differing]
    sent = await client.post("/call-logs/batch", logs)
    assert sent.status == 201, sent.content
    answer = await client.get("/call-logs/export")
    assert answer.status == 200, answer.content
    recorded = {log["external_id"]: log for log in map(orjson.loads, answer.content.splitlines())}
    return [recorded[log["external_id"]] for log in logs]
