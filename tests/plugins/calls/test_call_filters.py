"""A filter that a plugin adds to the call logs works wherever they are found or counted, and lets no wall down."""

from __future__ import annotations

import csv
import io
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import ModuleType
from typing import Annotated, Any
from uuid import UUID

import openapi_check
import orjson
import pytest

from core.app import assemble, discover
from core.plugins import PluginError
from core.settings import Settings
from plugins.calls.hookspecs import CallFilter, CallQuery, Parameters
from plugins.calls.queries.listing import Values
from voicera import Meta, QueryParameter, hookimpl
from voicera.testing import Client, Running, running_app, settings_for_tests

Log = dict[str, Any]
SIZE = 400
NOW = datetime.now(UTC).replace(microsecond=0)
STATUSES = ["completed", "completed", "completed", "failed", "no_answer", "busy", "queued"]
PHRASES = ["billing", " Billing", "refund", "Straße", "STRASSE"]
FAILED = ("failed", "no_answer", "busy")
LISTS = ("/call-logs", "/call-logs/export")
ANALYTICS = [
    f"/analytics/{name}"
    for name in (
        *("calls", "sentiment", "top-phrases", "emotions", "hourly-calls", "daily-calls"),
        *("agent-performance", "campaign-stats", "export"),
    )
]
TABLE = """
CREATE TABLE IF NOT EXISTS call_tags (
    owner_id uuid NOT NULL, call_id uuid NOT NULL, tag text NOT NULL, PRIMARY KEY (owner_id, call_id, tag));
CREATE INDEX IF NOT EXISTS call_tags_by_tag ON call_tags (owner_id, tag, call_id)"""
TAGGED = "EXISTS (SELECT FROM call_tags WHERE owner_id = {} AND call_id = log.id AND tag = {})"
PRICEY = "coalesce(log.cost_micros, 0) > {}::bigint OR false"


def module(name: str, **hooks: Callable[..., Any]) -> ModuleType:
    made = ModuleType(name)
    vars(made).update({hook: hookimpl(function) for hook, function in hooks.items()})
    return made


def with_filters(name: str, *filters: Any) -> ModuleType:
    return module(name, register_call_filters=lambda: list(filters))


def tagged_with(tag: str, owner: str, parameters: Parameters) -> str:
    return TAGGED.format(owner, parameters.add(tag))


TAG = CallFilter("tag", Annotated[str, Meta(min_length=1, max_length=40)], "Only calls with this tag.", tagged_with)
PRICE = CallFilter("above", int, "In millionths.", lambda value, _, values: PRICEY.format(values.add(value)))


@dataclass
class Company:
    """A user, another whose tags say that they are of the user's calls, and the user's calls, newest first."""

    app: Running
    user: Client
    neighbour: Client
    calls: list[Log]

    def tagged(self, tag: str) -> list[Log]:
        return [call for call in self.calls if tag in call["tags"]]


def random_calls(dice: random.Random, agents: Sequence[str], campaigns: Sequence[str]) -> list[Log]:
    return [
        {
            "external_id": f"T{number}",
            "phone_number": f"+4930{dice.randrange(5):07d}",
            "status": dice.choice(STATUSES),
            "agent_id": dice.choice([*agents, None]),
            "campaign_id": dice.choice([*campaigns, None]),
            "sentiment": dice.choice(["positive", "neutral", "negative", None]),
            "duration_seconds": dice.choice([None, dice.randrange(300)]),
            "key_phrases": dice.choices(PHRASES, k=dice.randrange(4)),
            "emotions": dice.choices(["calm", "Calm", "angry"], k=dice.randrange(3)),
            "cost": dice.choice([None, round(dice.random(), 6)]),
            "created_at": (NOW - timedelta(milliseconds=dice.randrange(60 * 86_400_000))).isoformat(),
        }
        for number in range(SIZE)
    ]


