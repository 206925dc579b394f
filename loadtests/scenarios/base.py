"""What all users of the service have in common: whom they act for, how they wait, and what makes an answer wrong."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode

import gevent
import orjson
from locust import FastHttpUser

from loadtests.accounts import Owner, read
from loadtests.ledger import Ledger
from loadtests.traffic import Crowd, busyness, power_law

Check = Callable[[Any], None]
chance = random.Random()
ledger = Ledger()
UNANSWERED = 0
MORNING = 6 / 24


class Wrong(Exception):
    """An answer with a good status, whose content cannot be right."""


def expect(fact: bool, message: str) -> None:  # noqa: FBT001  # reads as an assertion
    """Raise Wrong where something does not hold."""
    if not fact:
        raise Wrong(message)


class World:
    """What the users of a process share: the accounts, and what time of the day it is."""

    def __init__(self) -> None:
        self.owners = read(Path(os.environ.get("LOADTEST_ACCOUNTS", "build/load-accounts.json")))
        self.weights = power_law(len(self.owners))
        self.crowds = {owner.email: Crowd(owner.email, owner.agents, owner.campaigns) for owner in self.owners}
        self.seconds = float(os.environ.get("LOADTEST_SECONDS") or 60)
        self.pace = float(os.environ.get("LOADTEST_PACE") or 1)
        self.hours = os.environ.get("LOADTEST_SCENARIO", "day") == "day"
        self.began = time.monotonic()

    def busy(self) -> float:
        """How busy it is now, 1.0 in the mean: in a day's mix, the test's time is one day from six o'clock on."""
        passed = MORNING + (time.monotonic() - self.began) / self.seconds
        return self.pace * (busyness(passed) if self.hours else 1.0)


world = World()


class Actor(FastHttpUser):
    """Acts for one owner; a few owners have most users."""

    abstract = True
    connection_timeout = 10.0
    network_timeout = 30.0
    machine: ClassVar[bool] = False
    late: ClassVar[float] = 5.0  # seconds within which they come: nobody does in the same instant as all others

    owner: Owner
    crowd: Crowd

    def on_start(self) -> None:
        """Find out who this is."""
        self.owner = chance.choices(world.owners, cum_weights=world.weights)[0]
        self.crowd = world.crowds[self.owner.email]
        self.authorization = {"Authorization": f"Bearer {self.owner.key if self.machine else self.owner.token}"}
        self.pause = 1.0
        gevent.sleep(chance.uniform(0, min(self.late, world.seconds / 4)))

    def wait_time(self) -> float:
        """Seconds until the next task, as the last one said."""
        return self.pause

    def think(self, least: float, most: float) -> None:
        """Let the next task come after so many seconds; sooner at busy hours."""
        self.pause = chance.uniform(least, most) / world.busy()

    @property
    def pushed(self) -> int:
        """How many calls of the owner this process knows to have been recorded during the test."""
        return ledger.created[self.owner.email]

    @property
    def known(self) -> int:
        """How many calls of the owner there are at least."""
        return self.owner.calls + self.pushed

    def get(self, path: str, name: str, parameters: Mapping[str, Any] | None = None, check: Check | None = None) -> Any:
        """GET what stands under `data`; None if the answer was not a good one."""
        query = urlencode({key: value for key, value in (parameters or {}).items() if value not in (None, "")})
        return self.send("GET", f"{path}?{query}" if query else path, name, check=check)

    def send(
        self,
        method: str,
        path: str,
        name: str,
        *,
        status: int = 200,
        check: Check | None = None,
        headers: Mapping[str, str] | None = None,
        **given: Any,
    ) -> Any:
        """Send a request; what stands under `data`, None (and a failure) if the answer was not the right one."""
        sent = {**self.authorization, **(headers or {})}
        with self.client.request(method, path, name=name, headers=sent, catch_response=True, **given) as answer:
            if answer.status_code != status:
                answer.failure(said(answer))
                return None
            if status == 204:
                answer.success()
                return {}
            try:
                data = orjson.loads(answer.content)["data"]
                if check is not None:
                    check(data)
            except Wrong as wrong:
                answer.failure(f"wrong content: {wrong}")
                return None
            except (KeyError, TypeError, ValueError) as error:
                answer.failure(f"not what it should look like: {type(error).__name__} {error}")
                return None
            answer.success()
            return data


def said(answer: Any) -> str:
    """What an answer that is not a good one said, without what differs from one to the next."""
    if answer.status_code == UNANSWERED:
        return f"no answer: {type(answer.error).__name__} {answer.error}"
    try:
        error = orjson.loads(answer.content)["error"]
        details = error["details"]
        return f"{answer.status_code} {error['code']} {error['message']}" + (f" ({details})" if details else "")
    except (KeyError, TypeError, ValueError):
        return f"{answer.status_code} instead of what was expected"
