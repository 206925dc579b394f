"""The dashboard, used in headless Chromium as people use it.

Chromium is looked for in VOICERA_TEST_CHROMIUM, then on the PATH; without it these tests are skipped.
VOICERA_SCREENSHOTS=docs/images makes the pictures of docs/dashboard.md anew.
"""

from __future__ import annotations

import io
import math
import os
import random
import re
import shutil
import struct
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from core.settings import Settings
from plugins.analytics import dashboard
from plugins.analytics.dashboard import CSP, FILES
from voicera.testing import PASSWORD, Client, Running, eventually, running_app, settings_for_tests

playwright_api = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
expect = playwright_api.expect
expect.set_options(timeout=30_000)  # a machine may stall for seconds

CHROMIUM = os.environ.get("VOICERA_TEST_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))), None
)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on the PATH, and VOICERA_TEST_CHROMIUM names none"
)
SCREENSHOTS = os.environ.get("VOICERA_SCREENSHOTS")
EVIL = '<img src=x onerror="window.hacked=1">'
TRANSCRIPT = "Agent: Good morning.\nCaller: I have a question about {}.\nAgent: Let me see."
CALLS = 400
PHRASES = [
    *("billing issue", "refund", "delivery date", "account access", "payment problem", "opening hours"),
    *("cancel contract", "new address", "thank you"),
]
WEIGHTS = [1 / number for number in range(1, 11)]  # as words are: a few are in most calls
EMOTIONS = ["satisfied", "calm", "curious", "impatient", "angry", "relieved"]
FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
]


@dataclass
class Company:
    """A user with agents, campaigns and calls; `ids` by name, `heard` is the call that has a recording."""

    client: Client
    ids: dict[str, str]
    heard: str

    @property
    def email(self) -> str:
        return str(self.client.user["email"])

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.client.get(path, params=params)
        assert answer.status == 200, answer.content
        return answer.data


