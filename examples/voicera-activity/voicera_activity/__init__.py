"""Activity: a feed of what happened lately in an account, for people."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

from plugins.agents.hookspecs import AgentsChanged
from plugins.analytics.hookspecs import Card
from plugins.auth.hookspecs import RegisteredUser
from plugins.calls.hookspecs import CallsChanged, CallsRecorded
from plugins.campaigns.hookspecs import CampaignEvent, CampaignsChanged
from voicera import Blueprint, Resources, SettingsSection, hookimpl

from voicera_activity import keeping, routes, service, tally
from voicera_activity.settings import ActivitySettings

api_version = "1.0"


@hookimpl
def register_settings() -> Sequence[type[SettingsSection]]:
    return [ActivitySettings]


@hookimpl
def register_piccolo_apps() -> Sequence[str]:
    return ["voicera_activity.piccolo_app"]


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [routes.blueprint]


@hookimpl
def lifespan(resources: Resources) -> AbstractAsyncContextManager[Any]:
    return keeping.kept(resources)


@hookimpl
def readiness_checks(resources: Resources) -> Mapping[str, Callable[[], Awaitable[Any]]]:
    return {"activity": partial(keeping.check, resources)}


# Optional hooks from here on: their publishers may be disabled, and the feed then tells of the others.
@hookimpl(optionalhook=True)
def register_cards() -> Sequence[Card]:
    return [Card(key="activity", title="Activity", path="/activity/card", kind="table")]


@hookimpl(optionalhook=True)
async def user_registered(resources: Resources, user: RegisteredUser) -> None:
    await service.account_created(resources, user)


@hookimpl(optionalhook=True)
async def agents_changed(resources: Resources, event: AgentsChanged) -> None:
    await service.agents_changed(resources, event)


@hookimpl(optionalhook=True)
async def campaigns_changed(resources: Resources, event: CampaignsChanged) -> None:
    await service.campaigns_changed(resources, event)


@hookimpl(optionalhook=True)
async def campaign_scheduled(resources: Resources, campaign: CampaignEvent) -> None:
    await service.campaign_moved(resources, "campaign.scheduled", campaign)


@hookimpl(optionalhook=True)
async def campaign_launched(resources: Resources, campaign: CampaignEvent) -> None:
    await service.campaign_moved(resources, "campaign.launched", campaign)


@hookimpl(optionalhook=True)
async def campaign_paused(resources: Resources, campaign: CampaignEvent) -> None:
    await service.campaign_moved(resources, "campaign.paused", campaign)


@hookimpl(optionalhook=True)
async def campaign_resumed(resources: Resources, campaign: CampaignEvent) -> None:
    await service.campaign_moved(resources, "campaign.resumed", campaign)


@hookimpl(optionalhook=True)
async def campaign_stopped(resources: Resources, campaign: CampaignEvent) -> None:
    await service.campaign_moved(resources, "campaign.stopped", campaign)


@hookimpl(optionalhook=True)
async def campaign_completed(resources: Resources, campaign: CampaignEvent) -> None:
    await service.campaign_moved(resources, "campaign.completed", campaign)


@hookimpl(optionalhook=True)
async def calls_recorded(resources: Resources, batch: CallsRecorded) -> None:
    tally.calls_recorded(resources, batch)


@hookimpl(optionalhook=True)
async def calls_changed(resources: Resources, batch: CallsChanged) -> None:
    tally.calls_changed(resources, batch)