@pytest.fixture(scope="module")
async def company(stack: Settings, running: Running) -> AsyncIterator[Company]:
    dice = random.Random(11)
    async with running_app(settings_for_tests(stack), plugins=[with_filters("tags", TAG, PRICE)], migrated=True) as app:
        app.client.on_answer = openapi_check.Checker(app.app.ctx.openapi.document)
        user, neighbour = await app.client.new_user(), await app.client.new_user()
        agents = [(await user.post("/agents", {"name": f"Agent {n}"})).data["id"] for n in range(3)]
        campaigns = [
            (await user.post("/campaigns", {"name": f"C{n}", "agent_id": agents[0]})).data["id"] for n in range(2)
        ]
        calls = sorted(random_calls(dice, agents, campaigns), key=lambda call: call["created_at"], reverse=True)
        assert (await user.post("/call-logs/batch", calls)).data["created"] == SIZE
        theirs = await neighbour.post("/call-logs", {"phone_number": "+1234567", "status": "completed"})
        ids = {call["external_id"]: call["id"] for call in await exported(user, {})}
        tags = []
        for number, call in enumerate(calls):
            call["id"] = ids[call["external_id"]]
            call["tags"] = {tag for tag, share in (("vip", 0.5), ("rare", 0.02)) if dice.random() < share}
            call["tags"] |= {"old"} if number > SIZE - 10 else set()
            tags += [(UUID(user.user["user"]["id"]), UUID(call["id"]), tag) for tag in call["tags"]]
        them = UUID(neighbour.user["user"]["id"])
        tags += [(them, UUID(call["id"]), "theirs") for call in calls]  # rows that name calls which are not theirs
        tags += [(them, UUID(theirs.data["id"]), "vip")]
        async with app.resources.db.connection() as connection:
            await connection.execute(TABLE)
            await connection.executemany("INSERT INTO call_tags VALUES ($1, $2, $3)", tags)
        yield Company(app, user, neighbour, calls)
        async with app.resources.db.connection() as connection:
            await connection.execute("DROP TABLE call_tags")


async def page(client: Client, **params: Any) -> Any:
    answer = await client.get("/call-logs", params={name: str(value) for name, value in params.items()})
    assert answer.status == 200, answer.content
    return answer.data


async def exported(client: Client, params: dict[str, str]) -> list[Log]:
    answer = await client.get("/call-logs/export", params=params)
    assert answer.status == 200, answer.content
    return [orjson.loads(line) for line in answer.content.splitlines()]


def ids(calls: Sequence[Log]) -> list[str]:
    return [call["external_id"] for call in calls]


class TestTheWall:
    async def test_a_filter_opens_nothing_to_anyone_without_a_token(self, company: Company) -> None:
        for path in (*LISTS, *ANALYTICS):
            assert (await company.app.client.get(path, params={"tag": "vip"})).status == 401

    async def test_a_neighbours_tags_never_match_and_ours_find_none_of_theirs(self, company: Company) -> None:
        assert (await page(company.user, tag="theirs"))["total"] == 0
        assert (await page(company.neighbour, tag="theirs"))["total"] == 0
        assert await exported(company.user, {"tag": "theirs"}) == []
        assert (await page(company.neighbour, tag="vip"))["total"] == 1
        found = (await company.user.get("/analytics/calls", params={"tag": "theirs"})).data
        assert found["total_calls"] == 0

    async def test_a_condition_cannot_reach_past_the_owner(self, company: Company) -> None:
        """`above` is written with an OR; in parentheses it stays what it is."""
        found = (await page(company.neighbour, above=-1))["total"]
        assert found == 1