def tone(seconds: float = 2.0, rate: int = 8000) -> bytes:
    """A WAV file: PCM, 16 bits, one channel, as `wave` writes it."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        frames = (int(6000 * math.sin(n * 2 * math.pi * 440 / rate)) for n in range(int(seconds * rate)))
        out.writeframes(b"".join(struct.pack("<h", frame) for frame in frames))
    return file.getvalue()


def some_calls(agents: list[str], campaigns: list[str], said: str) -> list[dict[str, Any]]:
    """Calls of the last 45 days, skewed over agents, hours, outcomes and phrases; the last one is the newest."""
    dice, now = random.Random(7), datetime.now(UTC)
    phrases = [*PHRASES, said]
    calls: list[dict[str, Any]] = []
    for number in range(CALLS):
        at = now - timedelta(days=45 * dice.random() ** 2, minutes=5)
        if at.hour < 8:  # few calls at night
            at -= timedelta(hours=dice.choice([0, 10, 12]))
        status = dice.choices(["completed", "no_answer", "busy", "failed"], [78, 12, 6, 4])[0]
        done = status == "completed"
        calls.append(
            {
                "external_id": f"call-{number}",
                "phone_number": f"+4420{dice.randrange(10**7, 10**8)}",
                "status": status,
                "agent_id": dice.choices(agents, [8, 4, 2, 1][: len(agents)])[0],
                "campaign_id": dice.choice([None, *campaigns]),
                "direction": dice.choice(["outbound", "inbound"]),
                "duration_seconds": int(dice.lognormvariate(5, 0.6)) if done else 0,
                "sentiment": dice.choices(["positive", "neutral", "negative"], [6, 3, 1])[0] if done else None,
                "key_phrases": sorted(set(dice.choices(phrases, WEIGHTS, k=3))) if done else [],
                "emotions": sorted(set(dice.choices(EMOTIONS, WEIGHTS[:6], k=2))) if done else [],
                "transcript": TRANSCRIPT.format("my bill") if done else None,
                "cost": round(dice.random() * 0.8, 3) if done else 0.02,
                "created_at": at.isoformat(),
            }
        )
    newest = {
        "status": "completed",
        "duration_seconds": 95,
        "transcript": TRANSCRIPT.format(said),
        "summary": f"They asked about {said}.",
        "key_phrases": [said],
        "emotions": ["calm"],
        "sentiment": "positive",
        "created_at": (now - timedelta(minutes=1)).isoformat(),
    }
    calls[-1].update(newest)
    return calls


async def found_company(client: Client, said: str) -> Company:
    """Make a user with everything that the dashboard shows; `said` stands in names, phrases and the newest call."""
    user = await client.new_user()
    ids: dict[str, str] = {}
    for name in ("Support", "Sales", "Night shift", f"Agent {said}"):
        made = await user.post("/agents", {"name": name, "llm_provider": "openai", "llm_model": "gpt-4"})
        assert made.status == 201, made.content
        ids[name] = made.data["id"]
    agents = list(ids.values())
    for name in ("Spring offer", "Renewals", f"Campaign {said}"):
        made = await user.post("/campaigns", {"name": name, "agent_id": agents[0]})
        assert made.status == 201, made.content
        ids[name] = made.data["id"]
    calls = some_calls(agents, list(ids.values())[4:], said)
    sent = await user.post("/call-logs/batch", calls)
    assert sent.status == 201, sent.content
    newest = (await user.get("/call-logs", params={"limit": 1})).data["items"][0]["id"]
    kept = await user.put(f"/call-recordings/{newest}", body=tone(), headers={"Content-Type": "audio/wav"})
    assert kept.status == 201, kept.content
    return Company(user, ids, newest)


@pytest.fixture(scope="module")
async def company(running: Running) -> Company:
    return await found_company(running.client, EVIL)


@dataclass
class Visit:
    """A browser window at the dashboard of a service, and what went wrong in it."""

    page: Any
    url: str
    problems: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", lambda said: self._hear(said.type, said.text))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.problems.append(text)

    def expect_problem(self, text: str) -> None:
        """A failed request shows up in the console; these are meant to be there."""
        assert any(text in problem for problem in self.problems), self.problems
        self.problems = [problem for problem in self.problems if text not in problem]

    async def open(self, path: str = "/dashboard") -> None:
        await self.page.goto(self.url + path)

    async def log_in(self, email: str, path: str = "/dashboard") -> None:
        await self.open(path)
        await self.page.get_by_label("E-mail").fill(email)
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.page.get_by_role("button", name="Log in").click()
        await self.settled()

    async def settled(self) -> None:
        """Wait until the figures of what is looked at stand there."""
        await expect(self.page.locator("#view")).to_have_attribute("aria-busy", "false")

    async def until(self, condition: str) -> None:
        """Wait until a JavaScript expression is true; Playwright's own waiting needs `eval`, which the CSP forbids."""
        await eventually(lambda: self.page.evaluate(condition))

    async def figure(self, name: str) -> float:
        return float(await self.page.locator(f"#{name} data").get_attribute("value"))

    async def rows(self, name: str) -> list[list[str]]:
        """The cells of a table, as text."""
        script = "rows => rows.map(row => [...row.children].map(cell => cell.innerText.trim()))"
        found: list[list[str]] = await self.page.locator(f"#{name} tr").evaluate_all(script)
        return found

    def query(self) -> dict[str, list[str]]:
        """The query of the address."""
        return parse_qs(urlsplit(self.page.url).query)

    async def choose(self, label: str, value: str) -> None:
        await self.page.get_by_label(label, exact=True).select_option(value)
        await self.settled()


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Any]:
    async with playwright_api.async_playwright() as playwright:
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *root])
        yield launched
        await launched.close()


Opener = Callable[..., Awaitable[Visit]]


@pytest.fixture
async def visitor(browser: Any, running: Running) -> AsyncIterator[Opener]:
    """Opens windows. In the end nothing may have gone wrong in them, and nothing may have been asked elsewhere."""
    visits: list[Visit] = []

    async def window(url: str = running.url, **options: Any) -> Visit:
        context = await browser.new_context(**{"locale": "en-GB", "timezone_id": "UTC", **options})
        context.set_default_timeout(15_000)
        visit = Visit(await context.new_page(), url)
        visit.watch()
        visits.append(visit)
        return visit

    yield window
    for visit in visits:
        await visit.page.context.close()
        assert visit.problems == []
        elsewhere = [url for url in visit.asked if not url.startswith((visit.url, f"blob:{visit.url}", "data:"))]
        assert elsewhere == []


@pytest.fixture
async def visit(visitor: Opener) -> Visit:
    return await visitor()


