"""Every bundled plugin keeps the rules for plugins, and every rule is broken by a plugin made for that."""

from __future__ import annotations

import io
import sys
import wave
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

import pytest
from piccolo import columns
from piccolo.conf.apps import AppConfig
from piccolo.table import Table
from pydantic import Field

from plugins import agents, analytics, auth, calls, campaigns, demo
from voicera import (
    ApiError,
    Blueprint,
    Principal,
    Reply,
    Request,
    SettingsSection,
    Struct,
    hookimpl,
    memory_storage,
    public,
    reply,
    requires,
)
from voicera.testing import Applications, Client, a_call, check_plugin
from voicera.testing.conformance import RULES, Subject, running_subject


async def make_campaign(client: Client) -> str:
    agent = await client.post("/agents", {"name": "Conformance"})
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    body = {"name": "Spring", "agent_id": agent.data["id"], "phone_numbers": ["+1234567890"], "end_time": later}
    return str((await client.post("/campaigns", body)).data["id"])


async def make_recording(client: Client) -> str:
    call_id = str((await client.post("/call-logs", a_call())).data["id"])
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(1600))
    sent = await client.put(f"/call-recordings/{call_id}", body=file.getvalue(), headers={"Content-Type": "audio/wav"})
    assert sent.status == 201, sent.content
    return call_id


TestAgents = check_plugin(agents)
TestDemo = check_plugin(demo)
TestCalls = check_plugin(calls, make={"/call-recordings": make_recording})
TestCampaigns = check_plugin(campaigns, make={"/campaigns": make_campaign})
TestMemoryStorage = check_plugin(
    memory_storage, public={"GET /memory-storage/{token}": "a presigned address is its own credential"}
)
TestAuth = check_plugin(
    auth,
    shared_codes=["AUTH"],  # the reference gives them to the kernel's checks and to the accounts alike
    public={
        "POST /auth/register": "whoever registers has no account yet",
        "POST /auth/login": "whoever logs in has no token yet",
        "POST /auth/refresh-token": "it reads the refresh token by itself",
    },
    shared_tables={
        "users": "they are the owners",
        "sessions": "a session is what says who the owner is",
        "refresh_tokens": "found by their hash, before anybody is known",
        "api_keys": "found by their hash, before anybody is known",
    },
)
TestAnalytics = check_plugin(
    analytics,
    public={
        "GET /dashboard": "the page logs in by itself",
        "GET /dashboard/assets/{version}/{name}": "script and style of that page",
    },
    shared_tables={
        "rollup_lock": "it is locked and holds no rows",
        "rollup_marks": "when all rollups were folded last",
    },
)


def plugin(name: str, **members: Any) -> ModuleType:
    """A plugin module made here; functions become hook implementations."""
    module = ModuleType(name)
    for key, value in members.items():
        setattr(module, key, hookimpl(optionalhook=True)(value))
    return module


def subject_of(module: ModuleType, **told: Any) -> Subject:
    return Subject(module, told.pop("name", "bad"), **told)


class Unexplained(ApiError):
    code, status = "AGENT_9", 200


class Unregistered(ApiError):
    """Nobody registers it."""

    code, status = "BAD_001", 404


class BadSettings(SettingsSection):
    port: int = Field(1)


async def undocumented(request: Request) -> Reply:
    return reply(None)


def routes_of_bad() -> list[Blueprint]:
    blueprint = Blueprint("/bad")
    blueprint.get("", raises=(Unregistered,))(public(undocumented))
    return [blueprint]


async def registering_late() -> list[Any]:
    return []


# Rules about what is declared: a module that breaks each, and what is said of it.
DECLARED: dict[str, tuple[Callable[[], ModuleType], str]] = {
    "it_implements_hooks": (lambda: plugin("bad"), "bad has none"),
    "its_hooks_exist": (
        lambda: plugin("bad", register_blueprintz=routes_of_bad),
        "register_blueprintz is specified nowhere",
    ),
    "its_hooks_take_what_they_are_given": (
        lambda: plugin("bad", readiness_checks=lambda app: {}),
        "readiness_checks takes app; there is resources",
    ),
    "its_hooks_are_async_where_they_are_awaited": (
        lambda: plugin("bad", register_errors=registering_late),
        "register_errors is to be def",
    ),
    "its_names_are_its_own": (
        lambda: plugin("bad", register_piccolo_apps=lambda: ["plugins.agents.piccolo_app"]),
        "the app agents does not begin with bad",
    ),
    "its_error_codes_are_its_own": (
        lambda: plugin("bad", register_errors=lambda: [Unexplained]),
        "Unexplained: the code AGENT_9 is not of the form PREFIX_001",
    ),
    "its_errors_say_what_they_mean": (
        lambda: plugin("bad", register_errors=lambda: [Unexplained]),
        "Unexplained: ''",
    ),
    "its_routes_raise_registered_errors": (
        lambda: plugin("bad", register_blueprints=routes_of_bad),
        "GET /bad raises Unregistered (BAD_001)",
    ),
    "its_routes_are_documented": (
        lambda: plugin("bad", register_blueprints=routes_of_bad),
        "GET /bad: undocumented has no docstring",
    ),
    "its_public_routes_are_known": (
        lambda: plugin("bad", register_blueprints=routes_of_bad),
        "GET /bad is public, and no reason is given",
    ),
    "its_settings_are_explained": (
        lambda: plugin("bad", register_settings=lambda: [BadSettings]),
        "BadSettings.port is a setting of somebody else",
    ),
}


