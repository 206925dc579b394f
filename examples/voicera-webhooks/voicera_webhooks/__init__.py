"""Webhooks: calls and campaigns are sent, signed, to the addresses that subscribe to them."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from plugins.calls.hookspecs import CallsChanged, CallsRecorded
from plugins.campaigns.hookspecs import CampaignEvent
from voicera import ApiError, Blueprint, Connection, Resources, SettingsSection, hookimpl

from voicera_webhooks import errors, routes
from voicera_webhooks.service import courier, outbox
from voicera_webhooks.settings import WebhooksSettings

api_version = "1.0"


@hookimpl
def register_settings() -> Sequence[type[SettingsSection]]:
    return [WebhooksSettings]


@hookimpl
def register_piccolo_apps() -> Sequence[str]:
    return ["voicera_webhooks.piccolo_app"]


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [routes.blueprint]


@hookimpl
def register_errors() -> Sequence[type[ApiError]]:
    return errors.ALL


@hookimpl
def lifespan(resources: Resources) -> AbstractAsyncContextManager[Any]:
    return courier.kept(resources)


@hookimpl
async def calls_recording(resources: Resources, connection: Connection, batch: CallsRecorded) -> None:
    await outbox.calls_recorded(resources, connection, batch)


@hookimpl
async def calls_changing(resources: Resources, connection: Connection, batch: CallsChanged) -> None:
    await outbox.calls_changed(resources, connection, batch)


# Optional: a service without the plugin of the campaigns has no such hook.
@hookimpl(optionalhook=True)
async def campaign_moving(resources: Resources, connection: Connection, campaign: CampaignEvent) -> None:
    await outbox.campaign_moved(resources, connection, campaign)
