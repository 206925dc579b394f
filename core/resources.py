"""What a worker holds open: one frozen `Resources`, opened by one context manager, closed in reverse.

A holder task opens and closes it, because coredis must be closed by the task that opened it, and Sanic
runs its start and stop listeners in different ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from core import figure_store
from core.answers import nonsense
from core.background import Background
from core.cache import Cache, open_cache
from core.database import Database, Engine, open_database
from core.figures import describe
from core.hooks import Hooks
from core.http import idempotency
from core.limits import Limit
from core.ratelimit import RateLimiter
from core.settings import ConfigurationError, Settings
from core.storage import Storage, open_s3

LIFESPAN_SECONDS = 10.0  # that a plugin has to begin; the supervisor waits three times as long for a worker


def utc_now() -> datetime:
    """The time, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Resources:
    """Passed as the first argument to every service function; there are no globals.

    `state` is what plugins keep for as long as the worker runs, such as a memory of what they have looked up:
    one entry a plugin, under its name.
    """

    settings: Settings
    hooks: Hooks
    db: Database
    cache: Cache
    storage: Storage
    limits: RateLimiter
    background: Background
    scopes: frozenset[str]
    state: dict[str, Any] = field(default_factory=dict)
    now: Callable[[], datetime] = utc_now


@asynccontextmanager
async def open_resources(
    settings: Settings, hooks: Hooks, engine: Engine, limits: dict[str, Limit], scopes: frozenset[str]
) -> AsyncIterator[Resources]:
    """Open everything, enter the plugins' `lifespan` contexts, and on leaving drain background work and close all.

    Raises ConfigurationError if two plugins bring a storage, or one that cannot be opened.
    """
    hooks.rules.seconds = settings.after_seconds
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_database(settings, engine))
        cache = await stack.enter_async_context(open_cache(settings))
        storage = await stack.enter_async_context(_storage(settings, hooks))
        await stack.enter_async_context(figure_store.told(cache, hooks))
        background = Background()
        # Also where the opening breaks off below.
        stack.push_async_callback(background.drain, settings.shutdown_grace / 2)
        resources = Resources(settings, hooks, db, cache, storage, RateLimiter(cache, limits), background, scopes)
        background.repeat("idempotency keys", idempotency.PURGE_SECONDS, partial(idempotency.forget_old, resources))
        figure_store.tell_regularly(background, cache, hooks)
        for plugin in hooks.users_of("lifespan"):
            try:
                for _, context in hooks.collect_from(plugin, "lifespan", resources=resources):
                    if wrong := nonsense("lifespan", context):
                        raise TypeError(wrong)  # noqa: TRY301  # as if the plugin itself had raised it
                    async with asyncio.timeout(LIFESPAN_SECONDS):
                        await stack.enter_async_context(context)
            except TimeoutError as error:
                hooks.leave_out(plugin, _late(error))
            except (Exception, SystemExit) as error:
                hooks.leave_out(plugin, error)
        # Before the plugins' contexts are left: what was started may use what they hold open.
        stack.push_async_callback(background.drain, settings.shutdown_grace / 2)
        yield resources


def _late(error: TimeoutError) -> TimeoutError:
    """The error of a `lifespan`: where it was ours that struck, it says nothing by itself."""
    return error if str(error) else TimeoutError(f"its lifespan took longer than {LIFESPAN_SECONDS:g} s to begin")


@asynccontextmanager
async def _storage(settings: Settings, hooks: Hooks) -> AsyncIterator[Storage]:
    """The storage that a plugin brings, else S3. One that fails ends the start: elsewhere recordings would be lost."""
    found = []
    for plugin in hooks.users_of("open_storage"):
        for _, context in hooks.collect_from(plugin, "open_storage", settings=settings):
            if wrong := nonsense("open_storage", context):
                raise ConfigurationError(f"plugin {plugin}: {wrong}")
            found += [(plugin, context)] if context is not None else []
    if len(found) > 1:
        raise ConfigurationError(f"the storage is claimed by both {found[0][0]} and {found[1][0]}")
    if not found:
        async with open_s3(settings) as storage:
            yield storage
        return
    plugin, context = found[0]
    async with AsyncExitStack() as stack:
        try:
            storage = await stack.enter_async_context(context)
        except Exception as error:
            raise ConfigurationError(f"plugin {plugin}: its storage cannot be opened: {describe(error)}") from error
        if not isinstance(storage, Storage):
            raise ConfigurationError(f"plugin {plugin}: its storage lacks methods of Storage")
        yield storage


class Holder:
    """A task that opens a context, keeps it until told to leave, and closes it in the same task."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._leave = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def enter(self) -> Any:
        """Open the context and return what it yields; raises what opening it raised."""
        opened: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._hold(opened), name="resources")
        return await opened

    async def leave(self) -> None:
        """Close the context and wait until it is closed."""
        self._leave.set()
        if self._task is not None:
            await self._task

    async def _hold(self, opened: asyncio.Future[Any]) -> None:
        try:
            async with self._context as value:
                opened.set_result(value)
                await self._leave.wait()
        except BaseException as error:
            if opened.done():
                raise
            opened.set_exception(error)
