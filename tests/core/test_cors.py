"""OPTIONS, and requests from pages of other origins: off by default."""

from __future__ import annotations

from core.settings import Settings
from voicera.testing import Client, running_app, settings_for_tests

PREFLIGHT = {
    "Origin": "https://app.example.com",
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, x-evil",
}


async def test_options_says_what_is_allowed(anonymous: Client) -> None:
    answer = await anonymous.request("OPTIONS", "/agents")
    assert (answer.status, answer.content) == (204, b"")
    assert {"GET", "POST", "OPTIONS"} <= {name.strip() for name in answer.headers["Allow"].split(",")}


async def test_no_origin_is_allowed_by_default(anonymous: Client) -> None:
    for method in ("OPTIONS", "GET"):
        answer = await anonymous.request(method, "/version", headers=PREFLIGHT)
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


async def test_a_configured_origin_is_allowed_and_another_is_not(stack: Settings) -> None:
    environ = settings_for_tests(stack, {"VOICERA_CORS_ORIGINS": "https://app.example.com"})
    async with running_app(environ, migrated=True) as app:
        preflight = await app.client.request("OPTIONS", "/agents", headers=PREFLIGHT)
        good = await app.client.get("/version", headers={"Origin": "https://app.example.com"})
        failing = await app.client.get("/agents", headers={"Origin": "https://app.example.com"})
        other = await app.client.get("/version", headers={"Origin": "https://evil.example.com"})
    assert preflight.status == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert preflight.headers["Access-Control-Allow-Headers"] == "authorization"
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert good.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert failing.status == 401
    assert failing.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert "Access-Control-Allow-Origin" not in other.headers
    assert "Access-Control-Allow-Credentials" not in good.headers
