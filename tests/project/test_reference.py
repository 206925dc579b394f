"""The examples of the API reference, sent as they stand there: the answers have the fields shown, of those types."""

from __future__ import annotations

import re
import struct
import time
from typing import Any

import pytest

from core.settings import Settings
from voicera.testing import Answer, Client, eventually, running_app, settings_for_tests

REGISTER = {"email": "user@example.com", "password": "SecurePass123!", "first_name": "John", "last_name": "Doe"}
REGISTERED = {
    "id": "user-uuid",
    "email": "user@example.com",
    "first_name": "John",
    "last_name": "Doe",
    "created_at": "2024-01-29T10:30:00Z",
}
LOGIN = {"email": "user@example.com", "password": "SecurePass123!"}
LOGGED_IN = {
    "token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...",
    "refresh_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...",
    "expires_in": 86400,
    "user": {"id": "user-uuid", "email": "user@example.com", "role": "user"},
}
ME = {**REGISTERED, "role": "user"}
REFRESHED = {"token": "new-jwt-token", "expires_in": 86400}
AGENT = {
    "name": "Support Agent",
    "description": "Handles customer support",
    "llm_provider": "openai",
    "llm_model": "gpt-4",
    "stt_provider": "deepgram",
    "tts_provider": "cartesia",
    "system_prompt": "You are a helpful support agent. Help customers with their issues.",
    "language": "en",
    "voice_parameters": {"voice_id": "english_male", "speed": 1.0, "tone": "professional"},
}
CREATED = {"id": "new-agent-uuid", "name": "Support Agent", "status": "active", "created_at": "2024-01-29T10:30:00Z"}
SHOWN = {
    "id": "agent-uuid",
    "user_id": "user-uuid",
    "name": "Support Agent",
    "description": "Handles customer support",
    "llm_provider": "openai",
    "llm_model": "gpt-4",
    "stt_provider": "deepgram",
    "tts_provider": "cartesia",
    "system_prompt": "You are a helpful support agent. Help customers with their issues.",
    "language": "en",
    "status": "active",
    "created_at": "2024-01-29T10:30:00Z",
}
LISTED = {
    "id": "agent-uuid",
    "name": "Support Agent",
    "description": "Handles customer support",
    "llm_provider": "openai",
    "llm_model": "gpt-4",
    "status": "active",
    "created_at": "2024-01-29T10:30:00Z",
}
UPDATE = {"name": "Updated Name", "system_prompt": "New system prompt here"}
UPDATED = {"id": "agent-uuid", "name": "Updated Name", "updated_at": "2024-01-29T10:35:00Z"}
CAMPAIGN = {
    "name": "Q2 Marketing Campaign",
    "phone_numbers": ["+1234567890", "+1234567891"],
    "start_time": "2024-04-01T00:00:00Z",
    "end_time": "2024-06-30T23:59:59Z",
    "max_concurrent_calls": 50,
}
CAMPAIGN_CREATED = {"id": "new-campaign-uuid", "status": "draft", "created_at": "2024-01-29T10:30:00Z"}
CAMPAIGN_LISTED = {
    "id": "campaign-uuid",
    "name": "Q2 Marketing Campaign",
    "agent_id": "agent-uuid",
    "status": "draft",
    "phone_numbers": ["+1234567890", "+1234567891"],
    "start_time": "2024-04-01T00:00:00Z",
    "end_time": "2024-06-30T23:59:59Z",
    "created_at": "2024-01-29T10:30:00Z",
}
LAUNCHED = {"id": "campaign-uuid", "status": "active", "launched_at": "2024-01-29T10:35:00Z"}
PAUSED = {"id": "campaign-uuid", "status": "paused", "paused_at": "2024-01-29T10:36:00Z"}
CALL = {
    "phone_number": "+1234567890",
    "status": "completed",
    "duration_seconds": 120,
    "transcript": "Full transcript here...",
    "summary": "Customer called about billing issue...",
    "sentiment": "positive",
    "emotions": ["satisfied", "relieved"],
    "key_phrases": ["billing", "resolution"],
    "cost": 0.50,
    "created_at": "2024-01-29T10:30:00Z",
}
CALL_LISTED = {
    "id": "call-uuid",
    "campaign_id": "campaign-uuid",
    "phone_number": "+1234567890",
    "status": "completed",
    "duration_seconds": 120,
    "sentiment": "positive",
    "emotions": ["satisfied", "relieved"],
    "transcript": "Full transcript here...",
    "created_at": "2024-01-29T10:30:00Z",
}
CALL_SHOWN = {**CALL, **CALL_LISTED}
RECORDING = {
    "call_id": "call-uuid",
    "duration_seconds": 120,
    "format": "wav",
    "size_bytes": 960_044,
    "transcript": "Full transcript here...",
    "metadata": {"agent_id": "agent-uuid", "campaign_id": "campaign-uuid", "phone_number": "+1234567890"},
}
STATISTICS = {
    "total_calls": 1250,
    "completed_calls": 1200,
    "failed_calls": 50,
    "average_duration": 180,
    "success_rate": 96.0,
    "cost_per_call": 0.45,
}
SENTIMENT = {
    "positive": 850,
    "neutral": 300,
    "negative": 100,
    "positive_percentage": 68.0,
    "neutral_percentage": 24.0,
    "negative_percentage": 8.0,
}
ZEROS = {"success_rate": 0.0, "cost_per_call": 0.0}
PHRASES = [
    {"phrase": "billing issue", "count": 234, "frequency": 18.7},
    {"phrase": "account access", "count": 156, "frequency": 12.5},
    {"phrase": "payment problem", "count": 145, "frequency": 11.6},
]
CODES = {
    "AUTH_001": (401, "Invalid credentials"),
    "AUTH_002": (401, "Token expired"),
    "AUTH_003": (401, "Token invalid"),
    "AUTH_004": (403, "Permission denied"),
    "AGENT_001": (404, "Agent not found"),
    "AGENT_002": (409, "Agent already exists"),
    "CAMPAIGN_001": (404, "Campaign not found"),
    "CAMPAIGN_002": (409, "Cannot launch campaign"),
    "CALL_001": (404, "Call log not found"),
    "SERVER_001": (500, "Internal server error"),
}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z")


