"""Examples for the OpenAPI document."""

from __future__ import annotations

EXAMPLE_ID = "018d5480-6ec0-7b7e-9f3a-2b1c0d9e8f70"
EXAMPLE_CALL = {
    "phone_number": "+1234567890",
    "status": "completed",
    "external_id": "CA5d1f0e3c",
    "direction": "outbound",
    "duration_seconds": 120,
    "sentiment": "positive",
    "emotions": ["satisfied", "relieved"],
    "key_phrases": ["billing", "resolution"],
    "transcript": "User: Hello... Agent: Hi...",
    "summary": "Customer called about billing issue...",
    "cost": 0.50,
    "created_at": "2024-01-29T10:30:00Z",
}
EXAMPLE_DETAIL = {
    **EXAMPLE_CALL,
    "id": EXAMPLE_ID,
    "campaign_id": None,
    "agent_id": None,
    "recording_url": None,
    "metadata": None,
    "created_at": "2024-01-29T10:30:00.000Z",
    "updated_at": "2024-01-29T10:32:00.000Z",
}
EXAMPLE_ITEM = {
    name: value
    for name, value in EXAMPLE_DETAIL.items()
    if name not in ("summary", "key_phrases", "recording_url", "metadata", "updated_at")
}
EXAMPLE_PAGE = {"total": 1, "skip": 0, "limit": 50, "items": [EXAMPLE_ITEM], "next_cursor": None}
EXAMPLE_REPORT = {"received": 1, "created": 1, "duplicates": 0, "rejected": 0, "errors": []}
EXAMPLE_MESSAGE = {"type": "call_ended", "call": {"id": "CA5d1f0e3c", "to": "+1234567890", "seconds": 120}}
EXAMPLE_CHANGE = {"status": "completed", "duration_seconds": 120, "sentiment": "positive"}
