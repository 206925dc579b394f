"""A plugin that goes wrong, whatever way: what the service does, what the log says, and what GET /plugins says."""

from __future__ import annotations

import asyncio
import importlib
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, nullcontext
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import create_model

from core import API_VERSION, figure_store
from core import plugins as kernel_plugins
from core.app import assemble, discover
from core.breaker import IN_A_ROW
from core.http.blueprint import RouteError
from core.migrations import app_modules, leave_out_unmigrated, migrate
from core.plugins import PluginClash, PluginInfo, Plugins
from core.settings import ConfigurationError, Settings
from voicera import (
    ApiError,
    Blueprint,
    Limit,
    PreconditionFailed,
    Request,
    SettingsSection,
    hookimpl,
    hookspec,
    memory_storage,
    public,
    reply,
)
from voicera.testing import Running, eventually, fresh_database, running_app, settings_for_tests

COLOURED = """
from voicera import SettingsSection, hookimpl

class Coloured(SettingsSection):
    colour: {kind} | None = None
    shade_of_{kind}: int = 0

@hookimpl
def register_settings():
    return [Coloured]
"""
CALL = {"phone_number": "+1234567890", "status": "completed"}


def plugin(name: str, **members: Any) -> ModuleType:
    """A plugin module made here; functions become hook implementations."""
    module = ModuleType(name)
    for key, value in members.items():
        setattr(module, key, hookimpl(value) if callable(value) and not isinstance(value, type) else value)
    return module


def brought(*modules: ModuleType, **environ: str) -> dict[str, PluginInfo]:
    settings, plugins = discover(environ=environ, extra=modules)
    assemble(settings, plugins)
    app_modules(plugins)
    return {info.name: info for info in plugins.infos()}


def named(caplog: pytest.LogCaptureFixture, message: str) -> list[str]:
    return [record.__dict__["plugin"] for record in caplog.records if record.message.startswith(message)]


