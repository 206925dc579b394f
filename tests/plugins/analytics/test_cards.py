"""Cards that a plugin puts on the dashboard: who may see them, what a page does with what they answer, what is refused.

The browser is looked for as in the tests of the dashboard; without one, those tests are skipped.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import openapi_check
import pytest

from core.settings import ConfigurationError, Settings
from plugins.analytics.hookspecs import Card
from voicera import Blueprint, Reply, Request, Struct, Unavailable, hookimpl, reply, requires
from voicera.testing import PASSWORD, Client, Running, eventually, running_app, settings_for_tests

playwright_api = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
expect = playwright_api.expect

CHROMIUM = os.environ.get("VOICERA_TEST_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))), None
)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH")
EVIL = '<img src=x onerror="window.hacked=1">'
LONG = "x" * 2_000
NOTHING = "\u2013"


class Asked(Struct, frozen=True):
    """Those filters of the page that the card's route takes."""

    agent_id: str | None = None
    days: int | None = None


def cards_plugin(asked: list[dict[str, Any]]) -> ModuleType:
    """A plugin with a card of each kind, whose answers are as hostile as can be, and one whose route fails."""
    blueprint = Blueprint("/evil")

    @blueprint.get("/figure", query=Asked)
    @requires("analytics:read")
    async def evil_figure(request: Request) -> Reply:
        """Count what is short."""
        wanted = request.query(Asked)
        asked.append({"agent_id": wanted.agent_id, "days": wanted.days, "owner_id": request.principal.owner_id})
        return reply({"value": 1234, "unit": EVIL})

    @blueprint.get("/table")
    @requires("analytics:read")
    async def evil_table(request: Request) -> Reply:
        """List who called."""
        first = {
            EVIL: EVIL,
            "number_of_calls": 3,
            "nested": {"a": [EVIL]},
            "none": None,
            "__proto__": "p",
            "long": LONG,
        }
        return reply(
            [first, {"number_of_calls": 4}, "no object", *[{EVIL: n, "number_of_calls": n} for n in range(60)]]
        )

    @blueprint.get("/bars")
    @requires("analytics:read")
    async def evil_bars(request: Request) -> Reply:
        """Compare teams."""
        rows = [{"label": EVIL, "value": 10}, {"label": "half", "value": 5}, {"label": "none", "value": "100%;x:y"}]
        return reply([*rows, {"label": "below", "value": -3}])

    @blueprint.get("/failing")
    @requires("analytics:read")
    async def evil_failing(request: Request) -> Reply:
        """Fail."""
        raise Unavailable

    @hookimpl
    def register_blueprints() -> list[Blueprint]:
        return [blueprint]

    @hookimpl
    def register_cards() -> list[Card]:
        return [
            Card(key="figure", title=EVIL, path="/evil/figure", kind="figure", filters=("agent_id", "days")),
            Card(key="table", title="A table", path="/evil/table", kind="table"),
            Card(key="bars", title="Some bars", path="/evil/bars", kind="bars"),
            Card(key="failing", title="It fails", path="/evil/failing", kind="figure"),
            Card(key="other", title="Of another shape", path="/evil/figure", kind="table"),
        ]

    return module("evil", register_blueprints=register_blueprints, register_cards=register_cards)


def module(name: str, **hooks: Any) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(hooks)
    return made


def with_cards(name: str, *cards: Any) -> ModuleType:
    return module(name, register_cards=hookimpl(lambda: list(cards)))


@dataclass
class Place:
    """A service with the cards, a user with a call, and what the figure's route was asked."""

    app: Running
    user: Client
    agent: str
    asked: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture(scope="module")
async def place(stack: Settings, running: Running) -> AsyncIterator[Place]:
    asked: list[dict[str, Any]] = []
    async with running_app(settings_for_tests(stack), plugins=[cards_plugin(asked)], migrated=True) as app:
        app.client.on_answer = openapi_check.Checker(app.app.ctx.openapi.document)
        user = await app.client.new_user()
        agent = (await user.post("/agents", {"name": "Ada"})).data["id"]
        call = {"phone_number": "+1234567890", "status": "completed", "agent_id": agent}
        assert (await user.post("/call-logs", call)).status == 201
        yield Place(app, user, agent, asked)