def check(found: Any, shown: Any, where: str = "data") -> None:
    """At least the fields shown, of the types shown; ids and times by their form, other values as they are."""
    if isinstance(shown, dict):
        for name, value in shown.items():
            assert name in found, f"{where}.{name}"
            check(found[name], value, f"{where}.{name}")
    elif isinstance(shown, str) and shown.endswith("-uuid"):
        assert UUID.fullmatch(found), where
    elif isinstance(shown, str) and TIME.fullmatch(shown):
        assert TIME.fullmatch(found), where
    elif "token" in where:
        assert isinstance(found, str), where
    else:
        assert (type(found), found) == (type(shown), shown), where


def good(answer: Answer, status: int, shown: Any) -> Any:
    assert answer.status == status, answer.content
    assert answer.json.keys() == {"success", "data", "error", "timestamp"}
    assert answer.json["success"] is True
    assert answer.error is None
    assert TIME.fullmatch(answer.json["timestamp"])
    check(answer.data, shown)
    return answer.data


@pytest.fixture(scope="module")
async def client(stack: Settings) -> Any:
    """An application of its own, with the limits that the reference gives."""
    environ = settings_for_tests(stack, {"VOICERA_RATE_LIMIT_GENERAL": "100/minute"})
    async with running_app(environ, migrated=True) as app:
        yield app.client


async def test_every_example_of_authentication_agents_health_errors_and_limits_answers_as_written(
    client: Client,
) -> None:
    good(await client.post("/auth/register", REGISTER), 201, REGISTERED)
    session = good(await client.post("/auth/login", LOGIN), 200, LOGGED_IN)
    me = Client(client.url, client.session, session["token"])
    good(await me.get("/auth/me"), 200, ME)
    good(await client.post("/auth/refresh-token", token=session["refresh_token"]), 200, REFRESHED)

    agent = good(await me.post("/agents", AGENT), 201, CREATED)
    page = good(await me.get("/agents?skip=0&limit=10"), 200, {"total": 1, "skip": 0, "limit": 10})
    check(page["items"][0], LISTED)
    for query, total in (("search=SUPPORT", 1), ("search=sales", 0), ("status=active", 1), ("status=archived", 0)):
        good(await me.get(f"/agents?{query}"), 200, {"total": total})
    good(await me.get(f"/agents/{agent['id']}"), 200, SHOWN)
    good(await me.put(f"/agents/{agent['id']}", UPDATE), 200, UPDATED)
    deleted = await me.delete(f"/agents/{agent['id']}")
    assert (deleted.status, deleted.content) == (204, b"")
    assert (await me.get(f"/agents/{agent['id']}")).code == "AGENT_001"

    good(await client.get("/health"), 200, {"status": "ok", "timestamp": "2024-01-29T10:30:00Z"})
    good(await client.get("/readiness"), 200, {"database": "ok", "storage": "ok", "cache": "ok"})
    assert (await client.get("/readiness", headers={"Prefer": "envelope=none"})).json.keys() == {
        "database",
        "storage",
        "cache",
    }


