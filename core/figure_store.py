"""The figures of all workers together, in Valkey: each adds its increments every few seconds.

One supervisor and its workers are a run; what is shown is the sum over the runs that live. Keys share one slot.
While Valkey is away the increments are kept; those of a pipeline that broke off may be counted twice.
What holds only now (who is left out, what is tripped) is told again and again, and forgotten when nobody does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from coredis.tokens import PureToken

from core.background import Background
from core.cache import Cache, CacheUnavailable
from core.figures import NUMBERS, Figure, Key
from core.hooks import Hooks
from core.logging import redact
from core.plugins import PluginInfo

if TYPE_CHECKING:
    from core.resources import Resources

log = logging.getLogger("voicera.figures")
FLUSH_SECONDS = 5.0
ANSWER_SECONDS = 1.0
ALIVE_SECONDS = 60  # since its last flush a run lives for so long,
NEWS_SECONDS = 15  # and a plugin or listener that no worker has complained of for so long works again
KEPT_SECONDS = 86_400
MOST_ERROR = 500  # characters
RUNS = "voicera:{figures}:runs"
MICRO = 1_000_000


@dataclass(slots=True)
class Overview:
    """Figures by plugin and hook; the listeners that are tripped in some worker, and the plugins that it left out."""

    figures: dict[Key, Figure] = field(default_factory=dict)
    tripped: set[Key] = field(default_factory=set)
    left_out: dict[str, str] = field(default_factory=dict)

    def add(self, key: Key, figure: Figure) -> None:
        """Add to what is known of a hook."""
        self.figures.setdefault(key, Figure()).add(figure)

    def of(self, plugin: str) -> list[tuple[str, Figure]]:
        """The figures of one plugin, by hook."""
        return sorted((hook, figure) for (name, hook), figure in self.figures.items() if name == plugin)

    def tripped_of(self, plugin: str) -> list[str]:
        """The hooks of one plugin that are skipped in some worker."""
        return sorted(hook for name, hook in self.tripped if name == plugin)

    def seen(self, info: PluginInfo) -> PluginInfo:
        """A plugin as all workers see it: one that works here may have failed in another, as in its `lifespan`."""
        error = self.left_out.get(info.name)
        if error is None or info.status != "active":
            return info
        return replace(info, status="failed", error=error, hooks=())


@asynccontextmanager
async def told(cache: Cache, hooks: Hooks) -> AsyncIterator[None]:
    """Tell the cluster the rest when this is left; a run of one process ends with it."""
    try:
        yield
    finally:
        await flush(cache, hooks)
        if hooks.figures.alone:
            await _contained(_end_run(cache, hooks.figures.run))


def tell_regularly(background: Background, cache: Cache, hooks: Hooks) -> None:
    """Tell the cluster every few seconds, until the background is drained."""
    background.repeat("figures", FLUSH_SECONDS, lambda: flush(cache, hooks))


async def flush(cache: Cache, hooks: Hooks) -> bool:
    """Add what has been counted since the last time; False if that has to wait. Never raises."""
    untold = hooks.figures.untold()
    done = await _contained(_add(cache, hooks, untold))
    if done:
        hooks.figures.tell(untold)
    return done


async def whole(resources: Resources) -> Overview:
    """What the cluster knows and what this worker has not told yet; this worker's own while Valkey is away."""
    hooks = resources.hooks
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            found = await read(resources.cache)
        mine = list(hooks.figures.untold().items())
    except Exception as error:
        log.info("figures are of this worker alone", extra={"error": type(error).__name__})
        found, mine = Overview(), list(hooks.figures.items())
    for key, figure in mine:
        found.add(key, figure)
    found.tripped |= hooks.tripped()
    return found


async def read(cache: Cache) -> Overview:
    """What the cluster knows; raises CacheUnavailable and what coredis raises."""
    client, overview = cache.require(), Overview()
    now = await _now(client)
    for run in await client.zrange(RUNS, now - ALIVE_SECONDS, "+inf", sortby=PureToken.BYSCORE):
        for name, value in (await client.hgetall(_figures_key(run.decode()))).items():
            _take_in(overview, name.decode(), value)
        overview.tripped.update(await _news(client, _tripped_key(run.decode()), now))
        overview.left_out.update(await _news(client, _left_out_key(run.decode()), now))
    return overview


async def _news(client: Any, key: str, now: float) -> list[tuple[str, str]]:
    """The pairs that some worker has told of lately."""
    found = await client.zrange(key, now - NEWS_SECONDS, "+inf", sortby=PureToken.BYSCORE)
    pairs = (name.decode().partition("\t") for name in found)
    return [(one, other) for one, _, other in pairs]


async def _add(cache: Cache, hooks: Hooks, untold: dict[Key, Figure]) -> None:
    client, run = cache.require(), hooks.figures.run
    now = await _now(client)
    async with client.pipeline(transaction=True) as pipe:
        for key, figure in untold.items():
            for name, amount in _amounts(figure):
                pipe.hincrby(_figures_key(run), "\t".join((name, *key)), amount)
            if figure.last_error:
                pipe.hset(_figures_key(run), {"\t".join(("last_error", *key)): figure.last_error})
        for key in hooks.tripped():
            pipe.zadd(_tripped_key(run), {"\t".join(key): now})
        for plugin, error in hooks.figures.left_out.items():
            pipe.zadd(_left_out_key(run), {f"{plugin}\t{str(redact(error))[:MOST_ERROR]}": now})
        for name in _keys(run):
            pipe.expire(name, KEPT_SECONDS)
        pipe.zadd(RUNS, {run: now})
        pipe.zremrangebyscore(RUNS, 0, now - KEPT_SECONDS)


async def _end_run(cache: Cache, run: str) -> None:
    client = cache.require()
    async with client.pipeline(transaction=True) as pipe:
        pipe.zrem(RUNS, [run])
        pipe.delete(_keys(run))


async def _contained(work: Any) -> bool:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await work
    except CacheUnavailable:
        return False
    except Exception as error:  # coredis reports in groups, too
        log.warning("figures are told later", extra={"error": type(error).__name__})
        return False
    return True


async def _now(client: Any) -> float:
    """Valkey's own clock: those of several machines differ."""
    moment = await client.time()
    return float(moment.timestamp())


def _amounts(figure: Figure) -> list[tuple[str, int]]:
    numbers = [(name, getattr(figure, name)) for name in NUMBERS]
    return [(name, round(n * MICRO) if name == "seconds" else n) for name, n in numbers if n]


def _take_in(overview: Overview, name: str, value: bytes) -> None:
    what, *rest = name.split("\t")
    if what == "last_error":
        overview.add(_key(*rest), Figure(last_error=value.decode()))
    elif what in NUMBERS:
        number = int(value)
        overview.add(_key(*rest), Figure(**{what: number / MICRO if what == "seconds" else number}))  # type: ignore[arg-type]  # by name


def _key(plugin: str, hook: str) -> Key:
    return plugin, hook


def _figures_key(run: str) -> str:
    return f"voicera:{{figures}}:of:{run}"


def _tripped_key(run: str) -> str:
    return f"voicera:{{figures}}:tripped:{run}"


def _left_out_key(run: str) -> str:
    return f"voicera:{{figures}}:left_out:{run}"


def _keys(run: str) -> list[str]:
    return [_figures_key(run), _tripped_key(run), _left_out_key(run)]