class TestTheList:
    async def test_it_is_for_those_with_a_token_alone(self, place: Place) -> None:
        assert (await place.app.client.get("/dashboard/cards")).code == "AUTH_003"

    async def test_a_key_without_the_scope_is_refused(self, place: Place) -> None:
        made = await place.user.post("/auth/api-keys", {"name": "k", "scopes": ["calls:write"]})
        assert (await place.user.get("/dashboard/cards", token=made.data["key"])).code == "AUTH_004"

    async def test_it_says_what_to_ask_for_each_and_with_which_filters(self, place: Place) -> None:
        answer = await place.user.get("/dashboard/cards")
        assert answer.status == 200
        assert answer.data[:2] == [
            {"key": "figure", "title": EVIL, "path": "/evil/figure", "kind": "figure", "filters": ["agent_id", "days"]},
            {"key": "table", "title": "A table", "path": "/evil/table", "kind": "table", "filters": []},
        ]
        assert [card["key"] for card in answer.data] == ["figure", "table", "bars", "failing", "other"]

    async def test_without_a_plugin_there_are_none(self, user: Client) -> None:
        assert (await user.get("/dashboard/cards")).data == []


class TestACard:
    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"key": "A b"}, "the key of a card is"),
            ({"title": ""}, "a title has"),
            ({"path": "//elsewhere.example/x"}, "is no path of this server"),
            ({"path": "https://elsewhere.example"}, "is no path of this server"),
            ({"path": "/x?owner=1"}, "is no path of this server"),
            ({"path": "/x/{call_id}"}, "is no path of this server"),
            ({"kind": "html"}, "a kind is figure, table, bars"),
            ({"filters": ("status",)}, "the page has no filter status"),
        ],
    )
    def test_it_cannot_be_what_the_page_cannot_show(self, wrong: dict[str, Any], said: str) -> None:
        with pytest.raises(ValueError, match=said):
            Card(**{"key": "k", "title": "T", "path": "/x", "kind": "figure", **wrong})

    async def test_two_with_one_key_stop_the_start(self, stack: Settings, running: Running) -> None:
        plugins = [with_cards(name, Card(key="k", title="T", path="/x", kind="bars")) for name in ("one", "two")]
        with pytest.raises(ConfigurationError, match="card k is claimed by both one and two"):
            async with running_app(settings_for_tests(stack), plugins=plugins, migrated=True):
                pass

    async def test_a_plugin_that_brings_what_is_none_is_left_out(self, stack: Settings, running: Running) -> None:
        good = with_cards("two", Card(key="k", title="T", path="/x", kind="bars"))
        plugins = [with_cards("one", "a card"), good]
        async with running_app(settings_for_tests(stack), plugins=plugins, migrated=True) as app:
            user = await app.client.new_user()
            assert [card["key"] for card in (await user.get("/dashboard/cards")).data] == ["k"]
            [one] = [each for each in (await user.get("/plugins")).data if each["name"] == "one"]
            assert one["status"] == "failed"
            assert "register_cards() returned" in one["error"]


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Any]:
    async with playwright_api.async_playwright() as playwright:
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        flags = ["--disable-background-networking", "--disable-component-update", "--disable-gpu", "--no-first-run"]
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*flags, *root])
        yield launched
        await launched.close()


Opener = Callable[..., Any]


@pytest.fixture
async def opened(browser: Any, place: Place) -> AsyncIterator[Opener]:
    """Opens the dashboard and logs in; in the end nothing may have gone wrong but the card that is to fail."""
    contexts: list[Any] = []
    problems: list[str] = []

    async def window(path: str = "/dashboard", **options: Any) -> Any:
        context = await browser.new_context(**{"locale": "en-GB", "timezone_id": "UTC", **options})
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = await context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None)
        await page.goto(place.app.url + path)
        await page.get_by_label("E-mail").fill(str(place.user.user["email"]))
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Log in").click()
        for key in ("figure", "table", "bars", "failing", "other"):
            await expect(page.locator(f"#card-{key}")).to_have_attribute("aria-busy", "false")
        return page

    yield window
    for context in contexts:
        await context.close()
    assert [problem for problem in problems if "503" not in problem] == []


