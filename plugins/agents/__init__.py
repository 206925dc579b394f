"""Agents: the voices that make and take an owner's calls."""

from __future__ import annotations

from types import ModuleType
from uuid import UUID

from plugins.agents import errors, hookspecs, routes, service
from voicera import ApiError, Blueprint, Connection, hookimpl


@hookimpl
def register_hookspecs() -> ModuleType:
    return hookspecs


@hookimpl
def register_blueprints() -> list[Blueprint]:
    return [routes.blueprint]


@hookimpl
def register_piccolo_apps() -> list[str]:
    return ["plugins.agents.piccolo_app"]


@hookimpl
def register_errors() -> list[type[ApiError]]:
    return [errors.AgentNotFound, errors.AgentExists]


@hookimpl(optionalhook=True)
async def known_agents(connection: Connection, owner_id: UUID, agent_ids: frozenset[UUID]) -> frozenset[UUID]:
    return await service.known(connection, owner_id, agent_ids)


@hookimpl(optionalhook=True)
async def require_agent(connection: Connection, owner_id: UUID, agent_id: UUID) -> bool:
    return await service.require(connection, owner_id, agent_id)


@hookimpl(optionalhook=True)
async def agent_status(connection: Connection, owner_id: UUID, agent_id: UUID) -> str:
    return await service.status(connection, owner_id, agent_id)