class TestItsFiles:
    async def test_the_page_is_there_for_anyone_and_runs_nothing_but_its_files(self, anonymous: Client) -> None:
        answer = await anonymous.get("/dashboard")
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Content-Security-Policy"] == CSP
        assert "unsafe" not in CSP
        assert answer.headers["Cache-Control"] == "public, no-cache"
        html = answer.content.decode()
        linked = re.findall(r'(?:src|href)="([^"]+)"', html)
        assert [link for link in linked if link.startswith(("http", "//"))] == []
        assert re.findall(r"<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+=", html) == []
        assert html.startswith("<!DOCTYPE html>\n<html lang=")

    async def test_a_page_that_is_known_is_not_sent_again(self, anonymous: Client) -> None:
        tag = (await anonymous.get("/dashboard")).headers["ETag"]
        again = await anonymous.get("/dashboard", headers={"If-None-Match": tag})
        assert (again.status, again.content) == (304, b"")

    async def test_every_asset_that_is_named_is_there_and_may_be_kept_for_ever(self, anonymous: Client) -> None:
        html = (await anonymous.get("/dashboard")).content.decode()
        linked = set(re.findall(r'(?:src|href)="(/dashboard/assets/[^"]+)"', html))
        assert {link.rpartition("/")[2] for link in linked} == set(dashboard.dashboard().assets)
        for link in sorted(linked):
            answer = await anonymous.get(link)
            assert answer.status == 200, link
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            again = await anonymous.get(link, headers={"If-None-Match": answer.headers["ETag"]})
            assert (again.status, again.content) == (304, b"")

    @pytest.mark.parametrize("name", ["dashboard.html", "README.md", "uplot.LICENSE.txt", "..%2fdashboard.py", "x.js"])
    async def test_nothing_else_is_served_from_there(self, anonymous: Client, name: str) -> None:
        answer = await anonymous.get(f"/dashboard/assets/{dashboard.dashboard().version}/{name}")
        assert (answer.status, answer.code) == (404, "REQUEST_004")

    async def test_the_assets_of_another_release_are_not_there(self, anonymous: Client) -> None:
        answer = await anonymous.get("/dashboard/assets/0123456789abcdef/main.js")
        assert (answer.status, answer.code) == (404, "REQUEST_004")

    def test_the_vendored_files_name_their_version_and_carry_their_licence(self) -> None:
        version = re.search(r"`uplot` (\d+\.\d+\.\d+)", (FILES / "README.md").read_text())
        assert version is not None
        assert f"(v{version[1]})" in (FILES / "uplot.min.js").read_text()[:100]
        assert "The MIT License" in (FILES / "uplot.LICENSE.txt").read_text()

    def test_no_script_of_ours_writes_markup(self) -> None:
        for path in FILES.glob("*.js"):
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", path.read_text()), (
                path
            )


@needs_chromium
class TestTheSession:
    async def test_whoever_is_not_logged_in_sees_the_form_and_nothing_else(self, visit: Visit) -> None:
        await visit.open("/dashboard?days=7")
        await expect(visit.page.get_by_role("heading", name="Log in")).to_be_visible()
        await expect(visit.page.locator("#view")).to_be_hidden()
        assert await visit.page.title() == "Log in · VoiceERA"
        assert [url for url in visit.asked if "/dashboard" not in url and not url.startswith("data:")] == []

    async def test_a_neighbour_sees_none_of_the_company(
        self, visit: Visit, company: Company, neighbour: Client
    ) -> None:
        """Not even by an address that names the company's agent and call."""
        path = f"/dashboard?days=all&agent={company.ids['Support']}&call={company.heard}"
        await visit.log_in(neighbour.user["email"], path)
        await expect(visit.page.locator("#call-body")).to_have_text("Call log not found")
        assert EVIL not in await visit.page.locator("body").inner_text()
        assert await visit.rows("calls") == await visit.rows("agents") == []
        visit.expect_problem("404")

    async def test_a_wrong_password_is_said_and_another_try_is_open(self, visit: Visit, company: Company) -> None:
        await visit.open()
        await visit.page.get_by_label("E-mail").fill(company.email)
        await visit.page.get_by_label("Password").fill("Wrong-Horse-7")
        await visit.page.get_by_role("button", name="Log in").click()
        await expect(visit.page.get_by_role("alert")).to_have_text("Invalid credentials")
        visit.expect_problem("401")
        await visit.page.get_by_label("Password").fill(PASSWORD)
        await visit.page.keyboard.press("Enter")
        await expect(visit.page.locator("#who")).to_have_text(company.email)

    async def test_logging_out_ends_the_session_at_the_server_too(self, visit: Visit, company: Company) -> None:
        await visit.log_in(company.email)
        token = await visit.page.evaluate("JSON.parse(sessionStorage.getItem('voicera.session')).token")
        assert (await company.client.get("/auth/me", token=token)).status == 200
        await visit.page.get_by_role("button", name="Log out").click()
        await expect(visit.page.get_by_role("heading", name="Log in")).to_be_visible()
        assert (await company.client.get("/auth/me", token=token)).status == 401
        assert await visit.page.evaluate("sessionStorage.length") == 0
        assert await visit.rows("calls") == []

    async def test_a_session_that_was_ended_elsewhere_leads_to_the_form(self, visit: Visit, company: Company) -> None:
        await visit.log_in(company.email)
        token = await visit.page.evaluate("JSON.parse(sessionStorage.getItem('voicera.session')).token")
        assert (await company.client.post("/auth/logout", token=token)).status == 204
        await visit.page.get_by_role("button", name="Refresh").click()
        await expect(visit.page.get_by_role("alert")).to_have_text("Your session has ended. Log in again.")
        visit.expect_problem("401")

    async def test_a_token_that_ends_soon_is_renewed_once_for_all_requests(
        self, visit: Visit, company: Company
    ) -> None:
        """A refresh token is good for one use: a second one would end the session."""
        await visit.log_in(company.email)
        soon = "s => sessionStorage.setItem(s, JSON.stringify({...JSON.parse(sessionStorage.getItem(s)), renew_at: 0}))"
        before = await visit.page.evaluate("sessionStorage.getItem('voicera.session')")
        for _ in range(2):
            await visit.page.evaluate(soon, "voicera.session")
            visit.asked.clear()
            await visit.page.reload()
            await visit.settled()
            assert len([url for url in visit.asked if url.endswith("/auth/refresh-token")]) == 1
        assert await visit.page.evaluate("sessionStorage.getItem('voicera.session')") != before
        assert await visit.figure("total-calls") > 0

    async def test_a_duplicated_tab_learns_of_new_tokens(self, visit: Visit, company: Company) -> None:
        """Both hold one session; each would otherwise use up the other's refresh token."""
        await visit.log_in(company.email)
        held = await visit.page.evaluate("sessionStorage.getItem('voicera.session')")
        other = Visit(await visit.page.context.new_page(), visit.url, visit.problems, visit.asked)
        other.watch()
        await other.open()
        await other.page.evaluate("held => sessionStorage.setItem('voicera.session', held)", held)
        await other.page.reload()
        await other.settled()
        soon = "s => sessionStorage.setItem(s, JSON.stringify({...JSON.parse(sessionStorage.getItem(s)), renew_at: 0}))"
        await visit.page.evaluate(soon, "voicera.session")
        await visit.page.reload()
        await visit.settled()
        renewed = await visit.page.evaluate("sessionStorage.getItem('voicera.session')")
        assert renewed != held

        async def same() -> bool:
            mine = await other.page.evaluate("JSON.parse(sessionStorage.getItem('voicera.session')).token")
            return bool(f'"{mine}"' in renewed)

        await eventually(same)


