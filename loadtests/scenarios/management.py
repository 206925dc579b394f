"""People who manage: they log in, and make, change and delete agents and campaigns."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from locust import task

from loadtests.scenarios import checks
from loadtests.scenarios.base import Actor, chance, expect

LOGINS = float(os.environ.get("LOADTEST_LOGINS") or 6)  # a minute and process: addresses have a limit
MODELS = {"llm_provider": "openai", "llm_model": "gpt-4", "stt_provider": "deepgram", "tts_provider": "cartesia"}


class Turnstile:
    """Lets so many in a minute."""

    def __init__(self, minutely: float) -> None:
        self._seconds = 60 / minutely if minutely > 0 else float("inf")
        self._next = time.monotonic() if minutely > 0 else float("inf")

    def passes(self) -> bool:
        """Whether one may go in now."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = max(now, self._next) + self._seconds
        return True


turnstile = Turnstile(LOGINS)


class Manager(Actor):
    """A person who sets things up."""

    @task(3)
    def list_agents(self) -> None:
        """Look at the agents, or search for one."""
        given = {"search": "agent"} if chance.random() < 0.4 else {"limit": 50}
        self.get("/agents", "/agents", given, checks.listing)
        self.think(1, 5)

    @task(3)
    def list_campaigns(self) -> None:
        """Look at the campaigns, and at one of them."""
        given = {"status": chance.choice(["draft", "active", "completed"])} if chance.random() < 0.4 else {}
        self.get("/campaigns", "/campaigns", given, checks.listing)
        if campaign := self.crowd.campaign(chance):
            self.get(f"/campaigns/{campaign[0]}", "/campaigns/{id}")
        self.think(1, 5)

    @task(1)
    def try_agent(self) -> None:
        """Make an agent, change it, and delete it."""
        name = f"Agent {chance.getrandbits(64):016x}"
        made = self.send("POST", "/agents", "/agents (create)", status=201, json={"name": name, **MODELS})
        if made:
            path, change = f"/agents/{made['id']}", {"system_prompt": "Be brief and friendly."}
            self._change("PATCH", path, "/agents/{id} (change)", change)
            self.send("DELETE", path, "/agents/{id} (delete)", status=204)
        self.think(2, 6)

    @task(1)
    def run_campaign(self) -> None:
        """Make a campaign, launch, pause and stop it, and delete it."""
        agent = self.crowd.agent(chance)
        if agent is None:
            return
        numbers = list({self.crowd.number(chance) for _ in range(50)})
        end = (datetime.now(UTC) + timedelta(days=7)).isoformat(timespec="seconds")
        new = {"name": f"Campaign {chance.getrandbits(64):016x}", "agent_id": agent, "phone_numbers": numbers}
        made = self.send("POST", "/campaigns", "/campaigns (create)", status=201, json={**new, "end_time": end})
        if made:
            path = f"/campaigns/{made['id']}"
            self._change("PATCH", path, "/campaigns/{id} (change)", {"max_concurrent_calls": 20})
            for move, status in (("launch", "active"), ("pause", "paused"), ("stop", "cancelled")):
                right = partial(_is, name="status", value=status)
                self.send("POST", f"{path}/{move}", f"/campaigns/{{id}}/{move}", check=right)
            self.send("DELETE", path, "/campaigns/{id} (delete)", status=204)
        self.think(2, 8)

    @task(2)
    def log_in(self) -> None:
        """Log in, look who that is, and log out; no more of all users together than the limit of an address lets in."""
        self.think(2, 6)
        if not self.owner.password or not turnstile.passes():
            return
        who = {"email": self.owner.email, "password": self.owner.password}
        session = self.send("POST", "/auth/login", "/auth/login", json=who)
        if session:
            token = {"Authorization": f"Bearer {session['token']}"}
            right = partial(_is, name="email", value=self.owner.email)
            self.send("GET", "/auth/me", "/auth/me", headers=token, check=right)
            self.send("POST", "/auth/logout", "/auth/logout", status=204, headers=token)

    def _change(self, method: str, path: str, name: str, change: dict[str, Any]) -> None:
        def check(data: Any) -> None:
            expect(all(data[key] == value for key, value in change.items()), "the change is not in the answer")

        self.send(method, path, name, json=change, check=check)


def _is(data: Any, *, name: str, value: Any) -> None:
    expect(data[name] == value, f"another {name}")