class TestTheList:
    @pytest.mark.parametrize("tag", ["vip", "rare", "old", "unheard-of"])
    async def test_total_skip_and_limit_are_exact(self, company: Company, tag: str) -> None:
        expected = ids(company.tagged(tag))
        for skip, limit in ((0, 7), (3, 50), (len(expected), 5), (600, 5)):
            found = await page(company.user, tag=tag, skip=skip, limit=limit)
            assert found["total"] == len(expected)
            assert ids(found["items"]) == expected[skip : skip + limit]
        assert (await page(company.user, tag=tag, total="false"))["total"] is None

    async def test_it_combines_with_every_other_filter_and_with_another_plugins(self, company: Company) -> None:
        one = next(call for call in company.tagged("vip") if call["agent_id"] and call["sentiment"] and call["cost"])
        start = (NOW - timedelta(days=40)).isoformat().replace("+00:00", "Z")
        for names in (["status"], ["agent_id", "sentiment"], ["phone_number", "campaign_id"], ["external_id"]):
            params = {name: one[name] for name in names if one[name] is not None}
            expected = [c for c in company.tagged("vip") if all(c[name] == value for name, value in params.items())]
            assert (await page(company.user, tag="vip", limit=1000, **params))["total"] == len(expected)
        dear = [c for c in company.tagged("vip") if (c["cost"] or 0) > 0.5 and (c["duration_seconds"] or 0) > 99]
        found = await page(company.user, tag="vip", above=500_000, min_duration=100, limit=1000)
        assert (found["total"], ids(found["items"])) == (len(dear), ids(dear))
        late = [call for call in company.tagged("vip") if call["created_at"] >= start.replace("Z", "+00:00")]
        found = await page(company.user, tag="vip", start_date=start, limit=1000)
        assert (found["total"], ids(found["items"])) == (len(late), ids(late))

    async def test_a_walk_along_cursors_meets_each_call_once(self, company: Company) -> None:
        for tag in ("vip", "rare", "old"):
            found: list[str] = []
            cursor: str | None = None
            while True:
                more = {} if cursor is None else {"cursor": cursor}
                got = await page(company.user, tag=tag, limit=9, **more)
                assert got["total"] == len(company.tagged(tag))
                found += ids(got["items"])
                cursor = got["next_cursor"]
                if cursor is None:
                    break
            assert found == ids(company.tagged(tag))

    async def test_a_cursor_is_bound_to_the_value(self, company: Company) -> None:
        cursor = (await page(company.user, tag="vip", limit=5))["next_cursor"]
        for params in ({}, {"tag": "rare"}, {"tag": "vip", "above": "1"}):
            answer = await company.user.get("/call-logs", params={**params, "cursor": cursor})
            assert (answer.status, answer.code) == (400, "REQUEST_001")
        for limit in (5, 6):
            again = await company.user.get("/call-logs", params={"tag": "vip", "cursor": cursor, "limit": str(limit)})
            assert again.status == 200

    async def test_the_export_holds_what_matches_and_goes_on_after_a_line(self, company: Company) -> None:
        expected = company.tagged("vip")
        assert ids(await exported(company.user, {"tag": "vip"})) == ids(expected)
        rest = await exported(company.user, {"tag": "vip", "before": expected[20]["id"]})
        assert ids(rest) == ids(expected[21:])


def tenths(part: int, whole: int, digits: int = 1) -> float:
    scale = 10**digits
    return (part * scale * 2 + whole) // (whole * 2) / scale if whole else 0


def statistics(calls: Sequence[Log]) -> dict[str, Any]:
    completed = [call for call in calls if call["status"] == "completed"]
    timed = [call["duration_seconds"] for call in completed if call["duration_seconds"] is not None]
    micros = sum(round(call["cost"] * 1_000_000) for call in calls if call["cost"])
    return {
        "total_calls": len(calls),
        "completed_calls": len(completed),
        "failed_calls": sum(call["status"] in FAILED for call in calls),
        "average_duration": tenths(sum(timed), len(timed), 0),
        "success_rate": tenths(100 * len(completed), len(calls)),
        "cost_per_call": tenths(micros, 1_000_000 * len(calls), 2),
    }


def felt(calls: Sequence[Log]) -> dict[str, int]:
    seen = Counter(call["sentiment"] for call in calls)
    return {name: seen[name] for name in ("positive", "neutral", "negative")}