@needs_chromium
class TestTheFigures:
    @pytest.mark.parametrize("days", [1, 30, "all"])
    async def test_they_are_those_of_the_api(self, visit: Visit, company: Company, days: int | str) -> None:
        await visit.log_in(company.email, f"/dashboard?days={days}")
        params = {} if days == "all" else {"days": days}
        statistics = await company.get("/analytics/calls", **params)
        shown = {name: await visit.figure(name.replace("_", "-")) for name in statistics}
        assert shown == statistics
        assert statistics["total_calls"] == CALLS or days != "all"
        feelings = await company.get("/analytics/sentiment", **params)
        values = "cells => cells.map(cell => Number(cell.value))"
        names = ("positive", "neutral", "negative")
        want = [feelings[name + suffix] for name in names for suffix in ("", "_percentage")]
        assert await visit.page.locator("#sentiment data").evaluate_all(values) == want
        phrases = await company.get("/analytics/top-phrases", **params, limit=10)
        want_rows = [[each["phrase"], str(each["count"]), f"{each['frequency']:.1f} %"] for each in phrases]
        assert await visit.rows("phrases") == want_rows
        emotions = await company.get("/analytics/emotions", **params, limit=5)
        assert [row[:2] for row in await visit.rows("emotions")] == [
            [each["emotion"], str(each["count"])] for each in emotions
        ]
        listed = await company.get("/call-logs", limit=25)
        if days == "all":
            assert await visit.page.locator("#calls-count").inner_text() == f"25 of {listed['total']}"

    async def test_they_are_written_for_people(self, visit: Visit, company: Company) -> None:
        await visit.log_in(company.email, "/dashboard?days=all")
        found = await company.get("/analytics/calls")
        texts = {
            name: await visit.page.locator(f"#{name}").inner_text()
            for name in ("success-rate", "average-duration", "cost-per-call")
        }
        minutes, seconds = divmod(found["average_duration"], 60)
        assert texts == {
            "success-rate": f"{found['success_rate']:.1f} %",
            "average-duration": f"{minutes}:{seconds:02}",
            "cost-per-call": f"{found['cost_per_call']:.2f}",
        }

    async def test_agents_and_campaigns_stand_there_by_name(self, visit: Visit, company: Company) -> None:
        await visit.log_in(company.email, "/dashboard?days=all")
        names = {value: name for name, value in company.ids.items()}
        for kind, path in (("agent", "/analytics/agent-performance"), ("campaign", "/analytics/campaign-stats")):
            want = [[names[each[f"{kind}_id"]], str(each["total_calls"])] for each in await company.get(path)]
            assert [row[:2] for row in await visit.rows(f"{kind}s")] == want

    @pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
    async def test_the_chart_counts_the_days_of_the_viewer(self, visitor: Opener, company: Company, zone: str) -> None:
        """Its table holds every day that had calls."""
        visit = await visitor(timezone_id=zone)
        await visit.log_in(company.email, "/dashboard?days=all")
        await visit.page.get_by_text("As a table").click()
        series = await company.get("/analytics/daily-calls", days=60, timezone=zone)
        busy = [each for each in reversed(series) if each["total_calls"]]
        shown = await visit.rows("chart-table")
        assert [row[1:] for row in shown] == [[str(each["total_calls"]), str(each["completed_calls"])] for each in busy]
        day = datetime.fromisoformat(busy[0]["date"])
        assert shown[0][0].startswith(f"{day:%a}, {day.day} ") or shown[0][0].startswith(f"{day:%a} {day.day} ")

    async def test_a_range_of_dates_is_of_whole_days_of_the_viewer(self, visitor: Opener, company: Company) -> None:
        visit = await visitor(timezone_id="Asia/Kolkata")
        last = datetime.now(UTC).date() - timedelta(days=3)
        first = last - timedelta(days=9)
        await visit.log_in(company.email)
        await visit.page.get_by_label("Range", exact=True).select_option("dates")
        await visit.page.get_by_label("From", exact=True).fill(first.isoformat())
        await visit.page.get_by_label("To", exact=True).fill(last.isoformat())
        await visit.settled()
        assert visit.query() == {"start": [first.isoformat()], "end": [last.isoformat()]}
        zone = "+05:30"
        want = await company.get(
            "/analytics/calls", start_date=f"{first}T00:00:00{zone}", end_date=f"{last}T23:59:59.999{zone}"
        )
        await expect(visit.page.locator("#total-calls data")).to_have_attribute("value", str(want["total_calls"]))
        assert 0 < want["total_calls"] < CALLS

    async def test_a_user_without_calls_reads_how_to_push_one(self, visit: Visit, user: Client) -> None:
        await visit.log_in(user.user["email"])
        await expect(visit.page.get_by_role("heading", name="No calls yet")).to_be_visible()
        example = await visit.page.locator("#example").inner_text()
        assert f"curl {visit.url}/call-logs" in example
        await expect(visit.page.locator("#figures")).to_be_hidden()
        pushed = await user.post("/call-logs", {"phone_number": "+1234567890", "status": "completed"})
        assert pushed.status == 201
        await visit.page.get_by_role("button", name="Refresh").click()
        await expect(visit.page.locator("#total-calls")).to_have_text("1")

    async def test_filters_that_leave_no_call_say_so_and_lead_out(self, visit: Visit, company: Company) -> None:
        await visit.log_in(company.email, "/dashboard?start=2001-01-01&end=2001-01-31")
        await visit.page.get_by_role("link", name="Look at everything").click()
        await visit.settled()
        await expect(visit.page.locator("#total-calls data")).to_have_attribute("value", str(CALLS))
        assert visit.query() == {"days": ["all"]}


