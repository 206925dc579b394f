"""Providers: what Vapi and Retell send at the end of a call becomes a call log."""

from collections.abc import Mapping, Sequence
from typing import Any

from plugins.calls.hookspecs import Delivery
from voicera import ApiError, Blueprint, Limit, Resources, Settings, SettingsSection, hookimpl

from voicera_providers import errors, routes, service
from voicera_providers.settings import ProvidersSettings

api_version = "1.0"


@hookimpl
def register_settings() -> Sequence[type[SettingsSection]]:
    return [ProvidersSettings]


@hookimpl
def register_rate_limits(settings: Settings) -> Mapping[str, Limit]:
    return {"providers": settings.of(ProvidersSettings).providers_rate_limit}


@hookimpl
def register_piccolo_apps() -> Sequence[str]:
    return ["voicera_providers.piccolo_app"]


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [routes.blueprint]


@hookimpl
def register_errors() -> Sequence[type[ApiError]]:
    return errors.ALL


# Not optional: without the plugin that keeps calls this one has nothing to do, and the start says so.
@hookimpl
async def calls_receiving(resources: Resources, delivery: Delivery) -> Sequence[Mapping[str, Any]] | None:
    return service.call_logs(resources, delivery.source, delivery.payload)
