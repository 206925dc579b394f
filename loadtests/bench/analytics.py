"""The figures: whether their time depends on how many calls there are, beside the GROUP BY and other frameworks.

One client asks one worker, in turns, of owners with few and with many calls. The same figures are aggregated from
the raw table, in the same PostgreSQL: directly, and by the services of other frameworks. The list of calls is asked
for on the same tables, its first page and its last but one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import asyncpg
import uvloop

from loadtests.bench.client import Getter
from loadtests.bench.filling import Dataset, fill, quiet
from loadtests.bench.results import Claim, Grid, Results, Times, alternate
from loadtests.bench.stack import Memory, Stack

DATABASE = "bench_analytics"
DAYS = 365
SIZES = (10_000, 100_000, 1_000_000, 3_000_000)
MOST_MS, LEAST_FASTER, MOST_LIST, MOST_SKIP = 10, 50, 1.25, 4
REQUESTS, FEW_REQUESTS = 40, 3  # of a case in a round: of ours, and of those that walk over the table
WARM_UP = 8
LIMIT = 50
ENDPOINTS = ("/analytics/calls", "/analytics/sentiment", "/analytics/top-phrases")
GROUP_BY, FASTAPI, LITESTAR = "GROUP BY, direct", "FastAPI + SQLAlchemy", "Litestar + asyncpg"
OTHERS = (GROUP_BY, FASTAPI, LITESTAR)
FIRST, SKIP = f"/call-logs?limit={LIMIT}", f"/call-logs?limit={LIMIT}&skip=…"
ALL = "no filter"
RAW = {
    "/analytics/calls": """
        SELECT count(*), count(*) FILTER (WHERE status = 'completed'),
            count(*) FILTER (WHERE status IN ('failed', 'no_answer', 'busy')),
            avg(duration_seconds) FILTER (WHERE status = 'completed'), sum(cost_micros)
        FROM call_logs WHERE {where}""",
    "/analytics/sentiment": "SELECT sentiment, count(*) FROM call_logs WHERE {where} GROUP BY sentiment",
    "/analytics/top-phrases": """
        SELECT phrase, count(*) FROM call_logs, unnest(key_phrases) AS phrase WHERE {where}
        GROUP BY phrase ORDER BY count(*) DESC LIMIT 20""",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A filter as the API takes it, and as SQL does: conditions on the columns, and their parameters."""

    query: Mapping[str, str]
    where: Sequence[tuple[str, Any]]


Found = dict[str, dict[str, dict[Dataset, Times]]]  # endpoint, filter or service, whose calls


def run(results: Results, stack: Stack, *, sizes: Sequence[int], rounds: int) -> None:
    """Fill, measure, print, claim."""
    datasets = fill(results, stack, DATABASE, sizes, days=DAYS)
    with contextlib.ExitStack() as stacked:
        enter: Any = stacked.enter_context
        ours = enter(stack.worker(DATABASE))
        uvloop.run(quiet(stack.url_of(DATABASE)))
        memory = {"ours": enter(Memory(ours.pid))}
        getters = {each: enter(Getter(ours.url, each.owner.token)) for each in datasets}
        uvloop.run(_agree(stack.url_of(DATABASE), getters))
        found = _ours(getters, rounds)
        results.say("measured ours")
        beside = {GROUP_BY: uvloop.run(_group_by(stack.url_of(DATABASE), datasets, rounds))}
        results.say("measured the GROUP BY")
        for name, module in ((FASTAPI, "fastapi_service"), (LITESTAR, "litestar_service")):
            with stack.foreign(module, DATABASE) as program, Memory(program.pid) as watched:
                beside[name] = _foreign(program.url, datasets, rounds)
            memory[name] = watched
            results.say(f"measured {name}")
    uvloop.run(stack.drop(DATABASE))
    _report(results, datasets, found, beside, {name: (each.first, each.most) for name, each in memory.items()})