@needs_chromium
class TestTheFilters:
    async def test_they_stand_in_the_address_which_reload_and_back_respect(
        self, visit: Visit, company: Company
    ) -> None:
        agent = company.ids["Sales"]
        everything = await company.get("/analytics/calls", days=30)
        its = await company.get("/analytics/calls", days=30, agent_id=agent)
        assert 0 < its["total_calls"] < everything["total_calls"]
        total = visit.page.locator("#total-calls data")
        await visit.log_in(company.email)
        await expect(total).to_have_attribute("value", str(everything["total_calls"]))
        await visit.page.locator("#agents").get_by_role("link", name="Sales").click()
        await expect(total).to_have_attribute("value", str(its["total_calls"]))
        assert visit.query() == {"agent": [agent]}
        assert await visit.page.get_by_label("Agent", exact=True).input_value() == agent
        assert {row[5] for row in await visit.rows("calls")} == {"Sales"}
        await visit.page.reload()
        await visit.settled()
        assert await visit.figure("total-calls") == its["total_calls"]
        assert await visit.page.get_by_label("Agent", exact=True).input_value() == agent
        await visit.page.go_back()
        await expect(total).to_have_attribute("value", str(everything["total_calls"]))
        assert visit.query() == {}
        await visit.page.go_forward()
        await expect(total).to_have_attribute("value", str(its["total_calls"]))

    async def test_they_combine_and_one_link_takes_them_back(self, visit: Visit, company: Company) -> None:
        await visit.log_in(company.email)
        agent, campaign = company.ids["Support"], company.ids["Renewals"]
        await visit.choose("Agent", agent)
        await visit.choose("Campaign", campaign)
        await visit.choose("Range", "90")
        await visit.choose("Status", "completed")
        assert visit.query() == {"agent": [agent], "campaign": [campaign], "days": ["90"], "status": ["completed"]}
        want = await company.get("/analytics/calls", days=90, agent_id=agent, campaign_id=campaign)
        await expect(visit.page.locator("#total-calls data")).to_have_attribute("value", str(want["total_calls"]))
        assert {row[2] for row in await visit.rows("calls")} == {"completed"}
        await expect(visit.page.locator("#calls-count")).to_have_text(re.compile(f"of {want['completed_calls']}$"))
        await visit.page.get_by_role("link", name="Reset").click()
        await visit.settled()
        assert visit.query() == {}

    async def test_an_address_that_makes_no_sense_shows_the_usual(self, visit: Visit, company: Company) -> None:
        await visit.log_in(company.email, "/dashboard?agent=x&days=-1&start=today&status=lost&call=1&unknown=1")
        want = await company.get("/analytics/calls", days=30)
        assert await visit.figure("total-calls") == want["total_calls"]
        await visit.open("/dashboard?start=2026-02-02&end=2026-02-01")
        await expect(visit.page.locator("#nothing")).to_be_visible()
        await visit.open("/dashboard?start=1980-01-01")
        await expect(visit.page.locator("#total-calls data")).to_have_attribute("value", str(CALLS))


