"""What can go wrong with an agent."""

from __future__ import annotations

from voicera import ApiError


class AgentNotFound(ApiError):
    """Agent not found."""

    code, status = "AGENT_001", 404
    raised_in = ("require_agent",)


class AgentExists(ApiError):
    """Agent already exists."""

    code, status = "AGENT_002", 409
