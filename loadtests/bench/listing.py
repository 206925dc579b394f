"""The list of calls: whether its time depends on how many there are, with every filter; and beside other frameworks.

One client asks for the same page of owners with few and with many calls, in turns. The same is done in a second
database whose calls lie in 144 monthly partitions. Rare filters find the same 60 calls in every table.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import uvloop

from loadtests.bench import calls as made
from loadtests.bench import throughput
from loadtests.bench.client import Getter
from loadtests.bench.filling import Case, Dataset, fill, quiet
from loadtests.bench.results import Claim, Grid, Results, Times, alternate
from loadtests.bench.stack import Stack

FEW, MANY = "bench_list", "bench_list_144"
DAYS = {FEW: 85, MANY: 4_340}  # a season, and 143 months
LIMIT = 50
REQUESTS = 40  # of a case in a round
WARM_UP = 8  # requests before, for the pool's connections to learn the statements
MOST = 1.25  # that a list of many calls may take, of one of few
FIRST, CURSOR, SKIP = "no filter", "last page, by cursor", "last but one page, by skip"


def run(results: Results, stack: Stack, *, sizes: Sequence[int], rounds: int) -> None:
    """Fill, measure times to answer, print, claim."""
    few = fill(results, stack, FEW, sizes, days=DAYS[FEW])
    ends = [sizes[0], sizes[-1]]
    many = fill(results, stack, MANY, ends, days=DAYS[MANY], label=" in 144 months", phrases=False)
    with stack.worker(FEW) as one, stack.worker(MANY) as other, contextlib.ExitStack() as stacked:
        urls = {FEW: one.url, MANY: other.url}
        for database in urls:
            uvloop.run(quiet(stack.url_of(database)))
        getters = [stacked.enter_context(Getter(urls[each.database], each.owner.token)) for each in (*few, *many)]
        for dataset, getter in zip((*few, *many), getters, strict=True):
            dataset.cases.extend(_cases(dataset, getter))
        _latency(results, [*few, *many], getters, rounds)
    uvloop.run(stack.drop(MANY))
    uvloop.run(stack.drop(FEW))


def run_throughput(results: Results, stack: Stack, *, sizes: Sequence[int], rounds: int, seconds: float) -> None:
    """Fill, measure requests a second beside the others, print, claim."""
    datasets = fill(results, stack, FEW, sizes, days=DAYS[FEW])
    throughput.run(results, stack, datasets, rounds, seconds)
    uvloop.run(stack.drop(FEW))


def _cases(dataset: Dataset, getter: Getter) -> Iterator[Case]:
    """Names of what is asked for, and paths."""
    owner, days = dataset.owner, dataset.days
    busiest, its_agent = owner.campaigns[0]
    half, quarter = (datetime.now(UTC) - timedelta(days=days * part) for part in (0.5, 0.25))
    last = getter.data(_path(skip=dataset.size - 2 * LIMIT))["next_cursor"]
    filters: list[tuple[str, dict[str, Any]]] = [
        (FIRST, {}),
        ("no filter, total=false", {"total": "false"}),
        ("campaign_id", {"campaign_id": busiest}),
        ("agent_id", {"agent_id": its_agent}),
        ("status, common", {"status": "completed"}),
        ("status, common, total=false", {"status": "completed", "total": "false"}),
        ("status, 1 %", {"status": "in_progress"}),
        ("status, 60 calls", {"status": "queued"}),
        ("sentiment", {"sentiment": "negative"}),
        ("phone_number, common", {"phone_number": made.common_number()}),
        ("phone_number, total=false", {"phone_number": made.common_number(), "total": "false"}),
        ("phone_number, 60 calls", {"phone_number": made.RARE_NUMBER}),
        ("external_id", {"external_id": dataset.external_id}),
        ("min_duration, common", {"min_duration": 60}),
        ("min_duration, 60 calls", {"min_duration": made.LONGEST}),
        ("max_duration", {"max_duration": 30}),
        ("a quarter of the days", {"start_date": half.date(), "end_date": quarter.date()}),
        ("a quarter, to the second", {"start_date": _text(half), "end_date": _text(quarter)}),
        ("a quarter and a status", {"start_date": _text(half), "end_date": _text(quarter), "status": "busy"}),
        ("agent and status", {"agent_id": its_agent, "status": "completed"}),
        ("campaign and sentiment", {"campaign_id": busiest, "sentiment": "negative"}),
        (
            "campaign, agent, status: 60 calls",
            {"campaign_id": busiest, "agent_id": owner.agents[-1], "status": "busy"},
        ),
        ("agent and min_duration", {"agent_id": its_agent, "min_duration": 600}),
        (CURSOR, {"cursor": last}),
        (SKIP, {"skip": dataset.size - 2 * LIMIT}),
    ]
    for name, wanted in filters:
        yield name, _path(**wanted)


def _path(**wanted: Any) -> str:
    return "/call-logs?" + urlencode({"limit": LIMIT, **wanted})


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _latency(results: Results, datasets: list[Dataset], getters: list[Getter], rounds: int) -> None:
    """Ask for every case of every dataset in turns."""
    times: dict[str, dict[Dataset, Times]] = {}
    for number, (name, _) in enumerate(datasets[0].cases):
        asked = [(getter, dataset.cases[number][1]) for dataset, getter in zip(datasets, getters, strict=True)]
        for getter, path in asked:
            getter.times(path, WARM_UP)
        found = alternate(asked, rounds, lambda one: one[0].times(one[1], REQUESTS))
        times[name] = {
            dataset: Times.of([time for each in turns for time in each])
            for dataset, turns in zip(datasets, found, strict=True)
        }
    smallest, biggest = datasets[0], [each for each in datasets if each.database == FEW][-1]
    claims, grids = [], []
    for database in (FEW, MANY):
        here = [each for each in datasets if each.database == database]
        grids.append(_grid(times, here, smallest))
        ratios = {name: each[here[-1]].p50 / each[here[0]].p50 for name, each in times.items()}
        claims += _growth(ratios, f"{here[-1].name} / {here[0].size:,}")
    for name, most in ((CURSOR, 1.25), (SKIP, 4)):
        ratio = times[name][biggest].p50 / times[FIRST][biggest].p50
        claims.append(Claim(f"{name}, of the first page", ratio, at_most=most))
    figures = {name: {dataset.name: asdict(found) for dataset, found in each.items()} for name, each in times.items()}
    results.add("listing", figures, claims, grids)


def _grid(times: dict[str, dict[Dataset, Times]], here: list[Dataset], smallest: Dataset) -> Grid:
    title = f"GET /call-logs?limit={LIMIT}: milliseconds of one client, p50 (p95); the last columns are ratios of p50"
    versus = [here[0]] if here[0] is smallest else [here[0], smallest]
    shown = Grid(title, ("", *(each.name for each in here), *(f"/ {each.name}" for each in versus)))
    for name, each in times.items():
        ratios = [f"{each[here[-1]].p50 / each[other].p50:.2f}" for other in versus]
        shown.add(name, *(str(each[dataset]) for dataset in here), *ratios)
    return shown


def _growth(ratios: dict[str, float], title: str) -> list[Claim]:
    worst = max(ratios, key=lambda name: ratios[name])
    return [
        Claim(f"list, {title}, no filter", ratios[FIRST], at_most=MOST),
        Claim(f"list, {title}, worst ({worst})", ratios[worst], at_most=MOST),
        Claim(f"list, {title}, cases above {MOST}", sum(each > MOST for each in ratios.values()), "cases", at_most=0),
    ]