@needs_chromium
class TestThePage:
    async def test_each_kind_is_shown_and_hostile_text_stays_text(self, opened: Opener) -> None:
        page = await opened()
        figure, table, bars = (page.locator(f"#card-{key}") for key in ("figure", "table", "bars"))
        await expect(page.get_by_role("region", name=EVIL)).to_be_visible()
        await expect(figure.locator("h2")).to_have_text(EVIL)
        await expect(figure.locator(".value")).to_have_text(f"1,234 {EVIL}")
        heads = await table.locator("thead th").all_inner_texts()
        assert heads == [EVIL, "Number of calls", "Nested", "None", "proto", "Long"]
        first = await table.locator("tbody tr").first.locator("> *").all_inner_texts()
        assert first[:4] == [EVIL, "3", '{"a":["<img src=x onerror=\\"window.hacked=1\\">"]}', NOTHING]
        assert first[-1] == "x" * 300 + "…"
        assert await table.locator("tbody tr").count() == 50
        second = await table.locator("tbody tr").nth(1).locator("> *").all_inner_texts()
        assert second[:2] == [NOTHING, "4"]
        assert await bars.locator("tbody th").all_inner_texts() == [EVIL, "half", "none", "below"]
        widths = await bars.locator(".bar").evaluate_all("bars => bars.map(bar => bar.style.width)")
        assert widths == ["100%", "50%", "0%", "0%"]
        assert await bars.locator("td").all_inner_texts() == ["10", "5", "100%;x:y", "-3"]
        assert await page.locator("#cards img").count() == 0
        assert await page.evaluate("window.hacked") is None

    async def test_one_that_fails_says_so_and_the_page_goes_on(self, opened: Opener) -> None:
        page = await opened()
        await expect(page.locator("#card-failing .problem")).to_have_text("A dependency is down")
        await expect(page.locator("#card-other")).to_contain_text("Nothing to show.")
        await expect(page.locator("#view")).to_have_attribute("aria-busy", "false")
        await expect(page.locator("#total-calls")).to_have_text("1")
        await expect(page.locator("#message")).to_be_hidden()

    async def test_it_is_asked_with_the_users_token_and_the_filters_that_it_takes(
        self, opened: Opener, place: Place
    ) -> None:
        place.asked.clear()
        page = await opened()
        owner = place.user.user["user"]["id"]
        assert {(each["agent_id"], each["days"], str(each["owner_id"])) for each in place.asked} <= {
            (None, 30, owner),
            (None, None, owner),  # as the card of another shape, which takes none
        }
        place.asked.clear()
        await page.get_by_label("Agent", exact=True).select_option(place.agent)
        await eventually(lambda: any(each["agent_id"] == place.agent for each in place.asked))
        place.asked.clear()
        await page.get_by_role("button", name="Refresh").click()
        await eventually(lambda: any(each["agent_id"] == place.agent for each in place.asked))
        place.asked.clear()
        await page.get_by_label("Range").select_option("all")
        await eventually(
            lambda: {"agent_id": place.agent, "days": None} in [without_owner(each) for each in place.asked]
        )

    @pytest.mark.parametrize(("system", "width"), [("light", 1280), ("dark", 360)])
    async def test_it_fits_any_width_in_both_looks(self, opened: Opener, system: str, width: int) -> None:
        page = await opened(color_scheme=system, viewport={"width": width, "height": 800})
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
        colours = await page.locator("#card-figure").evaluate(
            "card => [getComputedStyle(card).backgroundColor, getComputedStyle(card).color]"
        )
        assert (
            colours
            == {
                "light": ["rgb(255, 255, 255)", "rgb(28, 34, 48)"],
                "dark": ["rgb(30, 33, 40)", "rgb(230, 232, 238)"],
            }[system]
        )

    async def test_a_user_who_logs_out_leaves_nothing_of_them(self, opened: Opener) -> None:
        page = await opened()
        await page.get_by_role("button", name="Log out").click()
        await expect(page.locator("#login-view")).to_be_visible()
        assert await page.locator("#cards > *").count() == 0


def without_owner(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if name != "owner_id"}