async def shown(app: Running, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {entry["name"]: entry for entry in (await app.client.get("/plugins")).data}[name]
    return found


def figure(entry: dict[str, Any], hook: str) -> dict[str, Any]:
    found: dict[str, Any] = {one["hook"]: one for one in entry["figures"]}[hook]
    return found


class Broken(ApiError):
    """Broken."""

    code, status = "BROKEN_001", 409


class Codeless(ApiError):
    """No code."""


class Harmless(ApiError):
    """No error."""

    code, status = "BROKEN_002", 200


NONSENSE = [
    ("register_settings", ["x"], "a list with a str in it, where a sequence of SettingsSection classes belongs"),
    ("register_blueprints", "/x", "a str, where a sequence of Blueprints belongs"),
    ("register_blueprints", None, "None, where a sequence of Blueprints belongs"),
    ("register_piccolo_apps", [1], "a list with an int in it, where a sequence of import paths belongs"),
    ("register_errors", 7, "an int, where a sequence of ApiError classes, each with code and status, belongs"),
    ("register_errors", [ValueError], "a list with the class ValueError in it, where"),
    ("register_errors", [Codeless], "a list with the class Codeless, which has no code, in it, where"),
    ("register_errors", [Harmless], "a list with BROKEN_002, whose status is no error's, in it, where"),
    ("register_rate_limits", {"x": 5}, "a dict with an int in it, where a mapping of names to Limits belongs"),
    ("register_rate_limits", {5: Limit(1, 1)}, "a dict with an int as a name, where"),
    ("register_rate_limits", [Limit(1, 1)], "a list, where a mapping of names to Limits belongs"),
    ("register_hookspecs", "calls", "a str, where a module belongs"),
]


class TestAtTheStart:
    def test_one_that_fails_on_import_is_left_out_and_its_error_shown(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        for name, text in {"bad_import": "import nothing_like_it", "bad_exit": "raise SystemExit(3)"}.items():
            (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        found = [EntryPoint(name, name, kernel_plugins.GROUP) for name in ("bad_import", "bad_exit")]
        monkeypatch.setattr(kernel_plugins, "entry_points", lambda group: found)
        infos = brought()
        assert infos["bad_import"].status == infos["bad_exit"].status == "failed"
        assert infos["bad_import"].error == "ModuleNotFoundError: No module named 'nothing_like_it'"
        assert infos["bad_exit"].error == "SystemExit: 3"
        assert named(caplog, "plugin left out") == ["bad_exit", "bad_import"]

    @pytest.mark.parametrize(
        "hook", ["register_settings", "register_errors", "register_blueprints", "register_hookspecs"]
    )
    def test_one_whose_hook_raises_is_left_out(self, hook: str, caplog: pytest.LogCaptureFixture) -> None:
        def fails() -> Any:
            raise RuntimeError("no licence")

        info = brought(plugin("broken", **{hook: fails}))["broken"]
        assert (info.status, info.error) == ("failed", "RuntimeError: no licence")
        assert named(caplog, "plugin left out") == ["broken"]

    @pytest.mark.parametrize(("hook", "answer", "said"), NONSENSE)
    def test_one_that_returns_nonsense_is_left_out_and_the_sentence_says_what_belongs_there(
        self, hook: str, answer: Any, said: str
    ) -> None:
        implementation: Callable[..., Any] = (lambda settings: answer) if "limits" in hook else (lambda: answer)
        infos = brought(plugin("broken", **{hook: implementation}))
        error = infos["broken"].error
        assert error is not None
        assert error.startswith(f"{hook}() returned {said}")
        assert {info.status for name, info in infos.items() if name != "broken"} == {"active"}

    def test_an_async_start_up_hook_is_named(self) -> None:
        async def register_blueprints() -> Any:
            return []

        info = brought(plugin("broken", register_blueprints=register_blueprints))["broken"]
        assert info.error == "register_blueprints() is called at the start and must not be async"

    def test_nothing_is_taken_of_one_that_fails_halfway(self) -> None:
        module = plugin(
            "half",
            register_errors=lambda: [Broken],
            register_rate_limits=lambda settings: {"half": Limit(1, 1)},
            register_blueprints=lambda: "nonsense",
        )
        settings, plugins = discover(environ={}, extra=[module])
        assembly = assemble(settings, plugins)
        assert Broken not in assembly.errors
        assert "half" not in assembly.limits

    def test_an_argument_that_a_hook_does_not_give_is_named(self) -> None:
        async def ours(request: Any, colour: Any) -> None: ...

        async def of_a_plugin(resources: Any, colour: Any) -> None: ...

        infos = brought(plugin("one", authenticate=ours), plugin("two", calls_recorded=of_a_plugin))
        assert "colour" in (infos["one"].error or "")
        assert infos["two"].error == "its calls_recorded takes colour, which the hook does not give"

    def test_a_hook_wrapper_is_named(self) -> None:
        module = ModuleType("wrapping")

        def authenticate(request: Any) -> Any:
            return (yield)

        module.authenticate = hookimpl(wrapper=True)(authenticate)  # type: ignore[attr-defined]
        assert brought(module)["wrapping"].error == "its authenticate is a hook wrapper, which VoiceERA does not call"

    def test_strictness_makes_any_of_it_fatal(self) -> None:
        with pytest.raises(kernel_plugins.PluginError, match=r"plugin broken: register_blueprints\(\) returned a str"):
            brought(plugin("broken", register_blueprints=lambda: "x"), VOICERA_STRICT_PLUGINS="1")


class TestApiVersion:
    @pytest.mark.parametrize("wanted", [None, API_VERSION, "1.0"])
    def test_one_that_fits_is_taken(self, wanted: str | None) -> None:
        assert brought(plugin("fits", api_version=wanted))["fits"].status == "active"

    @pytest.mark.parametrize(
        ("wanted", "said"),
        [
            ("1.999", f"it needs the plugin API 1.999, and this is {API_VERSION}: update VoiceERA"),
            ("2.0", f"it needs the plugin API 2.0, and this is {API_VERSION}: update VoiceERA"),
            ("0.9", f"it was written for the plugin API 0.9, and this is {API_VERSION}: it needs a newer version"),
            (1, f'its api_version is 1: write "{API_VERSION}", a string'),
            ("one", f"its api_version is 'one': write \"{API_VERSION}\", a string"),
        ],
    )
    def test_one_that_does_not_is_left_out_with_a_clear_sentence(self, wanted: Any, said: str) -> None:
        info = brought(plugin("misfit", api_version=wanted, register_blueprints=lambda: 1 / 0))["misfit"]
        assert (info.status, info.error) == ("failed", said)


class TestDeprecation:
    async def test_what_is_deprecated_works_on_and_warns_naming_the_plugin(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        specifications = ModuleType("specifications")

        async def old_question(topic: str, colour: str) -> Any: ...

        async def new_question(topic: str, colour: str) -> Any: ...

        specifications.old_question = hookspec(  # type: ignore[attr-defined]
            warn_on_impl=DeprecationWarning("old_question goes with API 2.0: implement new_question")
        )(old_question)
        specifications.new_question = hookspec(  # type: ignore[attr-defined]
            warn_on_impl_args={"colour": DeprecationWarning("colour goes with API 2.0")}
        )(new_question)

        async def answers(topic: str) -> str:
            return topic

        async def colours(colour: str) -> str:
            return colour

        late = plugin("late", old_question=answers)
        modules = [
            late,
            plugin("colourful", new_question=colours),
            plugin("asker", register_hookspecs=lambda: specifications),
        ]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            plugins = Plugins.discover(extra=modules)
        assert {str(one.message) for one in caught} == {
            "old_question goes with API 2.0: implement new_question",
            "colour goes with API 2.0",
        }
        assert {one.category for one in caught} == {DeprecationWarning}
        assert (named(caplog, "deprecated hook"), named(caplog, "deprecated argument")) == (["late"], ["colourful"])
        assert await plugins.hooks.first("old_question", topic="t", colour="c") == "t"
        assert await plugins.hooks.first("new_question", topic="t", colour="c") == "c"


class TestClashes:
    """What two plugins claim ends the start, whoever they are, and both are named."""

    def test_a_taken_route(self) -> None:
        async def health(request: Request) -> Any:
            return reply(None)

        blueprint = Blueprint()
        blueprint.get("/health")(public(health))
        with pytest.raises(PluginClash, match="GET /health is claimed by both core and thief"):
            brought(plugin("thief", register_blueprints=lambda: [blueprint]))

    def test_a_taken_error_code(self) -> None:
        class Taken(ApiError):
            """Taken."""

            code, status = "CALL_001", 404

        with pytest.raises(PluginClash, match="CALL_001 is claimed by both calls and thief"):
            brought(plugin("thief", register_errors=lambda: [Taken]))

    def test_a_taken_rate_limit(self) -> None:
        with pytest.raises(PluginClash, match="the rate limit upload is claimed by both calls and thief"):
            brought(plugin("thief", register_rate_limits=lambda settings: {"upload": Limit(1, 1)}))

    @pytest.mark.parametrize(
        ("name", "holder"), [("port", "core"), ("rate_limit_upload", "calls"), ("colour", "first_of_two")]
    )
    def test_a_taken_setting(self, name: str, holder: str) -> None:
        first, thief = (
            create_model(each, __base__=SettingsSection, **{field: (int, 7)})
            for each, field in (("First", "colour"), ("Thief", name))
        )
        said = f"the setting VOICERA_{name.upper()} is claimed by both {holder} and thief"
        with pytest.raises(PluginClash, match=said):
            brought(
                plugin("first_of_two", register_settings=lambda: [first]),
                plugin("thief", register_settings=lambda: [thief]),
            )

    def test_the_way_out_is_said_and_works(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        for name, kind in {"colour_by_name": "str", "colour_by_number": "int"}.items():
            (tmp_path / f"{name}.py").write_text(COLOURED.format(kind=kind))
        monkeypatch.syspath_prepend(tmp_path)
        found = [EntryPoint(name, name, kernel_plugins.GROUP) for name in ("colour_by_name", "colour_by_number")]
        monkeypatch.setattr(kernel_plugins, "entry_points", lambda group: found)
        with pytest.raises(PluginClash, match=r": VOICERA_PLUGINS_DISABLED=<one of them> starts without it$"):
            brought(VOICERA_COLOUR="red")
        infos = brought(VOICERA_COLOUR="red", VOICERA_SHADE_OF_INT="7", VOICERA_PLUGINS_DISABLED="colour_by_number")
        assert (infos["colour_by_name"].status, infos["colour_by_number"].status) == ("active", "disabled")

    async def test_a_taken_table_and_a_taken_app_name(self, servers: Settings, app_of: Callable[..., str]) -> None:
        settings = await fresh_database(servers)
        for path, said in (
            (app_of("thief", table="users"), "the table users is claimed by both auth and thief"),
            (app_of("twin", app="auth"), "the Piccolo app auth is claimed by both auth and twin"),
        ):
            name = path.partition("_app")[0]
            module = plugin(name, register_piccolo_apps=lambda path=path: [path])
            with pytest.raises(PluginClash, match=said):
                await migrate(*discover(environ=settings_for_tests(settings), extra=[module]))

    async def test_two_plugins_with_one_new_table(self, servers: Settings, app_of: Callable[..., str]) -> None:
        settings = await fresh_database(servers)
        paths = {name: app_of(name, table="things") for name in ("one", "two")}
        modules = [plugin(name, register_piccolo_apps=lambda path=path: [path]) for name, path in paths.items()]
        with pytest.raises(PluginClash, match="the table things is claimed by both one and two"):
            await migrate(*discover(environ=settings_for_tests(settings), extra=modules))

    async def test_the_storage(self, stack: Settings) -> None:
        @asynccontextmanager
        async def opened() -> Any:
            yield None

        two = [plugin(name, open_storage=lambda settings: opened()) for name in ("one", "two")]
        with pytest.raises(ConfigurationError, match="the storage is claimed by both one and two"):
            async with running_app(settings_for_tests(stack), plugins=two, migrated=True):
                pass

    def test_a_route_that_is_declared_wrongly_ends_the_start_too(self) -> None:
        async def handler(request: Request) -> Any:
            return reply(None)

        blueprint = Blueprint()
        blueprint.get("/x", limit="nope")(public(handler))
        with pytest.raises(RouteError, match="no plugin declares the rate limit 'nope'"):
            brought(plugin("one", register_blueprints=lambda: [blueprint]))


@pytest.fixture
def app_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Write a `piccolo_app` module with one migration; returns its import path."""
    monkeypatch.syspath_prepend(tmp_path)
    made: list[str] = []

    def make(name: str, *, app: str | None = None, table: str | None = None, statement: str = "SELECT 1") -> str:
        folder = tmp_path / f"{name}_migrations"
        folder.mkdir()
        (folder / f"{name}_1.py").write_text(f"ID = '{name}_1'\nasync def forwards():\n    {statement}\n")
        tables = (
            f"import piccolo.table, piccolo.columns\nclass Thing(piccolo.table.Table, tablename={table!r}):\n"
            "    name = piccolo.columns.Varchar()\nTABLES = [Thing]\n"
            if table
            else "TABLES = []\n"
        )
        (tmp_path / f"{name}_app.py").write_text(
            f"{tables}from piccolo.conf.apps import AppConfig\n"
            f"APP_CONFIG = AppConfig(app_name={app or name!r}, migrations_folder_path={str(folder)!r},\n"
            "    table_classes=TABLES, migration_dependencies=[], commands=[])\n"
        )
        made.append(f"{name}_app")
        importlib.invalidate_caches()
        return made[-1]

    yield make
    for name in made:
        sys.modules.pop(name, None)


class TestMigrations:
    async def test_one_that_fails_to_migrate_is_left_out_and_so_it_is_by_a_worker(
        self, servers: Settings, app_of: Callable[..., str], caplog: pytest.LogCaptureFixture
    ) -> None:
        settings = await fresh_database(servers)
        path = app_of("unlucky", statement="raise RuntimeError('no such luck')")
        module = plugin("unlucky", register_piccolo_apps=lambda: [path])
        async with running_app(settings_for_tests(settings), plugins=[module]) as app:
            entry = await shown(app, "unlucky")
            assert (entry["status"], entry["error"]) == ("failed", "RuntimeError: no such luck")
            assert (await app.client.get("/health")).status == 200
        assert named(caplog, "plugin left out") == ["unlucky"]
        _, plugins = discover(environ=settings_for_tests(settings), extra=[module])
        await leave_out_unmigrated(settings, plugins)
        info = {info.name: info for info in plugins.infos()}["unlucky"]
        assert (info.status, info.error) == ("failed", "its migration unlucky_1 has not run: see `voicera migrate`")

    async def test_one_that_takes_long_is_named_meanwhile(
        self,
        servers: Settings,
        app_of: Callable[..., str],
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("core.migrations.LONG_SECONDS", 0.2)
        path = app_of("slow", statement="import asyncio; await asyncio.sleep(1)")
        module = plugin("slow", register_piccolo_apps=lambda: [path])
        found, plugins = discover(environ=settings_for_tests(await fresh_database(servers)), extra=[module])
        assert "slow/slow_1" in await migrate(found, plugins)
        records = [record for record in caplog.records if record.message == "a migration takes long"]
        assert "slow/slow_1" in [record.__dict__["migration"] for record in records]
        assert "slow" in named(caplog, "a migration takes long")

    async def test_an_app_that_cannot_be_imported_is_left_out_by_migrator_and_worker(self, servers: Settings) -> None:
        settings = await fresh_database(servers)
        module = plugin("lost", register_piccolo_apps=lambda: ["nothing_like_it.piccolo_app"])
        found, plugins = discover(environ=settings_for_tests(settings), extra=[module])
        await migrate(found, plugins)
        assert plugins.failed == {"lost"}
        found, plugins = discover(environ=settings_for_tests(settings), extra=[module])
        await leave_out_unmigrated(found, plugins)
        assert plugins.failed == {"lost"}


class TestWhileAWorkerStarts:
    async def test_one_whose_lifespan_fails_is_left_out_and_its_routes_say_so(
        self, stack: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def answer(request: Request) -> Any:
            return reply("never")

        blueprint = Blueprint()
        blueprint.get("/lifeless")(public(answer))

        @asynccontextmanager
        async def failing(resources: Any) -> Any:
            raise RuntimeError("no licence server")
            yield

        broken = plugin("lifeless", lifespan=failing, register_blueprints=lambda: [blueprint])
        nonsense = plugin("shapeless", lifespan=lambda resources: 7)
        async with running_app(settings_for_tests(stack), plugins=[broken, nonsense], migrated=True) as app:
            entry = await shown(app, "lifeless")
            assert (entry["status"], entry["error"]) == ("failed", "RuntimeError: no licence server")
            error = (await shown(app, "shapeless"))["error"]
            assert error == "TypeError: lifespan() returned an int, where an asynchronous context manager belongs"
            answered = await app.client.get("/lifeless")
            assert (answered.status, answered.code) == (503, "SERVER_002")
            assert answered.error["details"] == "the plugin lifeless is out of order"
            # The others, and `voicera plugins`, are told before it serves; another worker may have had more luck.
            told = (await figure_store.read(app.resources.cache)).left_out
            lucky = plugin("lifeless", lifespan=lambda resources: nullcontext())
            async with running_app(settings_for_tests(stack), plugins=[lucky], migrated=True) as other:
                elsewhere = await shown(other, "lifeless")
        assert told["lifeless"] == "RuntimeError: no licence server"
        assert told["shapeless"].startswith("TypeError: lifespan() returned an int")
        assert {name: elsewhere[name] for name in ("status", "error", "hooks")} == {
            "status": "failed",
            "error": "RuntimeError: no licence server",
            "hooks": [],
        }
        assert named(caplog, "plugin left out") == ["lifeless", "shapeless"]

    async def test_one_whose_lifespan_hangs_or_exits_is_left_out_too(
        self, stack: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("core.resources.LIFESPAN_SECONDS", 0.2)

        @asynccontextmanager
        async def hanging(resources: Any) -> Any:
            await asyncio.Event().wait()
            yield

        @asynccontextmanager
        async def leaving(resources: Any) -> Any:
            sys.exit(3)
            yield

        modules = [plugin("sleepy", lifespan=hanging), plugin("leaver", lifespan=leaving)]
        async with running_app(settings_for_tests(stack), plugins=modules, migrated=True) as app:
            errors = [(await shown(app, name))["error"] for name in ("sleepy", "leaver")]
        assert errors == ["TimeoutError: its lifespan took longer than 0.2 s to begin", "SystemExit: 3"]
        assert named(caplog, "plugin left out") == ["sleepy", "leaver"]

    async def test_one_whose_readiness_checks_fail_is_not_ready_under_its_own_name(
        self, stack: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        modules = [
            plugin("raising", readiness_checks=lambda resources: 1 / 0),
            plugin("nonsensical", readiness_checks=lambda resources: {"x": 3}),
            plugin("silent", readiness_checks=lambda resources: None),
        ]
        async with running_app(settings_for_tests(stack), plugins=modules, migrated=True) as app:
            answer = await app.client.get("/readiness")
        assert answer.status == 503
        assert answer.data == {
            "database": "ok",
            "storage": "ok",
            "cache": "ok",
            "raising": "unavailable",
            "nonsensical": "unavailable",
        }
        assert named(caplog, "no readiness checks") == ["raising", "nonsensical"]

    @pytest.mark.parametrize(
        ("storage", "said"),
        [
            (lambda: 7, r"plugin attic: open_storage\(\) returned an int, where"),
            ("raises", "plugin attic: its storage cannot be opened: RuntimeError: locked"),
            ("yields nonsense", "plugin attic: its storage lacks methods of Storage"),
        ],
    )
    async def test_a_storage_that_is_none_ends_the_start_since_recordings_would_go_elsewhere(
        self, stack: Settings, storage: Any, said: str
    ) -> None:
        @asynccontextmanager
        async def opened() -> Any:
            if storage == "raises":
                raise RuntimeError("locked")
            yield 7

        attic = plugin("attic", open_storage=lambda settings: opened() if isinstance(storage, str) else storage())
        with pytest.raises(ConfigurationError, match=said):
            async with running_app(settings_for_tests(stack), plugins=[attic], migrated=True):
                pass


class TestWhileServing:
    async def test_one_that_fails_within_a_transaction_rolls_it_back_and_is_named_by_the_log(
        self, stack: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def calls_recording(connection: Any, batch: Any) -> None:
            raise RuntimeError("secret SELECT 1")

        broken = plugin("broken_within", calls_recording=calls_recording)
        async with running_app(settings_for_tests(stack), plugins=[broken], migrated=True) as app:
            user = await app.client.new_user()
            answer = await user.post("/call-logs/batch", [CALL])
            assert (answer.status, answer.code) == (500, "SERVER_001")
            assert b"secret" not in answer.content
            assert (await user.get("/call-logs")).data["total"] == 0
            entry = await shown(app, "broken_within")
        [record] = [record for record in caplog.records if record.message == "request failed"]
        assert (record.__dict__["plugin"], record.__dict__["hook"]) == ("broken_within", "calls_recording")
        assert "in the hook calls_recording of the plugin broken_within" in caplog.text
        assert entry["status"] == "active"
        one = figure(entry, "calls_recording")
        assert (one["calls"], one["failures"], one["last_error"]) == (1, 1, "RuntimeError"), "what it says is private"

    @pytest.mark.parametrize("hook", ["calls_recording", "calls_changing"])
    async def test_one_that_hangs_within_a_transaction_is_cut_off_named_and_counted(
        self, stack: Settings, caplog: pytest.LogCaptureFixture, hook: str
    ) -> None:
        """Single calls are recorded by a task of their own, which must end as well: others wait in its queue."""
        hanging = {"calls_recording": False, "calls_changing": False}

        async def calls_recording(connection: Any, batch: Any) -> None:
            if hanging["calls_recording"]:
                await asyncio.Event().wait()

        async def calls_changing(connection: Any, batch: Any) -> None:
            if hanging["calls_changing"]:
                await asyncio.Event().wait()

        stuck = plugin("stuck", calls_recording=calls_recording, calls_changing=calls_changing)
        environ = settings_for_tests(stack, {"VOICERA_REQUEST_DEADLINE": "1"})
        async with running_app(environ, plugins=[stuck], migrated=True) as app:
            user = await app.client.new_user()
            made = await user.post("/call-logs", CALL)
            path = f"/call-logs/{made.data['id']}"

            async def write() -> Any:
                if hook == "calls_changing":
                    return await user.patch(path, {"status": "completed", "duration_seconds": 7})
                return await user.post("/call-logs", CALL)

            hanging[hook] = True
            answer = await write()
            assert (answer.status, answer.code) == (503, "SERVER_002")
            await eventually(lambda: named(caplog, "hook timed out") and not app.resources.background._work)
            assert (await user.get("/call-logs")).data["total"] == 1
            assert (await user.get(path)).data["duration_seconds"] is None
            hanging[hook] = False
            assert (await write()).status in (200, 201)
            one = figure(await shown(app, "stuck"), hook)
        assert (one["timeouts"], one["failures"], one["last_error"]) == (1, 0, "TimeoutError")
        assert named(caplog, "hook timed out") == ["stuck"]

    async def test_one_that_exits_in_a_route_or_a_hook_ends_no_worker(
        self, stack: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def leave(request: Request) -> Any:
            sys.exit(1)

        async def calls_recording(connection: Any, batch: Any) -> None:
            sys.exit(2)

        blueprint = Blueprint()
        blueprint.get("/leaving")(public(leave))
        leaver = plugin("leaver", register_blueprints=lambda: [blueprint], calls_recording=calls_recording)
        async with running_app(settings_for_tests(stack), plugins=[leaver], migrated=True) as app:
            user = await app.client.new_user()
            answers = [await user.get("/leaving"), await user.post("/call-logs/batch", [CALL])]
            assert [(answer.status, answer.code) for answer in answers] == [(500, "SERVER_001")] * 2
            assert (await user.get("/call-logs")).data["total"] == 0
            assert figure(await shown(app, "leaver"), "calls_recording")["failures"] == 1
        assert named(caplog, "request failed") == ["leaver"] * 2

    async def test_an_api_error_within_a_transaction_refuses_the_batch_with_its_own_code(self, stack: Settings) -> None:
        async def calls_recording(connection: Any, batch: Any) -> None:
            raise PreconditionFailed("not today")

        picky = plugin("picky", calls_recording=calls_recording)
        async with running_app(settings_for_tests(stack), plugins=[picky], migrated=True) as app:
            user = await app.client.new_user()
            answer = await user.post("/call-logs/batch", [CALL])
            assert (answer.status, answer.code, answer.error["details"]) == (412, "REQUEST_006", "not today")
            assert (await user.get("/call-logs")).data["total"] == 0
            assert figure(await shown(app, "picky"), "calls_recording")["failures"] == 0

    async def test_one_that_fails_after_an_event_is_tripped_shown_and_never_noticed_by_the_client(
        self, stack: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def calls_recorded(resources: Any, batch: Any) -> None:
            raise RuntimeError("boom")

        broken = plugin("broken_after", calls_recorded=calls_recorded)
        async with running_app(settings_for_tests(stack), plugins=[broken], migrated=True) as app:
            user = await app.client.new_user()
            for _ in range(IN_A_ROW + 3):
                assert (await user.post("/call-logs", CALL)).status == 201
                await eventually(lambda: not app.resources.background._work)
            entry = await shown(app, "broken_after")
        assert (entry["status"], entry["tripped"]) == ("active", ["calls_recorded"])
        one = figure(entry, "calls_recorded")
        assert (one["calls"], one["failures"], one["skipped"]) == (IN_A_ROW, IN_A_ROW, 3)
        assert named(caplog, "hook failed") == ["broken_after"] * IN_A_ROW
        assert named(caplog, "hook tripped") == ["broken_after"]

    async def test_one_that_hangs_after_an_event_slows_nobody_and_is_given_up(
        self, stack: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        begun = asyncio.Event()

        async def calls_recorded(resources: Any, batch: Any) -> None:
            begun.set()
            await asyncio.Event().wait()

        hanging = plugin("hanging", calls_recorded=calls_recorded)
        environ = settings_for_tests(stack, {"VOICERA_AFTER_SECONDS": "0.2"})
        async with running_app(environ, plugins=[hanging], migrated=True) as app:
            user = await app.client.new_user()
            answers = await asyncio.gather(*[user.post("/call-logs", CALL) for _ in range(20)])
            assert {answer.status for answer in answers} == {201}
            await begun.wait()
            await eventually(lambda: not app.resources.background._work)
            one = figure(await shown(app, "hanging"), "calls_recorded")
        assert one["timeouts"] >= 1
        assert one["last_error"] == "TimeoutError"
        assert set(named(caplog, "hook timed out")) == {"hanging"}


class TestFiguresOfTheCluster:
    async def test_one_worker_shows_what_another_has_counted(
        self, stack: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def calls_recorded(resources: Any, batch: Any) -> None: ...

        monkeypatch.setattr(figure_store, "FLUSH_SECONDS", 3600.0)
        workers = [plugin("counted", calls_recorded=calls_recorded) for _ in range(2)]
        environ = settings_for_tests(stack)
        async with (
            running_app(environ, plugins=[workers[0]], migrated=True) as one,
            running_app(environ, plugins=[workers[1]], migrated=True) as two,
        ):
            user = await one.client.new_user()
            await user.post("/call-logs", CALL)
            await eventually(lambda: one.resources.hooks.figures.of("counted", "calls_recorded").calls == 1)
            assert (await shown(two, "counted"))["figures"] == [], "not told yet"
            before = figure(await shown(one, "counted"), "calls_recorded")
            assert before["calls"] == 1
            assert await figure_store.flush(one.resources.cache, one.resources.hooks)
            for worker in (one, two):
                assert figure(await shown(worker, "counted"), "calls_recorded") == before

    async def test_with_the_cache_away_a_worker_shows_its_own_and_tells_the_rest_later(self, stack: Settings) -> None:
        async def calls_recorded(resources: Any, batch: Any) -> None: ...

        away = settings_for_tests(stack, {"VOICERA_REDIS_URL": "redis://127.0.0.1:1"})
        module = plugin("lonely", calls_recorded=calls_recorded)
        async with running_app(away, plugins=[module], migrated=True) as app:
            user = await app.client.new_user()
            await user.post("/call-logs", CALL)
            await eventually(lambda: app.resources.hooks.figures.of("lonely", "calls_recorded").calls == 1)
            assert figure(await shown(app, "lonely"), "calls_recorded")["calls"] == 1
            assert not await figure_store.flush(app.resources.cache, app.resources.hooks)
            assert app.resources.hooks.figures.untold()["lonely", "calls_recorded"].calls == 1


class TestStorageOfAPlugin:
    async def test_recordings_are_kept_where_a_plugin_says(self, stack: Settings) -> None:
        header = b"RIFF" + (36 + 16_000).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
        header += b"\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data" + (16_000).to_bytes(4, "little")
        file = header + b"\1\2" * 8_000
        environ = settings_for_tests(stack, {"VOICERA_S3_ENDPOINT_URL": "http://127.0.0.1:1"})
        async with running_app(environ, plugins=[memory_storage], migrated=True) as app:
            storage = app.resources.storage
            assert isinstance(storage, memory_storage.MemoryStorage)
            assert (await app.client.get("/readiness")).data["storage"] == "ok"
            user = await app.client.new_user()
            call_id = (await user.post("/call-logs", CALL)).data["id"]
            path, wav = f"/call-recordings/{call_id}", {"Content-Type": "audio/wav"}
            sent = await user.put(path, body=file, headers=wav)
            assert sent.status == 201, sent.content
            assert list(storage.objects.values()) == [file]
            assert (await user.get(f"{path}/download")).content == file
            url = (await user.get(path)).data["download_url"]
            anyone = await app.client.get(url)
            assert (anyone.status, anyone.headers["Content-Type"], anyone.content) == (200, "audio/wav", file)
            assert (await app.client.get(url + "x")).code == "REQUEST_004"
            storage.away = True
            assert (await user.get(f"{path}/download")).code == "SERVER_002"
            assert (await app.client.get("/readiness")).data["storage"] == "unavailable"
            storage.away = False
            assert (await user.delete(path)).status == 204
            await eventually(lambda: storage.objects == {})

    async def test_what_is_in_parts_is_not_there_before_it_is_whole(self) -> None:
        now = [0.0]
        storage = memory_storage.MemoryStorage(lambda: now[0])
        multipart = await storage.begin("a", "audio/wav")
        part = bytearray(b"one")
        await storage.add_part(multipart, part)
        part[:] = b"xxx"
        assert await storage.read("a", 0, 9) is None
        await storage.add_part(multipart, b"two")
        await storage.complete(multipart)
        assert await storage.read("a", 2, 3) == b"et"
        url = await storage.presign("GET", "a", 10)
        token = url.rpartition("/")[2]
        assert storage.at(token) == (b"onetwo", "audio/wav")
        now[0] = 10.0
        assert storage.at(token) is None
        given_up = await storage.begin("b", "audio/wav")
        await storage.remove("b")
        with pytest.raises(OSError, match="has been removed"):
            await storage.add_part(given_up, b"late")


def test_caplog_is_quiet_without_failures(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert brought(plugin("fine"))["fine"].status == "active"
    assert named(caplog, "plugin left out") == []


async def test_what_a_plugin_started_ends_before_its_context_is_left(stack: Settings) -> None:
    state: dict[str, Any] = {"open": False, "seen": []}

    @asynccontextmanager
    async def holding(resources: Any) -> Any:
        state["open"] = True
        yield
        state["open"] = False

    async def late() -> None:
        await asyncio.sleep(0.05)
        state["seen"].append(state["open"])

    async with running_app(
        settings_for_tests(stack), plugins=[plugin("holder", lifespan=holding)], migrated=True
    ) as app:
        app.resources.background.spawn("late", late())
    assert state == {"open": False, "seen": [True]}