@needs_chromium
class TestTheCalls:
    async def test_more_leads_to_the_last_call_and_each_stands_there_once(self, visit: Visit, company: Company) -> None:
        await visit.log_in(company.email, "/dashboard?days=all")
        more = visit.page.get_by_role("button", name="More")
        for shown in range(50, CALLS + 25, 25):
            await more.click()
            await expect(visit.page.locator("#calls tr")).to_have_count(min(shown, CALLS))
        await expect(more).to_be_hidden()
        ids = await visit.page.locator("#calls tr").evaluate_all("rows => rows.map(row => row.dataset.call)")
        want = await company.get("/call-logs", limit=1000, total="false")
        assert ids == [each["id"] for each in want["items"]]

    async def test_a_call_opens_whole_and_back_closes_it(self, visit: Visit, company: Company) -> None:
        await visit.log_in(company.email)
        await visit.page.locator("#calls button").first.click()
        dialog = visit.page.get_by_role("dialog", name="Call")
        await expect(dialog.locator(".transcript")).to_have_text(TRANSCRIPT.format(EVIL))
        assert visit.query() == {"call": [company.heard]}
        await visit.page.go_back()
        await expect(dialog).to_be_hidden()
        await visit.page.go_forward()
        await expect(dialog).to_be_visible()
        await visit.page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
        await visit.page.wait_for_url(visit.url + "/dashboard")

    async def test_the_address_of_a_call_opens_it(self, visit: Visit, company: Company) -> None:
        await visit.log_in(company.email)
        await visit.open(f"/dashboard?call={company.heard}")
        dialog = visit.page.get_by_role("dialog", name="Call")
        await expect(dialog).to_contain_text("They asked about")
        await dialog.get_by_role("button", name="Close").click()
        await expect(dialog).to_be_hidden()
        await visit.page.wait_for_url(visit.url + "/dashboard")

    async def test_its_recording_plays(self, visit: Visit, company: Company) -> None:
        await visit.log_in(company.email)
        await visit.page.locator("#calls button").first.click()
        dialog = visit.page.get_by_role("dialog", name="Call")
        await expect(dialog).to_contain_text("0:02, 32.0 kB")
        await dialog.get_by_role("button", name="Play the recording").click()
        await expect(dialog.get_by_label("Recording of the call")).to_be_visible()
        await visit.until("document.querySelector('audio').duration > 1.9")
        await visit.until("document.querySelector('audio').currentTime > 0")
        assert (await visit.page.locator("audio").get_attribute("src")).startswith(f"blob:{visit.url}")
        await dialog.get_by_role("button", name="Close").click()
        await expect(visit.page.locator("audio")).to_have_count(0)

    async def test_a_recording_as_telephones_make_it_plays_too(self, visit: Visit, user: Client) -> None:
        """G.711 µ-law, 8,000 Hz (RFC 3551, section 4.5.14), in a WAVE file."""
        pushed = await user.post("/call-logs", {"phone_number": "+1234567890", "status": "completed"})
        samples = bytes(random.Random(7).randrange(256) for _ in range(16_000))
        form = struct.pack("<4sIHHIIHHH", b"fmt ", 18, 7, 1, 8000, 8000, 1, 8, 0)
        fact, data = struct.pack("<4sII", b"fact", 4, 16_000), struct.pack("<4sI", b"data", 16_000) + samples
        file = struct.pack("<4sI4s", b"RIFF", 4 + len(form + fact + data), b"WAVE") + form + fact + data
        path = f"/call-recordings/{pushed.data['id']}"
        assert (await user.put(path, body=file, headers={"Content-Type": "audio/wav"})).status == 201
        await visit.log_in(user.user["email"], f"/dashboard?call={pushed.data['id']}")
        dialog = visit.page.get_by_role("dialog", name="Call")
        await expect(dialog).to_contain_text("µ-law, 8,000 Hz")
        await dialog.get_by_role("button", name="Play the recording").click()
        await visit.until("document.querySelector('audio')?.duration > 1.9")

    async def test_what_callers_and_owners_wrote_stays_text(self, visit: Visit, company: Company) -> None:
        await visit.log_in(company.email, "/dashboard?days=all")
        await visit.page.locator("#calls button").first.click()
        await expect(visit.page.locator(".transcript")).to_have_text(TRANSCRIPT.format(EVIL))
        assert EVIL in [row[0] for row in await visit.rows("phrases")]
        for place in ("agents", "campaigns", "agent", "campaign", "call-body"):
            await expect(visit.page.locator(f"#{place}")).to_contain_text(EVIL)
        assert await visit.page.locator("img, #view script, #call script").count() == 0
        assert await visit.page.evaluate("window.hacked") is None

    async def test_even_a_script_that_wrote_markup_would_be_stopped(self, visit: Visit, company: Company) -> None:
        await visit.open()
        writes = "() => { try { document.body.innerHTML = '<p>'; return 'written'; } catch (e) { return e.name; } }"
        assert await visit.page.evaluate(writes) == "TypeError"
        visit.expect_problem("TrustedHTML")


