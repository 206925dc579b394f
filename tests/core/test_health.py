"""Health, readiness and what stands beside them, over a real socket."""

from __future__ import annotations

from voicera.testing import Client


async def test_health_answers_as_the_reference_shows(anonymous: Client) -> None:
    answer = await anonymous.get("/health")
    assert answer.status == 200
    assert answer.json["success"] is True
    assert answer.data.keys() == {"status", "timestamp"}
    assert answer.data["status"] == "ok"
    assert "X-RateLimit-Limit" not in answer.headers


async def test_readiness_probes_database_storage_and_cache(anonymous: Client) -> None:
    answer = await anonymous.get("/readiness")
    assert (answer.status, answer.data) == (200, {"database": "ok", "storage": "ok", "cache": "ok"})