def top(calls: Sequence[Log], field: str, name: str) -> list[Log]:
    counts = Counter(word for call in calls for word in {each.strip().casefold() for each in call[field]} - {""})
    best = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:20]
    return [{name: word, "count": count, "frequency": tenths(100 * count, len(calls))} for word, count in best]


def began(call: Log) -> datetime:
    return datetime.fromisoformat(call["created_at"])


RANGES: list[tuple[dict[str, str], Callable[[datetime], bool]]] = [
    ({}, lambda at: True),
    (
        {"days": "20"},
        lambda at: at >= datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=20),
    ),
    (
        {"start_date": (NOW - timedelta(days=30, minutes=7)).isoformat().replace("+00:00", "Z")},
        lambda at: at >= NOW - timedelta(days=30, minutes=7),
    ),
    ({"end_date": (NOW - timedelta(days=9)).date().isoformat()}, lambda at: at.date() <= (NOW - timedelta(9)).date()),
    ({"start_date": "2020-01-02", "end_date": "2020-01-01"}, lambda at: False),
]


class TestAnalytics:
    @pytest.mark.parametrize("tag", ["vip", "rare", "unheard-of"])
    @pytest.mark.parametrize("number", range(len(RANGES)))
    async def test_every_figure_is_that_of_the_calls_that_match(self, company: Company, tag: str, number: int) -> None:
        params, within = RANGES[number]
        calls = [call for call in company.tagged(tag) if within(began(call))]

        async def data(name: str, **more: str) -> Any:
            answer = await company.user.get(f"/analytics/{name}", params={**params, "tag": tag, **more})
            assert answer.status == 200, answer.content
            return answer.data

        assert await data("calls") == statistics(calls)
        feelings = felt(calls)
        shares = {f"{name}_percentage": tenths(100 * n, sum(feelings.values())) for name, n in feelings.items()}
        assert await data("sentiment") == {**feelings, **shares}
        assert await data("top-phrases") == top(calls, "key_phrases", "phrase")
        assert await data("emotions") == top(calls, "emotions", "emotion")
        for name, field in (("agent-performance", "agent_id"), ("campaign-stats", "campaign_id")):
            groups = {
                subject: [call for call in calls if call[field] == subject] for subject in {c[field] for c in calls}
            }
            groups.pop(None, None)
            expected = [{field: subject, **statistics(its), **felt(its)} for subject, its in groups.items()]
            expected.sort(key=lambda row: (-row["total_calls"], row[field]))
            assert await data(name) == expected
        agent = next(call["agent_id"] for call in company.calls if call["agent_id"])
        assert await data("calls", agent_id=agent) == statistics([c for c in calls if c["agent_id"] == agent])

    async def test_days_and_hours_add_up(self, company: Company) -> None:
        since = (NOW - timedelta(days=12)).date()
        calls = [call for call in company.tagged("vip") if began(call).date() >= since]
        for path, name, width in (("daily-calls", "date", 10), ("hourly-calls", "hour", 13)):
            params = {"tag": "vip", "start_date": since.isoformat()}
            rows = (await company.user.get(f"/analytics/{path}", params=params)).data
            for row in rows:
                its = [call for call in calls if call["created_at"][:width] == row[name][:width]]
                assert {key: value for key, value in row.items() if key != name} == statistics(its)
            assert sum(row["total_calls"] for row in rows) == len(calls)

    @pytest.mark.parametrize("by", ["", "agent"])
    async def test_the_file_of_figures_too(self, company: Company, by: str) -> None:
        params = {"tag": "vip", **({"by": by} if by else {})}
        answer = await company.user.get("/analytics/export", params=params)
        rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
        for row in rows:
            its = [call for call in company.tagged("vip") if call["created_at"][:10] == row["day"]]
            its = [call for call in its if not by or call["agent_id"] == row["agent_id"]]
            assert int(row["total_calls"]) == len(its)
            assert int(row["positive"]) == felt(its)["positive"]
        counted = [call for call in company.tagged("vip") if not by or call["agent_id"]]
        assert sum(int(row["total_calls"]) for row in rows) == len(counted)

    async def test_a_figure_follows_what_is_changed(self, company: Company) -> None:
        call = next(call for call in company.tagged("vip") if call["status"] == "queued")
        before = (await company.user.get("/analytics/calls", params={"tag": "vip"})).data["failed_calls"]
        assert (await company.user.patch(f"/call-logs/{call['id']}", {"status": "busy"})).status == 200
        call["status"] = "busy"
        after = (await company.user.get("/analytics/calls", params={"tag": "vip"})).data["failed_calls"]
        assert after == before + 1

    async def test_the_rollups_say_that_they_do_not_know(self, company: Company) -> None:
        hooks, query = company.app.resources.hooks, CallQuery(owner_id=UUID(int=7), extra=((TAG, "vip"),))
        parameters = Values()
        assert await hooks.first("count_calls", query=query, parameters=parameters) is None
        assert parameters.all == []
        async with company.app.resources.db.connection() as connection:
            asked = {"connection": connection, "query": query, "skip": 600, "limit": 51}
            assert await hooks.first("seek_calls", **asked) is None
            known = replace(query, extra=())
            assert await hooks.first("seek_calls", **{**asked, "query": known}) is not None

    async def test_without_the_analytics_the_list_is_the_same(self, company: Company, stack: Settings) -> None:
        environ = settings_for_tests(stack, {"VOICERA_PLUGINS_DISABLED": "analytics"})
        async with running_app(environ, plugins=[with_filters("tags", TAG)], migrated=True) as app:
            client = Client(app.url, app.client.session, company.user.token)
            found = await page(client, tag="vip", limit=1000)
            assert (found["total"], ids(found["items"])) == (len(company.tagged("vip")), ids(company.tagged("vip")))


