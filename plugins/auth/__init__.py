"""Accounts: registration, log-in sessions, access tokens, API keys. It answers the kernel's question who calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import ModuleType
from typing import TYPE_CHECKING, Any
from uuid import UUID

from plugins.auth import errors, hookspecs, routes
from plugins.auth.service import keys, operators, revocation
from plugins.auth.settings import AuthSettings
from voicera import ApiError, Blueprint, Limit, Principal, Request, Resources, Settings, SettingsSection, hookimpl

if TYPE_CHECKING:
    import typer


@hookimpl
def register_hookspecs() -> ModuleType:
    return hookspecs


@hookimpl
def register_settings() -> Sequence[type[SettingsSection]]:
    return [AuthSettings]


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [routes.blueprint]


@hookimpl
def register_piccolo_apps() -> Sequence[str]:
    return ["plugins.auth.piccolo_app"]


@hookimpl
def register_errors() -> Sequence[type[ApiError]]:
    return errors.ALL


@hookimpl
def register_rate_limits(settings: Settings) -> Mapping[str, Limit]:
    keys.check_keys(settings)  # the first hook that sees all settings: a start without a key ends here
    return {"auth": settings.of(AuthSettings).rate_limit_auth}


@hookimpl
def register_commands(cli: typer.Typer) -> None:
    from plugins.auth import commands  # noqa: PLC0415  # a serving worker has no use for it

    cli.add_typer(commands.users, name="user")


@hookimpl
def lifespan(resources: Resources) -> AbstractAsyncContextManager[Any]:
    return revocation.kept(resources)


@hookimpl
async def authenticate(request: Request) -> Principal | None:
    return await routes.caller(request)


@hookimpl
async def session_ended(resources: Resources, principal: Principal) -> bool | None:
    return await revocation.session_ended(resources, principal)


@hookimpl(optionalhook=True)
async def find_owner(resources: Resources, email: str) -> UUID | None:
    return await operators.find_owner(resources, email)
