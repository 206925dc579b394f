"""Notes long calls, for somebody to listen to."""

from collections.abc import Sequence

from plugins.calls.hookspecs import CallsChanged, CallsRecorded
from voicera import ApiError, Blueprint, Connection, Resources, SettingsSection, hookimpl

from voicera_short_calls import queries, routes, service
from voicera_short_calls.settings import ShortCallsSettings

api_version = "1.0"


@hookimpl
def register_settings() -> Sequence[type[SettingsSection]]:
    return [ShortCallsSettings]


@hookimpl
def register_piccolo_apps() -> Sequence[str]:
    return ["voicera_short_calls.piccolo_app"]


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [routes.blueprint]


@hookimpl
def register_errors() -> Sequence[type[ApiError]]:
    return [routes.NoteNotFound]


@hookimpl
async def calls_recording(resources: Resources, connection: Connection, batch: CallsRecorded) -> None:
    await service.note(resources, connection, batch.owner_id, batch.calls)


@hookimpl
async def calls_changing(resources: Resources, connection: Connection, batch: CallsChanged) -> None:
    await queries.forget(connection, batch.owner_id, [change.before.id for change in batch.changes])
    changed = [change.after for change in batch.changes if change.after is not None]
    await service.note(resources, connection, batch.owner_id, changed)