async def test_every_example_of_campaigns_call_logs_and_recordings_answers_as_written(client: Client) -> None:
    me = await client.new_user()
    agent = (await me.post("/agents", AGENT)).data
    campaign = good(await me.post("/campaigns", {**CAMPAIGN, "agent_id": agent["id"]}), 201, CAMPAIGN_CREATED)
    path = f"/campaigns/{campaign['id']}"
    for query, total in ((f"agent_id={agent['id']}", 1), ("status=active", 0), ("skip=0&limit=20", 1)):
        page = good(await me.get(f"/campaigns?{query}"), 200, {"total": total})
    check(page["items"][0], CAMPAIGN_LISTED)
    late = await me.post(f"{path}/launch")  # its end has passed
    assert (late.status, late.code) == (409, "CAMPAIGN_002")
    await me.patch(path, {"end_time": "2999-06-30T23:59:59Z"})
    good(await me.post(f"{path}/launch"), 200, LAUNCHED)
    good(await me.post(f"{path}/pause"), 200, PAUSED)

    log = {**CALL, "campaign_id": campaign["id"], "agent_id": agent["id"]}
    call = good(await me.post("/call-logs", log), 201, CALL_SHOWN)
    for query, total in (
        (f"campaign_id={campaign['id']}", 1),
        ("status=failed", 0),
        ("phone_number=%2B1234567890", 1),
        ("start_date=2024-01-01&end_date=2024-01-31", 1),
        ("skip=0&limit=50", 1),
    ):
        page = good(await me.get(f"/call-logs?{query}"), 200, {"total": total})
    check(page["items"][0], CALL_LISTED)
    good(await me.get(f"/call-logs/{call['id']}"), 200, CALL_SHOWN)

    audio = wav(120)
    kind = {"Content-Type": "audio/wav"}
    put = await me.put(f"/call-recordings/{call['id']}", body=audio, headers=kind)
    assert put.status in (200, 201), put.content
    recording = good(await me.get(f"/call-recordings/{call['id']}"), 200, RECORDING)
    heard = await me.get(f"/call-recordings/{call['id']}/download")
    assert (heard.status, heard.headers["Content-Type"], heard.content) == (200, "audio/wav", audio)
    shown = (await me.get(f"/call-logs/{call['id']}")).data
    for url in (recording["download_url"], shown["recording_url"]):
        async with me.session.get(url) as unsigned:
            assert (unsigned.status, await unsigned.read()) == (200, audio)


async def test_every_example_of_analytics_answers_as_written(client: Client) -> None:
    """With calls of which the figures of the reference are true: of the owner, of the agent, and of the last days."""
    me = await client.new_user()
    agent = (await me.post("/agents", AGENT)).data["id"]
    campaign = (await me.post("/campaigns", {**CAMPAIGN, "agent_id": agent})).data["id"]
    feelings = [name for name in ("positive", "neutral", "negative") for _ in range(SENTIMENT[name])]
    logs = [
        {
            "phone_number": "+1234567890",
            "status": "completed" if number < STATISTICS["completed_calls"] else "failed",
            "duration_seconds": 170 + number % 2 * 20,
            "sentiment": feeling,
            "cost": 0.45,
            "key_phrases": [each["phrase"] for each in PHRASES if number < each["count"]],
            "agent_id": agent,
            "campaign_id": campaign,
        }
        for number, feeling in enumerate(feelings)
    ]
    assert (await me.post("/call-logs/batch", logs)).status == 201
    for query in ("", f"?agent_id={agent}", f"?campaign_id={campaign}", "?days=30"):
        assert good(await me.get(f"/analytics/calls{query}"), 200, STATISTICS).keys() == STATISTICS.keys()
    for query in ("", f"?agent_id={agent}&days=7"):
        assert good(await me.get(f"/analytics/sentiment{query}"), 200, SENTIMENT).keys() == SENTIMENT.keys()
    for query in ("", f"?agent_id={agent}&limit=20"):
        phrases = await me.get(f"/analytics/top-phrases{query}")
        assert (phrases.status, phrases.data) == (200, PHRASES)
    other = (await me.post("/agents", {**AGENT, "name": "Nobody's"})).data["id"]
    good(await me.get(f"/analytics/calls?agent_id={other}"), 200, {**dict.fromkeys(STATISTICS, 0), **ZEROS})
    assert (await me.get(f"/analytics/top-phrases?agent_id={other}")).data == []


def wav(seconds: int) -> bytes:
    """Silence of so long: mono, 8,000 samples a second, A-law, in the canonical header."""
    data = b"\xd5" * (8_000 * seconds)
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 6, 1, 8000, 8000, 1, 8, b"data", len(data)
    )
    return head + data


async def test_the_error_of_the_reference_has_its_shape(client: Client) -> None:
    answer = await client.post("/auth/login", {"email": "nobody@example.com", "password": "SecurePass123!"})
    assert answer.status == 401
    assert answer.json == {
        "success": False,
        "data": None,
        "error": {"code": "AUTH_001", "message": "Invalid credentials", "details": answer.error["details"]},
        "timestamp": answer.json["timestamp"],
    }


async def test_the_codes_of_the_reference_keep_their_meaning_and_status(client: Client) -> None:
    listed = {entry["code"]: (entry["status"], entry["message"]) for entry in (await client.get("/errors")).data}
    assert {code: listed.get(code) for code in CODES} == CODES


async def test_the_rate_limit_headers_are_those_of_the_reference(client: Client) -> None:
    async def left_after_two() -> bool:
        """Whether the second comes before the bucket has got the first one's unit back, which takes 0.6 s."""
        user, began = await client.new_user(), time.time()
        first, second = await user.get("/agents"), await user.get("/agents")
        assert (first.headers["X-RateLimit-Limit"], second.headers["X-RateLimit-Limit"]) == ("100", "100")
        assert first.headers["X-RateLimit-Remaining"] == "99"
        assert began - 1 <= int(first.headers["X-RateLimit-Reset"]) <= time.time() + 61
        return second.headers["X-RateLimit-Remaining"] == "98"

    await eventually(left_after_two)
