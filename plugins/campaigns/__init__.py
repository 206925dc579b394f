"""Campaigns: whom an agent calls, and from when to when."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from types import ModuleType
from typing import Any
from uuid import UUID

from plugins.campaigns import errors, hookspecs, routes
from plugins.campaigns.service import campaigns, clock
from plugins.campaigns.settings import CampaignsSettings
from voicera import ApiError, Blueprint, Connection, Resources, SettingsSection, hookimpl


@hookimpl
def register_hookspecs() -> ModuleType:
    return hookspecs


@hookimpl
def register_settings() -> Sequence[type[SettingsSection]]:
    return [CampaignsSettings]


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [routes.blueprint]


@hookimpl
def register_piccolo_apps() -> Sequence[str]:
    return ["plugins.campaigns.piccolo_app"]


@hookimpl
def register_errors() -> Sequence[type[ApiError]]:
    return errors.ALL


@hookimpl
def lifespan(resources: Resources) -> AbstractAsyncContextManager[Any]:
    return clock.kept(resources)


@hookimpl(optionalhook=True)
async def agent_deleting(connection: Connection, owner_id: UUID, agent_id: UUID) -> None:
    await campaigns.keep_agent(connection, owner_id, agent_id)


@hookimpl(optionalhook=True)
async def known_campaigns(connection: Connection, owner_id: UUID, campaign_ids: frozenset[UUID]) -> frozenset[UUID]:
    return await campaigns.known(connection, owner_id, campaign_ids)