def filters(dataset: Dataset) -> dict[str, Asked]:
    """What is asked for, by names for people."""
    now = datetime.now(UTC)
    campaign, agent = dataset.owner.campaigns[0]
    hour = now.replace(minute=0, second=0, microsecond=0)
    month = hour - timedelta(days=30)
    # Both ends cut an hour that has calls.
    start, end = (hour.replace(hour=10, minute=17) - timedelta(days=back) for back in (dataset.days * 0.75 // 1, 40))
    dates = {"start_date": _text(start), "end_date": _text(end)}
    return {
        ALL: Asked({}, []),
        "days=30": Asked({"days": "30"}, [("created_at >=", month)]),
        "an agent": Asked({"agent_id": agent}, [("agent_id =", UUID(agent))]),
        "a campaign": Asked({"campaign_id": campaign}, [("campaign_id =", UUID(campaign))]),
        "dates that cut an hour": Asked(dates, [("created_at >=", start), ("created_at <", end)]),
    }


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _ours(getters: dict[Dataset, Getter], rounds: int) -> Found:
    found: Found = {}
    names = list(filters(next(iter(getters))))
    cases = [(endpoint, name) for endpoint in ENDPOINTS for name in names]
    for endpoint, name in [*cases, (FIRST, ALL), (SKIP, ALL)]:
        asked = [(each, getter, _path(endpoint, name, each)) for each, getter in getters.items()]
        for _, getter, path in asked:
            getter.times(path, WARM_UP)
        turns = alternate(asked, rounds, lambda one: one[1].times(one[2], REQUESTS))
        times = {each: Times.of(sum(mine, [])) for (each, _, _), mine in zip(asked, turns, strict=True)}  # noqa: RUF017
        found.setdefault(endpoint, {})[name] = times
    return found


def _path(endpoint: str, name: str, dataset: Dataset) -> str:
    if endpoint == FIRST:
        return FIRST
    if endpoint == SKIP:
        return SKIP.replace("…", str(dataset.size - 2 * LIMIT))
    query = filters(dataset)[name].query
    return f"{endpoint}?{urlencode(query)}" if query else endpoint


async def _agree(url: str, getters: Mapping[Dataset, Getter]) -> None:
    """Count the calls of each filter both ways: a quick answer that is wrong would be worth nothing."""
    connection = await asyncpg.connect(url)
    for dataset, getter in getters.items():
        for name, asked in filters(dataset).items():
            counted = await connection.fetchval(*_statement("/analytics/calls", dataset, asked))
            answered = getter.data(_path("/analytics/calls", name, dataset))["total_calls"]
            if counted != answered:
                raise SystemExit(f"{dataset.name}, {name}: {answered} calls are answered, {counted} are there")
    await connection.close()


def _statement(endpoint: str, dataset: Dataset, asked: Asked) -> tuple[Any, ...]:
    """The question to the raw table, and its parameters."""
    conditions = [("owner_id =", dataset.owner.id), *asked.where]
    where = " AND ".join(f"{condition} ${place}" for place, (condition, _) in enumerate(conditions, 1))
    return RAW[endpoint].format(where=where), *(value for _, value in conditions)


async def _group_by(url: str, datasets: Sequence[Dataset], rounds: int) -> Found:
    """The statements on the raw table: every filter at the largest size, none at the others."""
    connection = await asyncpg.connect(url)
    found: Found = {}
    for endpoint in RAW:
        for dataset in datasets:
            for name, asked in filters(dataset).items():
                if name != ALL and dataset is not datasets[-1]:
                    continue
                ask = _statement(endpoint, dataset, asked)
                await connection.fetch(*ask)
                times = [await _timed(connection, ask) for _ in range(FEW_REQUESTS * rounds)]
                found.setdefault(endpoint, {}).setdefault(name, {})[dataset] = Times.of(times)
    await connection.close()
    return found


async def _timed(connection: Any, ask: Sequence[Any]) -> float:
    began = time.perf_counter()
    await connection.fetch(*ask)
    return (time.perf_counter() - began) * 1000


def _foreign(url: str, datasets: Sequence[Dataset], rounds: int) -> Found:
    """Another framework's answers, without a filter."""
    found: Found = {}
    with Getter(url) as getter:
        for endpoint in ENDPOINTS:
            for dataset in datasets:
                path = f"{endpoint}?owner_id={dataset.owner.id}"
                getter.times(path, 1)
                times = Times.of(getter.times(path, FEW_REQUESTS * rounds))
                found.setdefault(endpoint, {}).setdefault(ALL, {})[dataset] = times
    return found


def _report(
    results: Results,
    datasets: Sequence[Dataset],
    found: Found,
    beside: Mapping[str, Found],
    memory: Mapping[str, tuple[float, float]],
) -> None:
    few, many = datasets[0], datasets[-1]
    sizes = tuple(each.name for each in datasets)
    columns = ("", "filter", *sizes, f"{many.name} / {few.name}", "GROUP BY is")
    own = Grid("Milliseconds to answer, one client, p50 (p95)", columns, labels=2)
    for endpoint, each in found.items():
        for name, times in each.items():
            raw = beside[GROUP_BY].get(endpoint, {}).get(name, {}).get(many)
            slower = f"{raw.p50 / times[many].p50:,.0f} x" if raw else ""
            growth = f"{times[many].p50 / times[few].p50:.2f}"
            own.add(endpoint, name, *(str(times[one]) for one in datasets), growth, slower)
    title = "The same figures from the raw table, no filter: milliseconds to answer, one client, p50 (p95)"
    others = Grid(title, ("", "by", *sizes, "ours is faster by", "MiB, most"), labels=2)
    for endpoint in ENDPOINTS:
        for service, theirs in beside.items():
            times = theirs[endpoint][ALL]
            faster = f"{times[many].p50 / found[endpoint][ALL][many].p50:,.0f} x"
            used = f"{memory[service][1]:,.0f}" if service in memory else ""
            others.add(endpoint, service, *(str(times[one]) for one in datasets), faster, used)
    figures = {
        "sizes": [each.size for each in datasets],
        "ours": _plain(found),
        "beside": {name: _plain(each) for name, each in beside.items()},
        "MiB": {name: [round(value, 1) for value in both] for name, both in memory.items()},
    }
    results.add("analytics", figures, _claims(few, many, found, beside), [own, others])


def _claims(few: Dataset, many: Dataset, found: Found, beside: Mapping[str, Found]) -> list[Claim]:
    claims = []
    for endpoint in ENDPOINTS:
        each = found[endpoint]
        slowest = max(each, key=lambda name: each[name][many].p95)
        title = f"{endpoint} of {many.name}, p95, slowest filter ({slowest})"
        claims.append(Claim(title, each[slowest][many].p95, "ms", at_most=MOST_MS))
        faster = beside[GROUP_BY][endpoint][ALL][many].p50 / each[ALL][many].p50
        claims.append(Claim(f"{endpoint} of {many.name}, faster than the GROUP BY", faster, at_least=LEAST_FASTER))
        growth = max(times[many].p50 / times[few].p50 for times in each.values())
        claims.append(Claim(f"{endpoint}, {many.name} / {few.name}, worst filter", growth))
    first, skip = found[FIRST][ALL], found[SKIP][ALL]
    growth = first[many].p50 / first[few].p50
    claims.append(Claim(f"list with total, {many.name} / {few.name}", growth, at_most=MOST_LIST))
    deep = skip[many].p50 / first[many].p50
    claims.append(Claim(f"skip={many.size - 2 * LIMIT} of {many.name} / skip=0", deep, at_most=MOST_SKIP))
    return claims


def _plain(found: Found) -> dict[str, Any]:
    return {
        endpoint: {
            name: {str(one.size): [time.p50, time.p95] for one, time in times.items()} for name, times in each.items()
        }
        for endpoint, each in found.items()
    }
