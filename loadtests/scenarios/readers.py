"""People and programs that read the lists: the newest calls, some calls, one call, or all of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import gevent
from locust import task

from loadtests.scenarios import checks
from loadtests.scenarios.base import Actor, chance, expect

LIMITS = (20, 50, 50, 50, 100)
STATUSES = {"completed": 6, "failed": 3, "no_answer": 3, "busy": 1, "in_progress": 2}
Wanted = dict[str, Any]


class Lists(Actor):
    """Who asks for lists of calls."""

    abstract = True

    def on_start(self) -> None:
        """Begin at the top."""
        super().on_start()
        self.items: list[Any] = []

    def ask(self, name: str, wanted: Wanted, **known: Any) -> Any:
        """Ask for a page of the call logs; what is known of it, `checks.calls` says."""
        page = self.get("/call-logs", name, wanted, partial(checks.calls, wanted=wanted, **known))
        if page and page["items"]:
            self.items = page["items"]
        return page

    def filters(self) -> Wanted:
        """One or two filters."""
        kinds: list[Callable[[], Wanted]] = [
            lambda: {"status": chance.choices(list(STATUSES), list(STATUSES.values()))[0]},
            lambda: {"agent_id": self.crowd.agent(chance)},
            lambda: {"campaign_id": (self.crowd.campaign(chance) or (None,))[0]},
            lambda: {"phone_number": self.crowd.number(chance)},
            lambda: {"sentiment": chance.choice(["positive", "neutral", "negative"])},
            lambda: {"min_duration": chance.choice([30, 60, 300, 900])},
            _dates,
        ]
        found: Wanted = {}
        for kind in chance.sample(kinds, k=chance.choice([1, 1, 1, 2])):
            found |= kind()
        return found


class Reader(Lists):
    """A person who looks at the lists."""

    @task(10)
    def newest(self) -> None:
        """Look at the newest calls."""
        self.ask("/call-logs (newest)", {"limit": chance.choice(LIMITS)}, least=self.known)
        self.think(0.5, 3)

    @task(8)
    def filtered(self) -> None:
        """Look at some calls."""
        self.ask("/call-logs (filtered)", {**self.filters(), "limit": chance.choice(LIMITS)})
        self.think(0.5, 3)

    @task(3)
    def by_skip(self) -> None:
        """Jump to a page anywhere, deep ones too."""
        known, limit = self.known, chance.choice(LIMITS)
        skip = int(chance.random() ** 2 * known)
        wanted = {"limit": limit, "skip": skip}
        self.ask("/call-logs (skip)", wanted, least=known, full=skip + limit <= known)
        self.think(0.5, 3)

    @task(6)
    def detail(self) -> None:
        """Look at a call."""
        if self.items:
            wanted = chance.choice(self.items)["id"]
            right = lambda data: expect(data["id"] == wanted, "another call")  # noqa: E731
            self.get(f"/call-logs/{wanted}", "/call-logs/{id}", check=right)
        self.think(1, 4)

    @task(3)
    def recordings(self) -> None:
        """Look at the recordings."""
        least = len(self.owner.recordings)
        found = self.get("/call-recordings", "/call-recordings", {"limit": 50}, partial(checks.listing, least=least))
        if found and found["items"]:
            wanted = chance.choice(found["items"])["call_id"]
            right = lambda data: expect(data["call_id"] == wanted, "another recording")  # noqa: E731
            self.get(f"/call-recordings/{wanted}", "/call-recordings/{id}", check=right)
        self.think(1, 4)

    @task(2)
    def by_external_id(self) -> None:
        """Look for a call by the id that the provider gave it."""
        known = [item for item in self.items if item["external_id"]]
        if known:
            item = chance.choice(known)
            wanted = {"external_id": item["external_id"], "limit": 50}
            right = lambda data: expect([each["id"] for each in data["items"]] == [item["id"]], "not that one call")  # noqa: E731
            self.get("/call-logs", "/call-logs (external_id)", wanted, right)
        self.think(0.5, 3)


class Walker(Lists):
    """A program that reads many pages in a row, by cursor."""

    @task
    def walk(self) -> None:
        """Read up to 25 pages, of all calls or of some."""
        wanted = {**(self.filters() if chance.random() < 0.5 else {}), "limit": chance.choice([100, 100, 200, 500])}
        page = self.ask("/call-logs (walk, first)", wanted)
        for _ in range(chance.randint(2, 24)):
            if not page or page["next_cursor"] is None:
                break
            gevent.sleep(chance.uniform(0.1, 0.5))
            following = {**wanted, "cursor": page["next_cursor"], "total": "false"}
            oldest = page["items"][-1]["id"]
            page = self.ask("/call-logs (walk, cursor)", following, before=oldest)
        self.think(1, 4)


def _dates() -> Wanted:
    last = datetime.now(UTC).date() - timedelta(days=chance.randint(0, 60))
    return {"start_date": (last - timedelta(days=chance.randint(0, 14))).isoformat(), "end_date": last.isoformat()}
