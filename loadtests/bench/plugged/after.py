"""Hears of recorded calls after the commit, and does nothing."""

from __future__ import annotations

from plugins.calls.hookspecs import CallsRecorded
from voicera import Resources, hookimpl


@hookimpl
async def calls_recorded(resources: Resources, batch: CallsRecorded) -> None:
    """Do nothing."""