class Colour(StrEnum):
    red = "red"
    blue = "blue"


class TestTheParameter:
    async def test_it_is_documented_on_each_of_the_routes(self, company: Company) -> None:
        document = (await company.user.get("/openapi.json")).json
        for path in (*LISTS, *ANALYTICS):
            found = {each["name"]: each for each in document["paths"][path]["get"]["parameters"]}
            assert found["tag"] == {
                "name": "tag",
                "in": "query",
                "required": False,
                "schema": {"type": "string", "minLength": 1, "maxLength": 40},
                "description": "Only calls with this tag.",
            }
            assert found["above"]["schema"] == {"type": "integer"}
        openapi_check.Checker(document)

    @pytest.mark.parametrize("path", [*LISTS, *ANALYTICS])
    @pytest.mark.parametrize(
        ("query", "field", "said"),
        [
            ("tag=", "tag", "Expected str of length >= 1"),
            ("above=much", "above", "Expected int, got str"),
            ("tag=a&tag=b", "tag", "is given twice"),
        ],
    )
    async def test_a_value_that_cannot_be_is_refused_by_name(
        self, company: Company, path: str, query: str, field: str, said: str
    ) -> None:
        answer = await company.user.get(f"{path}?{query}")
        assert (answer.status, answer.code) == (400, "REQUEST_001")
        assert answer.error["details"] == [{"field": field, "message": said}]

    async def test_an_unknown_one_is_refused_and_names_those_that_there_are(self, company: Company) -> None:
        answer = await company.user.get("/analytics/calls?tags=vip")
        assert (answer.status, answer.code) == (400, "REQUEST_001")
        assert answer.error["details"][0]["field"] == "tags"
        assert answer.error["details"][0]["message"].endswith("end_date, tag, above")

    async def test_an_application_without_the_plugin_knows_no_such_parameter(self, user: Client) -> None:
        for path in (*LISTS, *ANALYTICS):
            assert (await user.get(path, params={"tag": "vip"})).code == "REQUEST_001"

    async def test_its_type_may_be_any_that_a_text_can_be_read_as(self, stack: Settings, running: Running) -> None:
        seen: list[Any] = []

        def condition(value: Any, owner: str, parameters: Parameters) -> str:
            seen.append(value)
            return "true"

        kinds = {"colour": Colour, "subject": UUID, "many": bool}
        filters = [CallFilter(name, kind, "…", condition) for name, kind in kinds.items()]
        async with running_app(settings_for_tests(stack), plugins=[with_filters("f", *filters)], migrated=True) as app:
            user = await app.client.new_user()
            params = {"colour": "red", "subject": str(UUID(int=7)), "many": "true"}
            assert (await user.get("/call-logs/export", params=params)).status == 200
            assert seen == [Colour.red, UUID(int=7), True]
            refused = await user.get("/call-logs", params={"colour": "green"})
            assert refused.error["details"] == [{"field": "colour", "message": "must be one of red, blue"}]
            openapi_check.Checker(app.app.ctx.openapi.document)

    async def test_a_condition_that_is_no_text_is_an_error_of_the_server(
        self, stack: Settings, running: Running
    ) -> None:
        wrong = CallFilter("wrong", str, "…", lambda value, owner, parameters: None)  # type: ignore[arg-type, return-value]  # what is tested
        async with running_app(settings_for_tests(stack), plugins=[with_filters("w", wrong)], migrated=True) as app:
            user = await app.client.new_user()
            assert (await user.get("/call-logs", params={"wrong": "x"})).code == "SERVER_001"
            assert (await user.get("/call-logs")).status == 200


