"""Do not call: a list of phone numbers that no campaign calls."""

from __future__ import annotations

from collections.abc import Sequence

from plugins.analytics.hookspecs import Card
from plugins.calls.hookspecs import CallFilter, CallsChanged, CallsRecorded
from plugins.campaigns.hookspecs import CampaignEvent, CampaignNumbers
from voicera import ApiError, Blueprint, Connection, Resources, SettingsSection, hookimpl

from voicera_donotcall import errors, routes, service
from voicera_donotcall.filters import DO_NOT_CALL
from voicera_donotcall.settings import DoNotCallSettings

api_version = "1.0"


@hookimpl
def register_settings() -> Sequence[type[SettingsSection]]:
    return [DoNotCallSettings]


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [routes.blueprint]


@hookimpl
def register_piccolo_apps() -> Sequence[str]:
    return ["voicera_donotcall.piccolo_app"]


@hookimpl
def register_errors() -> Sequence[type[ApiError]]:
    return errors.ALL


# Optional hooks: their publishers, the analytics, the calls and the campaigns, may be disabled.
@hookimpl(optionalhook=True)
def register_cards() -> Sequence[Card]:
    return [Card(key="do-not-call", title="Do not call", path="/do-not-call/count", kind="figure")]


@hookimpl(optionalhook=True)
def register_call_filters() -> Sequence[CallFilter]:
    return [DO_NOT_CALL]


@hookimpl(optionalhook=True)
async def campaign_launching(
    resources: Resources, connection: Connection, campaign: CampaignEvent, numbers: CampaignNumbers
) -> None:
    await service.screen(resources, connection, campaign.owner_id, numbers)


@hookimpl(optionalhook=True)
async def calls_recording(resources: Resources, connection: Connection, batch: CallsRecorded) -> None:
    await service.listen(resources, connection, batch.owner_id, batch.calls)


@hookimpl(optionalhook=True)
async def calls_changing(resources: Resources, connection: Connection, batch: CallsChanged) -> None:
    await service.listen(resources, connection, batch.owner_id, [each.after for each in batch.changes if each.after])
