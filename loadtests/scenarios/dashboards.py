"""People who have the dashboard open, and screens on walls that show a few figures.

What a dashboard asks for, how often, and with which parameters, is what the page of the analytics plugin does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from gevent.pool import Pool
from locust import task

from loadtests.scenarios import checks
from loadtests.scenarios.base import Actor, chance, expect, said, world

EVERY = 15.0  # seconds from one refresh of the page to the next
NAMES_EVERY = 300.0  # seconds for which the page remembers the names of agents and campaigns
CONNECTIONS = 6  # that a browser opens to one host
PAGE = 25
EVER = 3650
RANGES = {"30": 40, "7": 20, "1": 16, "all": 10, "90": 5, "dates": 9}
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "America/Los_Angeles", "Australia/Sydney")
STATUSES = ("completed", "failed", "no_answer", "busy")
Filters = dict[str, Any]


class Figures(Actor):
    """Who asks for figures: of everything, or of an agent, a campaign, a range of time."""

    abstract = True

    def on_start(self) -> None:
        """Choose what to look at."""
        super().on_start()
        self.zone = chance.choice(ZONES)
        self.choose(days="30")

    def choose(self, days: str | None = None) -> None:
        """Choose other filters."""
        self.days = days or chance.choices(list(RANGES), list(RANGES.values()))[0]
        self.filters: Filters = {}
        kind = chance.random()
        if days is None and kind < 0.2:
            self.filters["agent_id"] = self.crowd.agent(chance)
        elif days is None and kind < 0.4 and (campaign := self.crowd.campaign(chance)):
            self.filters["campaign_id"] = campaign[0]
        self.range: Filters = (
            {} if self.days == "all" else {"days": int(self.days)} if self.days != "dates" else _dates()
        )

    @property
    def asked(self) -> Filters:
        """The parameters of `/analytics/…`."""
        return {**self.filters, **self.range}

    def least(self) -> int:
        """How many calls must be counted at least: those of the test are of the last minutes."""
        if self.filters or self.days == "dates":
            return 0
        return self.known if self.days == "all" else self.pushed

    def statistics(self) -> Any:
        """Ask for the figures at the top of the page."""
        least = self.least()
        return self.get("/analytics/calls", "/analytics/calls", self.asked, lambda data: checks.statistics(data, least))

    def series(self) -> Any:
        """Ask for calls over time: by the hour where few days are looked at, else by the day."""
        least = self.least()
        if self.days == "1":
            path, kind, given = "/analytics/hourly-calls", "hour", self.asked
        else:
            path, kind, given = "/analytics/daily-calls", "date", {**self.asked, "timezone": self.zone}
            if self.days == "all":
                given["days"] = EVER
        return self.get(path, path, given, lambda data: checks.series(data, kind, least))


class Dashboard(Figures):
    """A person with the page open: it refreshes itself; now and then they choose, open a call, read on."""

    late = EVERY

    def on_start(self) -> None:
        """Open the page."""
        super().on_start()
        self.names_until = 0.0
        self.status: str | None = None
        self.page: Any = None

    @task
    def look(self) -> None:
        """Do what comes next."""
        kind = chance.random()
        if self.page is None or kind < 0.6:
            # A page that nobody sees asks for nothing, and at quiet hours fewer are seen.
            if chance.random() < min(1.0, world.busy()):
                self.refresh()
            self.pause = EVERY
            return
        if kind < 0.78:
            self.choose()
            self.status = chance.choice(STATUSES) if chance.random() < 0.2 else None
            self.refresh()
        elif kind < 0.92:
            self.open_call()
        else:
            self.read_on()
        self.think(2, 8)

    def refresh(self) -> None:
        """Ask for everything that the page shows, as a browser does: at once, over a few connections."""
        pool = Pool(CONNECTIONS)
        if time.monotonic() > self.names_until:
            for path in ("/agents", "/campaigns"):
                pool.spawn(self.get, path, f"{path} (names)", {"limit": 200}, checks.listing)
            pool.join()
            self.names_until = time.monotonic() + NAMES_EVERY
        words = (("top-phrases", 10), ("emotions", 5))
        groups = ("agent-performance", "campaign-stats")
        pool.spawn(self.statistics)
        pool.spawn(self._part, "sentiment", {}, checks.sentiment)
        for name, limit in words:
            pool.spawn(self._part, name, {"limit": limit}, partial(checks.words, limit=limit))
        pool.spawn(self.series)
        for name in groups:
            pool.spawn(self._part, name, {"limit": 10}, partial(checks.groups, limit=10))
        pool.spawn(self.list_calls)
        pool.join()

    def list_calls(self) -> None:
        """Ask for the first page of the calls that the figures are about."""
        least = 0 if self.status else self.least()
        wanted = self._wanted()
        check = partial(checks.calls, wanted=wanted, least=least)
        found = self.get("/call-logs", "/call-logs (dashboard)", wanted, check)
        if found:
            self.page = {**found, "start": wanted.get("start_date")}

    def open_call(self) -> None:
        """Open a call: the log, and what is known of its recording."""
        if not self.page["items"]:
            return
        wanted = chance.choice(self.page["items"])["id"]
        right = lambda data: expect(data["id"] == wanted, "another call")  # noqa: E731
        call = self.get(f"/call-logs/{wanted}", "/call-logs/{id}", check=right)
        if call and call["recording_url"]:
            self.get(f"/call-recordings/{wanted}", "/call-recordings/{id}")

    def read_on(self) -> None:
        """Show more calls."""
        cursor = self.page["next_cursor"]
        if cursor is None:
            return
        wanted = {**self._wanted(self.page["start"]), "cursor": cursor, "total": "false"}
        check = partial(checks.calls, wanted=wanted, before=self.page["items"][-1]["id"])
        found = self.get("/call-logs", "/call-logs (dashboard, more)", wanted, check)
        if found and found["items"]:
            self.page = {**found, "start": self.page["start"]}

    def _part(self, name: str, more: Filters, check: Callable[[Any], None]) -> None:
        self.get(f"/analytics/{name}", f"/analytics/{name}", {**self.asked, **more}, check)

    def _wanted(self, start: str | None = None) -> Filters:
        """The parameters of `/call-logs`, which counts no days: the same range, from the same full hour on."""
        given = dict(self.asked)
        if days := given.pop("days", None):
            hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
            given["start_date"] = start or _written(hour - timedelta(days=days))
        return {**given, "status": self.status, "limit": PAGE}


class Wallboard(Figures):
    """A screen that shows a few figures through the API and asks for them every few seconds; some save an export."""

    def on_start(self) -> None:
        """Choose for good what the screen shows."""
        super().on_start()
        self.choose()

    @task(40)
    def figures(self) -> None:
        """Show how many calls there were, and when."""
        self.statistics()
        self.series()
        self.think(3, 6)

    @task(1)
    def export(self) -> None:
        """Save the figures by day as CSV."""
        given = {**self.asked, "format": "csv", "by": chance.choice(["agent", "campaign", None])}
        query = "&".join(f"{name}={value}" for name, value in given.items() if value is not None)
        path = f"/analytics/export?{query}"
        with self.client.get(path, name="/analytics/export", headers=self.authorization, catch_response=True) as answer:
            if answer.status_code != 200:
                answer.failure(said(answer))
            elif not answer.content.startswith(b"day,"):
                answer.failure("wrong content: an export without a heading")
        self.think(3, 6)


def _dates() -> Filters:
    last = datetime.now(UTC).date() - timedelta(days=chance.randint(0, 20))
    first = last - timedelta(days=chance.randint(0, 40))
    if chance.random() < 0.5:
        return {"start_date": first.isoformat(), "end_date": last.isoformat()}
    begin = datetime(first.year, first.month, first.day, tzinfo=UTC) + timedelta(minutes=30 * chance.randint(-22, 26))
    return {"start_date": _written(begin), "end_date": _written(begin + timedelta(days=(last - first).days, hours=24))}


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
