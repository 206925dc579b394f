"""Plugins: found, registered, contained; and what happens when two of them clash."""

from __future__ import annotations

import asyncio
import logging
from types import ModuleType
from typing import Any

import pytest

from core.app import Assembly, assemble, discover
from core.background import Background
from core.errors import ErrorCatalogue, InternalError
from core.http.blueprint import RouteError
from core.plugins import PluginError, Plugins
from core.settings import Settings
from voicera import ApiError, Blueprint, Limit, Request, hookimpl, public, reply, requires
from voicera.testing import eventually, running_app, settings_for_tests


def plugin(name: str, **members: Any) -> ModuleType:
    """A plugin module made here; functions become hook implementations."""
    module = ModuleType(name)
    for key, value in members.items():
        setattr(module, key, hookimpl(value) if callable(value) and not isinstance(value, type) else value)
    return module


def assembled(*modules: ModuleType) -> Assembly:
    return assemble(*discover(environ={}, extra=modules))


def blueprint_with(path: str, handler: Any = None) -> Blueprint:
    async def answer(request: Request) -> Any:
        return reply({"hello": "world"})

    blueprint = Blueprint()
    blueprint.get(path)(public(handler or answer))
    return blueprint


class OneError(ApiError):
    """One."""

    code, status = "ONE_001", 409


class OtherError(ApiError):
    """Other."""

    code, status = "ONE_001", 410


def test_two_plugins_with_one_route_stop_the_start_and_both_are_named() -> None:
    one = plugin("one", register_blueprints=lambda: [blueprint_with("/same/{x}", _takes_x)])
    two = plugin("two", register_blueprints=lambda: [blueprint_with("/same/{y}", _takes_y)])
    with pytest.raises(PluginError, match=r"GET /same/\{y\} is claimed by both one and two"):
        assembled(one, two)


async def _takes_x(request: Request, x: str) -> Any:
    return reply(x)


async def _takes_y(request: Request, y: str) -> Any:
    return reply(y)


def test_two_plugins_with_one_error_code_stop_the_start_and_both_are_named() -> None:
    one = plugin("one", register_errors=lambda: [OneError])
    two = plugin("two", register_errors=lambda: [OtherError])
    with pytest.raises(PluginError, match="ONE_001 is claimed by both one and two"):
        assembled(one, two)


def test_two_plugins_with_one_name_stop_the_start() -> None:
    with pytest.raises(PluginError, match="two plugins are called same"):
        assembled(plugin("same"), plugin("same"))


def test_two_plugins_with_one_rate_limit_stop_the_start() -> None:
    one = plugin("one", register_rate_limits=lambda settings: {"general": Limit(1, 1)})
    with pytest.raises(PluginError, match="the rate limit general is claimed by both core and one"):
        assembled(one)


def test_a_route_that_says_neither_requires_nor_public_stops_the_start() -> None:
    async def forgotten(request: Request) -> Any:
        return reply(None)

    with pytest.raises(RouteError, match=r"GET /x: .*forgotten says neither @requires\(scope\) nor @public"):
        Blueprint().get("/x")(forgotten)


def test_a_route_with_an_undeclared_error_stops_the_start() -> None:
    blueprint = Blueprint()

    @blueprint.get("/x", raises=(OneError,))
    @public
    async def handler(request: Request) -> Any:
        return reply(None)

    with pytest.raises(RouteError, match="ONE_001, which no plugin returns"):
        assembled(plugin("one", register_blueprints=lambda: [blueprint]))


def test_a_hook_that_does_not_exist_is_named() -> None:
    def misspelt() -> list[Any]:
        return []

    with pytest.raises(PluginError, match="plugin typo: it implements the unknown hook register_blueprint"):
        Plugins.discover(strict=True, extra=[plugin("typo", register_blueprint=misspelt)])


def test_an_installed_plugin_that_fails_is_left_out_and_shown_with_its_error() -> None:
    def register_settings() -> list[Any]:
        raise RuntimeError("no licence")

    settings, plugins = discover(environ={}, extra=[plugin("broken", register_settings=register_settings)])
    assembly = assemble(settings, plugins)
    found = {info.name: info for info in assembly.plugins.infos()}["broken"]
    assert (found.status, found.error) == ("failed", "RuntimeError: no licence")
    assert {info.status for info in assembly.plugins.infos() if info.name != "broken"} == {"active"}


async def test_what_anyone_sees_of_a_failure_has_no_path_of_this_machine(stack: Settings) -> None:
    def register_settings() -> list[Any]:
        raise FileNotFoundError(2, "No such file or directory", "/srv/secret place/licence.key")

    broken = plugin("broken", register_settings=register_settings)
    async with running_app(settings_for_tests(stack), plugins=[broken], migrated=True) as app:
        shown = {entry["name"]: entry for entry in (await app.client.get("/plugins")).data}["broken"]
    assert (shown["status"], shown["error"]) == (
        "failed",
        "FileNotFoundError: [Errno 2] No such file or directory: '…'",
    )


