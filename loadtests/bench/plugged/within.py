"""Hears of calls in the transaction that records them, and does nothing."""

from __future__ import annotations

from plugins.calls.hookspecs import CallsRecorded
from voicera import Connection, hookimpl


@hookimpl
async def calls_recording(connection: Connection, batch: CallsRecorded) -> None:
    """Do nothing."""
