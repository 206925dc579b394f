"""What this plugin does in the background for as long as a worker runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from plugins.calls.service.partitions import kept_ahead
from plugins.calls.service.sweep import swept
from voicera import Resources


@asynccontextmanager
async def kept(resources: Resources) -> AsyncIterator[None]:
    """Keep partitions made ahead, and storage swept."""
    async with kept_ahead(resources), swept(resources):
        yield