@needs_chromium
class TestTheRefresh:
    async def test_new_calls_come_by_themselves_for_eight_requests(self, visit: Visit, user: Client) -> None:
        """Pages of the list that were asked for stay, and so does the focus."""
        calls = [{"phone_number": f"+12345{n:05}", "status": "completed", "duration_seconds": 60} for n in range(60)]
        assert (await user.post("/call-logs/batch", calls)).status == 201
        await visit.page.clock.install()
        await visit.log_in(user.user["email"])
        await visit.page.get_by_role("button", name="More").click()
        await expect(visit.page.locator("#calls tr")).to_have_count(50)
        focused = visit.page.locator("#calls button").first
        await focused.focus()
        key = await focused.get_attribute("data-key")
        pushed = await user.post("/call-logs", {"phone_number": "+999999999", "status": "busy"})
        assert pushed.status == 201
        visit.asked.clear()
        await visit.page.clock.run_for(15_500)
        await expect(visit.page.locator("#total-calls")).to_have_text("61")
        await expect(visit.page.locator("#calls tr")).to_have_count(51)
        await expect(visit.page.locator("#calls tr").first).to_contain_text("+999999999")
        assert len(visit.asked) == 8
        assert await visit.page.evaluate("document.activeElement.dataset.key") == key

    async def test_a_page_that_nobody_sees_asks_for_nothing_and_catches_up_when_seen(
        self, visit: Visit, company: Company
    ) -> None:
        seen = (
            "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
            "document.dispatchEvent(new Event('visibilitychange')); }"
        )
        await visit.page.clock.install()
        await visit.log_in(company.email)
        await expect(visit.page.locator("#updated")).to_have_text(re.compile("Updated"))
        visit.asked.clear()
        await visit.page.evaluate(seen, True)
        await visit.page.clock.run_for(60_000)
        assert visit.asked == []
        async with visit.page.expect_response("**/call-logs?*"):
            await visit.page.evaluate(seen, False)

    async def test_the_rate_limit_is_told_and_respected(
        self, visitor: Opener, stack: Settings, company: Company
    ) -> None:
        limits = {"VOICERA_RATE_LIMIT_GENERAL": "20/minute"}
        async with running_app(settings_for_tests(stack, limits), migrated=True) as app:
            visit = await visitor(app.url)
            await visit.page.clock.install()
            await visit.log_in(company.email)
            refresh = visit.page.get_by_role("button", name="Refresh")
            async with visit.page.expect_response("**/call-logs?*"):
                await refresh.click()
            await refresh.click()
            message = visit.page.locator("#message")
            await expect(message).to_have_text(re.compile(r"^That was more than the rate limit allows; it goes on in "))
            visit.expect_problem("429")
            assert await visit.page.locator("#view").get_attribute("aria-busy") == "false"
            assert await visit.figure("total-calls") > 0
            visit.asked.clear()
            await visit.page.clock.run_for(14_000)
            assert visit.asked == []

    async def test_a_server_that_is_gone_is_told_and_the_figures_stay(
        self, visitor: Opener, stack: Settings, company: Company
    ) -> None:
        async with running_app(settings_for_tests(stack), migrated=True) as app:
            visit = await visitor(app.url)
            await visit.log_in(company.email)
            total = await visit.figure("total-calls")
        await visit.page.get_by_role("button", name="Refresh").click()
        await expect(visit.page.locator("#message")).to_have_text("The server cannot be reached. Trying again in 15 s.")
        assert await visit.figure("total-calls") == total
        visit.problems.clear()


