"""What users of the service do all day: voice servers push calls in, people look at lists and agents.

Run it by `make load`, or against a deployment: `locust -f loadtests/locustfile.py --host https://api.example.com`,
with VOICERA_LOAD_EMAIL and VOICERA_LOAD_PASSWORD of a user there.
"""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime
from typing import Any

from locust import FastHttpUser, between, task

CREDENTIALS = {
    "email": os.environ.get("VOICERA_LOAD_EMAIL", "load@example.com"),
    "password": os.environ.get("VOICERA_LOAD_PASSWORD", "Correct-Horse-7"),
}
STATUSES = ["completed"] * 15 + ["no_answer"] * 3 + ["busy", "failed"]
BATCH = 50
chance = random.Random()


class Caller(FastHttpUser):
    """Logs in once, and sends its token with every request."""

    abstract = True
    wait_time = between(0.05, 0.5)

    def on_start(self) -> None:
        """Log in."""
        with self.rest("POST", "/auth/login", json=CREDENTIALS) as answer:
            self.authorization = {"Authorization": f"Bearer {answer.js['data']['token']}"}

    def get(self, path: str, name: str) -> None:
        """Send a GET; an error answer counts as a failure."""
        self.client.get(path, headers=self.authorization, name=name)


class VoiceServer(Caller):
    """Pushes in the calls that it made."""

    weight = 1

    @task
    def push(self) -> None:
        """Send a batch."""
        self.client.post(
            "/call-logs/batch", json=[call() for _ in range(BATCH)], headers=self.authorization, name="push 50 calls"
        )


class Dashboard(Caller):
    """Looks at calls and agents."""

    weight = 4

    @task(5)
    def newest(self) -> None:
        """Look at the newest calls."""
        self.get("/call-logs?limit=50", "newest calls")

    @task(2)
    def completed(self) -> None:
        """Look at those that ended well."""
        self.get("/call-logs?status=completed&limit=50", "completed calls")

    @task(3)
    def agents(self) -> None:
        """Look at the agents."""
        self.get("/agents", "agents")


def call() -> dict[str, Any]:
    """A call that ended just now."""
    status = chance.choice(STATUSES)
    return {
        "external_id": f"load-{chance.getrandbits(96):024x}",
        "phone_number": f"+1{chance.randint(201, 989)}55501{chance.randint(0, 99):02d}",
        "status": status,
        "duration_seconds": int(chance.expovariate(1 / 150)) if status == "completed" else 0,
        "sentiment": chance.choice(["positive", "neutral", "negative"]) if status == "completed" else None,
        "key_phrases": ["billing issue"] if chance.random() < 0.3 else [],
        "transcript": "Agent: Hello, how can I help you? " * 8,
        "cost": round(chance.random(), 4),
        "created_at": datetime.now(UTC).isoformat(),
    }
