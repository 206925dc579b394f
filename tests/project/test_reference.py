"""The examples of the API reference, sent as they stand there: the answers have the fields shown, of those types."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from core.settings import Settings
from voicera.testing import Answer, Client, running_app, settings_for_tests

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
CODES = {
    "AUTH_001": (401, "Invalid credentials"),
    "AUTH_002": (401, "Token expired"),
    "AUTH_003": (401, "Token invalid"),
    "AUTH_004": (403, "Permission denied"),
    "AGENT_001": (404, "Agent not found"),
    "AGENT_002": (409, "Agent already exists"),
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
    user = await client.new_user()
    first, second = await user.get("/agents"), await user.get("/agents")
    assert (first.headers["X-RateLimit-Limit"], second.headers["X-RateLimit-Limit"]) == ("100", "100")
    assert (first.headers["X-RateLimit-Remaining"], second.headers["X-RateLimit-Remaining"]) == ("99", "98")
    assert time.time() - 1 <= int(first.headers["X-RateLimit-Reset"]) <= time.time() + 61