@needs_chromium
class TestItsLook:
    @pytest.mark.parametrize("width", [360, 390, 768])
    async def test_nothing_has_to_be_scrolled_sideways(self, visitor: Opener, company: Company, width: int) -> None:
        visit = await visitor(viewport={"width": width, "height": 740})
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        await visit.open()
        assert await visit.page.evaluate(wide) == 0
        await visit.log_in(company.email, "/dashboard?days=all")
        assert await visit.page.evaluate(wide) == 0
        await visit.page.locator("#calls button").first.click()
        await expect(visit.page.locator(".transcript")).to_be_visible()
        assert await visit.page.evaluate(wide) == 0

    @pytest.mark.parametrize("system", ["light", "dark"])
    async def test_it_is_dark_or_light_as_the_system_until_switched(self, visitor: Opener, system: str) -> None:
        visit = await visitor(color_scheme=system)
        await visit.open()
        ground = "getComputedStyle(document.documentElement).backgroundColor"
        colours = {"light": "rgb(244, 245, 247)", "dark": "rgb(20, 22, 27)"}
        other = {"light": "dark", "dark": "light"}[system]
        switch = visit.page.get_by_role("button", name="Dark")
        assert await visit.page.evaluate(ground) == colours[system]
        await expect(switch).to_have_attribute("aria-pressed", str(system == "dark").lower())
        await switch.click()
        assert await visit.page.evaluate(ground) == colours[other]
        await visit.page.reload()
        assert await visit.page.evaluate(ground) == colours[other]
        await switch.click()
        await visit.page.emulate_media(color_scheme=other)
        assert await visit.page.evaluate(ground) == colours[other], "as the system again, it follows the system"

    async def test_the_keyboard_is_enough(self, visit: Visit, company: Company) -> None:
        press = visit.page.keyboard.press
        await visit.open()
        await expect(visit.page.get_by_label("E-mail")).to_be_focused()
        await visit.page.keyboard.type(company.email)
        await press("Tab")
        await visit.page.keyboard.type(PASSWORD)
        await press("Enter")
        await visit.settled()
        first = visit.page.locator("#calls button").first
        for _ in range(80):
            await press("Tab")
            if await first.evaluate("button => button === document.activeElement"):
                break
        await press("Enter")
        await expect(visit.page.locator(".transcript")).to_be_visible()
        await press("Escape")
        await expect(first).to_be_focused()

    async def test_every_control_has_a_name_and_every_id_is_there_once(self, visit: Visit, company: Company) -> None:
        await visit.log_in(company.email)
        nameless = (
            "all => all.filter(one => !(one.textContent.trim() || one.ariaLabel || one.labels?.length))"
            ".map(one => one.outerHTML)"
        )
        assert await visit.page.locator("button, a, input, select").evaluate_all(nameless) == []
        ids = await visit.page.locator("[id]").evaluate_all("all => all.map(one => one.id)")
        assert len(ids) == len(set(ids))
        assert await visit.page.locator("html").get_attribute("lang") == "en"
        assert await visit.page.title() == "Dashboard · VoiceERA"


@needs_chromium
@pytest.mark.skipif(SCREENSHOTS is None, reason="VOICERA_SCREENSHOTS names no folder to put pictures into")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("light", {"viewport": {"width": 1200, "height": 1420}}),
        ("dark", {"viewport": {"width": 1200, "height": 1200}, "color_scheme": "dark"}),
        ("phone", {"viewport": {"width": 360, "height": 1200}}),
        ("call", {"viewport": {"width": 900, "height": 720}}),
    ],
)
async def test_pictures_for_the_docs(visitor: Opener, running: Running, name: str, options: dict[str, Any]) -> None:
    company = await found_company(running.client, "loyalty card")
    visit = await visitor(**options, reduced_motion="reduce")
    await visit.log_in(company.email)
    await visit.page.evaluate("document.getElementById('who').textContent = 'ada@example.com'")
    if name == "call":
        await visit.page.locator("#calls button").first.click()
        await visit.page.get_by_role("button", name="Play the recording").click()
        await visit.until("document.querySelector('audio')?.duration > 1.9")
    assert SCREENSHOTS is not None
    picture = Path(SCREENSHOTS) / f"dashboard-{name}.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    await visit.page.screenshot(path=picture)
    assert picture.stat().st_size < 200_000