@pytest.mark.parametrize("name", DECLARED)
async def test_a_rule_about_what_is_declared_can_be_broken(name: str) -> None:
    make, said = DECLARED[name]
    assert said in await broken(name, subject_of(make()))


async def test_codes_of_another_plugin_are_not_ones_own() -> None:
    class Taken(ApiError):
        """Taken."""

        code, status = "AGENT_007", 409

    subject = subject_of(plugin("bad", register_errors=lambda: [Taken]))
    said = await broken("its_error_codes_are_its_own", subject)
    assert said == ["Taken: codes that begin with AGENT_ belong to agents"]


async def test_what_is_listed_as_public_and_is_not_is_named() -> None:
    subject = subject_of(agents, name="agents", public={"GET /nowhere": "once it was"})
    assert await broken("its_public_routes_are_known", subject) == ["GET /nowhere is listed, and is no public route"]


@pytest.mark.parametrize(
    ("source", "event"),
    [
        ("import socket; socket.create_server(('127.0.0.1', 0)).close()", "socket.bind"),
        ("open(__file__ + '.log', 'w').close()", "open"),
        ("import threading, time; threading.Thread(target=time.sleep, args=(1,), daemon=True).start()", "a thread"),
    ],
)
async def test_an_import_that_does_something_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, event: str
) -> None:
    name = f"bad_{uuid4().hex}"
    (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = __import__(name)
    [said] = await broken("importing_it_does_nothing", subject_of(module))
    assert event in said


class Thing(Table, tablename="bad_things"):
    id = columns.UUID(primary_key=True, default=None)
    name = columns.Text()


MIGRATION = """
import time
from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = f"{time.time_ns()}"

async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="bad", description="")

    async def run():
        for statement in (
            "CREATE TABLE IF NOT EXISTS bad_things (id text PRIMARY KEY)",
            "COMMENT ON TABLE bad_things IS 'voicera:bad'",
            "CREATE TABLE IF NOT EXISTS bad_unclaimed (owner_id uuid PRIMARY KEY)",
        ):
            await engine_finder().run_ddl(statement)

    manager.add_raw(run)
    return manager
"""
_things: dict[UUID, str] = {}


class NewThing(Struct, forbid_unknown_fields=True):
    name: str


def leaking() -> list[Blueprint]:
    """Routes that know no owners."""
    blueprint = Blueprint("/bad-things")

    @blueprint.post(body=NewThing, returns=dict[str, str], status=201, examples={"body": {"name": "x"}})
    @requires("bad:write")
    async def make_thing(request: Request) -> Reply:
        """Make a thing."""
        made = uuid4()
        _things[made] = request.decode(NewThing).name
        return reply({"id": str(made)}, status=201)

    @blueprint.get("/{thing_id}", returns=dict[str, str], raises=(Unregistered,))
    @requires("bad:read")
    async def get_thing(request: Request, thing_id: UUID) -> Reply:
        """Get anybody's thing."""
        if thing_id not in _things:
            raise Unregistered
        return reply({"name": _things[thing_id]})

    @blueprint.get("", returns=list[str])
    @requires("bad:read")
    async def list_things(request: Request) -> Reply:
        """List things to anybody, see `letting_in`."""
        return reply([])

    return [blueprint]


async def letting_in(request: Request) -> Principal | None:
    if request.path != "/bad-things" or request.method != "GET":
        return None
    return Principal(uuid4(), "user", frozenset({"*"}), uuid4())


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """A plugin that runs, and breaks every rule that needs an application."""
    folder = tmp_path_factory.mktemp("piccolo_migrations")
    (folder / "bad_0001.py").write_text(MIGRATION)
    app: Any = ModuleType("bad_piccolo_app")
    app.APP_CONFIG = AppConfig(app_name="bad", migrations_folder_path=str(folder), table_classes=[Thing])
    sys.modules["bad_piccolo_app"] = app
    module = plugin(
        "bad",
        register_piccolo_apps=lambda: ["bad_piccolo_app"],
        register_errors=lambda: [Unregistered],
        register_blueprints=leaking,
    )
    vars(module)["authenticate"] = hookimpl(tryfirst=True)(letting_in)
    return module


@pytest.fixture
async def running_bad(voicera_apps: Applications, bad: ModuleType) -> Subject:
    return await running_subject({"module": bad, "name": "bad"}, voicera_apps, {}, ())


# Rules that need an application, and what is said of the plugin above.
RUNNING = {
    "its_migrations_are_named": "does not begin with bad_",
    "its_migrations_make_its_tables": "bad_things: the column name is in the Piccolo table alone",
    "migrating_again_changes_nothing": "ran again",
    "its_rows_belong_to_an_owner": "bad_things: id leads its key",
    "it_refuses_anonymous_callers": "GET /bad-things answers 200 None",
    "it_refuses_other_scopes": "GET /bad-things answers 200 None to a key with agents:read",
    "it_hides_what_others_have": "GET /bad-things/{thing_id} answers 200 to another's id, and 404 BAD_001",
}


@pytest.mark.parametrize("name", RUNNING)
async def test_a_rule_about_what_is_stored_and_served_can_be_broken(name: str, running_bad: Subject) -> None:
    assert RUNNING[name] in "\n".join(await broken(name, running_bad))


async def test_what_its_tables_lack_is_named_one_by_one(running_bad: Subject) -> None:
    said = await broken("its_migrations_make_its_tables", running_bad)
    assert "bad_things: the column id is text, declared as uuid" in said
    assert "bad_unclaimed has no comment 'voicera:bad'" in said


async def test_a_route_that_is_not_in_the_document_is_named(running_bad: Subject) -> None:
    running_bad.routes = [*running_bad.routes, replace(running_bad.routes[0], path="/not-there")]
    assert "POST /not-there is missing" in await broken("its_routes_are_in_the_document", running_bad)


async def test_a_plugin_that_fails_to_start_says_why_and_the_other_tests_are_skipped(
    voicera_apps: Applications,
) -> None:
    def register_settings() -> list[Any]:
        raise RuntimeError("no licence")

    failing = plugin("bad", register_settings=register_settings)
    subject = await running_subject({"module": failing, "name": "bad"}, voicera_apps, {}, ())
    assert await broken("it_is_active", subject) == ["it is failed: RuntimeError: no licence"]
    tests: Any = check_plugin(failing, name="bad")
    with pytest.raises(pytest.skip.Exception, match="see test_it_is_active"):
        await tests().test_its_rows_belong_to_an_owner(voicera_apps, {}, ())


async def test_a_test_that_fails_says_the_rule_the_reason_and_the_way_out(voicera_apps: Applications) -> None:
    tests: Any = check_plugin(plugin("bad", readiness_checks=lambda app: {}))
    with pytest.raises(pytest.fail.Exception) as failure:
        await tests().test_its_hooks_take_what_they_are_given(voicera_apps, {}, ())
    assert str(failure.value).splitlines() == [
        "Every implementation takes only arguments that the hook's specification has.",
        "Why: arguments are passed by name, and a plugin with another name is left out at the start.",
        "Way out: take any of the specification's arguments, in any order, and no others.",
        "",
        "  - readiness_checks takes app; there is resources",
    ]


def test_every_rule_has_a_reason_a_way_out_and_a_plugin_that_breaks_it() -> None:
    apart = {"importing_it_does_nothing", "its_routes_are_in_the_document", "it_is_active"}
    assert {rule.name for rule in RULES} == DECLARED.keys() | RUNNING.keys() | apart
    for rule in RULES:
        says, why, way_out = rule.parts
        assert says.endswith("."), rule.name
        assert why.startswith("Why: "), rule.name
        assert way_out.startswith("Way out: "), rule.name


async def broken(name: str, subject: Subject) -> list[str]:
    return await next(rule for rule in RULES if rule.name == name).broken(subject)


def test_the_page_about_testing_names_every_rule_and_every_fixture() -> None:
    import pytest_voicera

    page = (Path(__file__).parents[2] / "docs" / "testing-plugins.md").read_text()
    fixtures = [name for name, value in vars(pytest_voicera).items() if type(value).__name__.startswith("FixtureFunc")]
    assert len(fixtures) > 10
    for name in [*fixtures, *(f"test_{rule.name}" for rule in RULES)]:
        assert f"`{name}`" in page, name