def start(*modules: ModuleType) -> None:
    assemble(*discover(environ={}, extra=modules))


class TestTheStart:
    def test_two_plugins_with_one_name_stop_it_and_both_are_named(self) -> None:
        with pytest.raises(PluginError, match="parameter tag is claimed by both one and two"):
            start(with_filters("one", TAG), with_filters("two", TAG))

    @pytest.mark.parametrize("name", ["status", "cursor", "days", "timezone"])
    def test_a_name_that_a_route_has_already_stops_it_and_both_are_named(self, name: str) -> None:
        taken = CallFilter(name, str, "…", tagged_with)
        with pytest.raises(PluginError, match=rf"parameter {name} of GET /.* is claimed by both \w+ and one"):
            start(with_filters("one", taken))

    @pytest.mark.parametrize(
        ("filters", "said"),
        [
            (["tag"], "register_call_filters() returned a list with a str in it, where a sequence of QueryParameter"),
            ([CallFilter("Tag", str, "…", tagged_with)], "the query parameter 'Tag' has a name that is none"),
            ([CallFilter("tag", lambda: 1, "…", tagged_with)], "the query parameter tag: "),
        ],
    )
    def test_a_plugin_that_brings_what_is_no_filter_is_left_out(self, filters: list[Any], said: str) -> None:
        settings, plugins = discover(environ={}, extra=[with_filters("one", *filters), with_filters("two", TAG)])
        [route] = [route for route in assemble(settings, plugins).routes if route.path == "/analytics/calls"]
        assert list(route.extra) == ["tag"]
        [one] = [info for info in plugins.infos() if info.name == "one"]
        assert one.status == "failed"
        assert said in (one.error or "")

    def test_where_nobody_asks_for_filters_there_are_none(self) -> None:
        assembly = assemble(*discover(environ={"VOICERA_PLUGINS_DISABLED": "calls"}))
        [route] = [route for route in assembly.routes if route.path == "/analytics/calls"]
        assert route.extra == {}

    def test_a_plugin_that_raises_is_left_out_with_its_routes(self) -> None:
        def fail() -> Sequence[QueryParameter]:
            raise RuntimeError("no filters today")

        from voicera import Blueprint, Request, public, reply

        blueprint = Blueprint("/one")

        @blueprint.get()
        @public
        async def one(request: Request) -> Any:
            """Show one."""
            return reply(1)

        broken = module("one", register_call_filters=fail, register_blueprints=lambda: [blueprint])
        settings, plugins = discover(environ={}, extra=[broken])
        assembly = assemble(settings, plugins)
        assert "/one" not in {route.path for route in assembly.routes}
        assert [info.error for info in plugins.infos() if info.name == "one"] == ["RuntimeError: no filters today"]
