"""Call logs: voice servers push in every call that they made; people and programs find any of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import ModuleType
from typing import Any

from plugins.calls import errors, hookspecs, partitions, routes
from plugins.calls.settings import CallsSettings
from voicera import ApiError, Blueprint, Limit, Resources, Settings, SettingsSection, hookimpl


@hookimpl
def register_hookspecs() -> ModuleType:
    return hookspecs


@hookimpl
def register_settings() -> Sequence[type[SettingsSection]]:
    return [CallsSettings]


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [routes.blueprint]


@hookimpl
def register_piccolo_apps() -> Sequence[str]:
    return ["plugins.calls.piccolo_app"]


@hookimpl
def register_errors() -> Sequence[type[ApiError]]:
    return errors.ALL


@hookimpl
def register_rate_limits(settings: Settings) -> Mapping[str, Limit]:
    ours = settings.of(CallsSettings)
    return {"ingest": ours.rate_limit_ingest, "upload": ours.rate_limit_upload}


@hookimpl
def lifespan(resources: Resources) -> AbstractAsyncContextManager[Any]:
    return partitions.kept_ahead(resources)