def test_strict_plugins_makes_such_a_failure_fatal() -> None:
    def register_settings() -> list[Any]:
        raise RuntimeError("no licence")

    with pytest.raises(PluginError, match="plugin broken: RuntimeError: no licence"):
        discover(environ={"VOICERA_STRICT_PLUGINS": "1"}, extra=[plugin("broken", register_settings=register_settings)])


def test_a_disabled_plugin_is_gone_with_its_routes() -> None:
    assembly = assemble(*discover(environ={"VOICERA_PLUGINS_DISABLED": "agents"}))
    assert not [route for route in assembly.routes if route.plugin == "agents"]
    assert {info.name: info.status for info in assembly.plugins.infos()}["agents"] == "disabled"


def test_disabling_what_does_not_exist_is_an_error() -> None:
    with pytest.raises(PluginError, match="names no plugin: nope"):
        discover(environ={"VOICERA_PLUGINS_DISABLED": "nope"})


def test_plugins_of_two_applications_never_meet() -> None:
    one, two = assembled(plugin("mine")), assembled()
    assert "mine" in {info.name for info in one.plugins.infos()}
    assert "mine" not in {info.name for info in two.plugins.infos()}


async def test_a_raising_handler_is_500_in_the_one_shape_and_the_log_names_the_plugin(
    stack: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async def raises(request: Request) -> Any:
        raise RuntimeError("secret /etc/passwd SELECT 1")

    broken = plugin("broken", register_blueprints=lambda: [blueprint_with("/raises", raises)])
    with caplog.at_level(logging.ERROR):
        async with running_app(settings_for_tests(stack), plugins=[broken]) as app:
            answer = await app.client.get("/raises")
    assert answer.status == 500
    assert answer.error == {**InternalError().body()}
    assert b"secret" not in answer.content
    assert [record.__dict__["plugin"] for record in caplog.records if record.message == "request failed"] == ["broken"]


async def test_first_awaits_until_one_answers() -> None:
    asked: list[str] = []

    async def silent(request: Any) -> None:
        asked.append("silent")

    async def answers(request: Any) -> str:
        asked.append("answers")
        return "me"

    plugins = Plugins.discover(
        disabled=_ours(), extra=[plugin("a", authenticate=silent), plugin("b", authenticate=answers)]
    )
    assert await plugins.hooks.first("authenticate", request=None) == "me"
    assert asked[-1] == "answers"


async def test_after_contains_an_error_and_the_others_still_hear(caplog: pytest.LogCaptureFixture) -> None:
    heard = asyncio.Event()

    async def fails(resources: Any, principal: Any) -> None:
        raise RuntimeError("boom")

    async def hears(resources: Any, principal: Any) -> None:
        heard.set()

    plugins = Plugins.discover(
        disabled=_ours(), extra=[plugin("a", session_ended=fails), plugin("b", session_ended=hears)]
    )
    background = Background()
    plugins.hooks.after(background, "session_ended", resources=None, principal=None)
    await eventually(heard.is_set)
    await background.drain(30)
    assert [record.__dict__["plugin"] for record in caplog.records if record.message == "hook failed"] == ["a"]


def test_the_catalogue_lists_every_code_once_with_all_its_statuses() -> None:
    codes = [entry["code"] for entry in ErrorCatalogue().listing()]
    assert codes == sorted(set(codes))
    assert {
        "code": "REQUEST_004",
        "status": 404,
        "statuses": [404, 405],
        "message": "No such route",
        "plugin": "core",
    } in (ErrorCatalogue().listing())


async def test_a_scope_that_a_caller_lacks_is_named(stack: Settings) -> None:
    async def authenticate(request: Any) -> Any:
        from uuid import uuid4

        from voicera import Principal

        return Principal(uuid4(), "user", frozenset({"other:read"}), uuid4())

    blueprint = Blueprint()

    @blueprint.get("/guarded")
    @requires("thing:read")
    async def guarded(request: Request) -> Any:
        return reply(None)

    module = plugin("guarded", authenticate=authenticate, register_blueprints=lambda: [blueprint])
    environ = settings_for_tests(stack, {"VOICERA_PLUGINS_DISABLED": "auth"})
    async with running_app(environ, plugins=[module], migrated=True) as app:
        answer = await app.client.get("/guarded")
    assert (answer.status, answer.code) == (403, "AUTH_004")
    assert answer.error["details"] == "this needs the scope thing:read"


def _ours() -> list[str]:
    return [info.name for info in Plugins.discover().infos()]
