"""Call logs: voice servers push in every call that they made; people and programs find any of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import ModuleType
from typing import TYPE_CHECKING, Any
from uuid import UUID

from plugins.calls import errors, hookspecs
from plugins.calls.hookspecs import ExportFormat, RecordedReport
from plugins.calls.routes import calls, recordings
from plugins.calls.service import lifetime, listing, receiving
from plugins.calls.settings import CallsSettings
from voicera import ApiError, Blueprint, Limit, Resources, Settings, SettingsSection, hookimpl

if TYPE_CHECKING:
    import typer


@hookimpl
def register_hookspecs() -> ModuleType:
    return hookspecs


@hookimpl
def register_settings() -> Sequence[type[SettingsSection]]:
    return [CallsSettings]


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [calls.blueprint, recordings.blueprint]


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
    return lifetime.kept(resources)


@hookimpl
def register_commands(cli: typer.Typer) -> None:
    from plugins.calls import commands  # noqa: PLC0415  # a serving worker has no use for it

    cli.add_typer(commands.imports, name="import")
    cli.add_typer(commands.exports, name="export")


@hookimpl
def register_export_formats() -> Sequence[ExportFormat]:
    from plugins.calls.commands.writers import FORMATS  # noqa: PLC0415  # as above

    return FORMATS


@hookimpl
async def record_calls(resources: Resources, owner_id: UUID, logs: Sequence[Mapping[str, Any]]) -> RecordedReport:
    report = await receiving.record(resources, owner_id, logs)
    return RecordedReport(report.received, report.created, report.duplicates)


@hookimpl
async def read_call(resources: Resources, owner_id: UUID, call_id: UUID) -> dict[str, Any] | None:
    return await listing.read_call(resources, owner_id, call_id)
