"""Where an export comes from: a running service through its API, or straight from the database."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any, Protocol, TypeVar
from uuid import UUID

import msgspec

from plugins.calls.commands.sources import Unreadable
from plugins.calls.schemas.listing import CallFilters, CallListing
from plugins.calls.service import listing
from voicera import Resources
from voicera.client import ApiClient

Filters = TypeVar("Filters", bound=CallFilters)


class Origin(Protocol):
    """Call logs that match, newest first. `target` names whose they are, without a secret."""

    target: str

    async def total(self) -> int | None:
        """How many match now; None where that is not known beforehand."""
        ...

    def lines(self, after: str | None) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Give them as lines of JSON, from the one that follows the id `after`."""
        ...


class FromApi:
    """Reads `GET /call-logs/export`."""

    def __init__(self, client: ApiClient, filters: Mapping[str, str]) -> None:
        self._client, self._filters = client, filters
        self.target = f"{client.url} {hashlib.sha256((client.token or '').encode()).hexdigest()[:16]}"

    async def total(self) -> int | None:
        """The list's exact total."""
        answer = await self._client.request("GET", "/call-logs", params={**self._filters, "limit": 1})
        total: int | None = answer.data["total"]
        return total

    def lines(self, after: str | None) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The answer's lines."""
        params: dict[str, Any] = dict(self._filters)
        if after is not None:
            params["before"] = after
        return self._client.stream("/call-logs/export", params)


class FromDatabase:
    """Reads what the API's export would give, of one owner."""

    def __init__(self, resources: Resources, owner_id: UUID, filters: Mapping[str, str]) -> None:
        self._resources, self._owner_id, self._filters = resources, owner_id, dict(filters)
        self.target = f"database {owner_id}"

    async def total(self) -> int | None:
        """The list's exact total."""
        wanted = _converted({**self._filters, "limit": 1}, CallListing)
        page = await listing.list_calls(self._resources, self._owner_id, wanted)
        return page.total

    @asynccontextmanager
    async def lines(self, after: str | None) -> AsyncIterator[AsyncIterator[bytes]]:
        """The lines that the route would send."""
        wanted = _converted(self._filters, CallFilters)
        before = None if after is None else UUID(after)
        blocks: Any = listing.export_calls(self._resources, self._owner_id, wanted, before)
        async with aclosing(blocks):
            yield _lines(blocks)


def _converted(filters: Mapping[str, Any], schema: type[Filters]) -> Filters:
    try:
        return msgspec.convert(filters, schema, strict=False)
    except msgspec.ValidationError as error:
        raise Unreadable(str(error)) from None


async def _lines(blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for block in blocks:
        for line in block.splitlines():
            yield line
