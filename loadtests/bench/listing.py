"""The list of calls: whether its time depends on how many there are, with every filter; and beside other frameworks.

One client asks for the same page of owners with few and with many calls, in turns. The same is done in a second
database whose calls lie in 144 monthly partitions. Rare filters find the same 60 calls in every table.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import uvloop

from loadtests.bench import calls as made
from loadtests.bench.calls import Owner, make_owner
from loadtests.bench.client import Getter, post_all
from loadtests.bench.http_bench import bare
from loadtests.bench.load import press
from loadtests.bench.results import Claim, Results, alternate, middle, table
from loadtests.bench.stack import Stack

FEW, MANY = "bench_list", "bench_list_144"
DAYS = {FEW: 85, MANY: 4_340}  # a season, and 143 months
LIMIT = 50
BATCH = 10_000
PAIR = 2  # clients that fill
REQUESTS = 40  # of a case in a round
WARM_UP = 8  # requests before, for the pool's connections to learn the statements
MOST = 1.25  # that a list of many calls may take, of one of few
FIRST, CURSOR, SKIP = "no filter", "last page, by cursor", "last but one page, by skip"
Case = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds to answer."""

    p50: float
    p95: float

    @classmethod
    def of(cls, times: list[float]) -> Times:
        """What these come to."""
        return cls(round(middle(times), 3), round(sorted(times)[int(len(times) * 0.95)], 3))


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """An owner with so many calls."""

    database: str
    size: int
    owner: Owner
    phone_number: str
    external_id: str
    cases: list[Case] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name for people."""
        return f"{self.size:,}" + (" in 144 months" if self.database == MANY else "")


def run(results: Results, stack: Stack, *, sizes: Sequence[int], rounds: int, seconds: float) -> None:
    """Fill, measure, print, claim."""
    few = fill(results, stack, FEW, sizes)
    many = fill(results, stack, MANY, [sizes[0], sizes[-1]])
    with stack.worker(FEW) as one, stack.worker(MANY) as other, contextlib.ExitStack() as stacked:
        urls = {FEW: one.url, MANY: other.url}
        getters = [stacked.enter_context(Getter(urls[each.database], each.owner.token)) for each in (*few, *many)]
        for dataset, getter in zip((*few, *many), getters, strict=True):
            dataset.cases.extend(_cases(dataset, getter))
        _latency(results, [*few, *many], getters, rounds)
    _throughput(results, stack, few, rounds, seconds)


def fill(results: Results, stack: Stack, database: str, sizes: Sequence[int]) -> list[Dataset]:
    """Make a database with an owner for each size. The calls come first, then their rollups, by the migration."""
    uvloop.run(stack.create(database))
    stack.migrate(database, disabled="analytics")
    found = []
    with stack.worker(database, disabled="analytics") as program:
        for size in sizes:
            results.say(f"filling {database} with {size:,} calls")
            owner = make_owner(program.url, f"owner-{size}")
            calls = made.make_calls(owner, size, DAYS[database], phrases=database == FEW)
            lines = made.lines_of(calls)
            posts = ((b"\n".join(lines[at : at + BATCH]), "application/x-ndjson") for at in range(0, size, BATCH))
            uvloop.run(post_all(f"{program.url}/call-logs/batch", owner.token, posts, PAIR))
            [(number, _)] = Counter(call["phone_number"] for call in calls).most_common(1)
            found.append(Dataset(database, size, owner, number, calls[size // 2]["external_id"]))
    results.say(f"rolling {database} up")
    stack.migrate(database)
    uvloop.run(stack.settle(database))
    return found


def _cases(dataset: Dataset, getter: Getter) -> Iterator[Case]:
    """Names of what is asked for, and paths."""
    owner, days = dataset.owner, DAYS[dataset.database]
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
        ("phone_number, common", {"phone_number": dataset.phone_number}),
        ("phone_number, total=false", {"phone_number": dataset.phone_number, "total": "false"}),
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
    claims = []
    for database in (FEW, MANY):
        here = [each for each in datasets if each.database == database]
        _show(results, times, here, smallest)
        ratios = {name: each[here[-1]].p50 / each[here[0]].p50 for name, each in times.items()}
        claims += _growth(ratios, f"{here[-1].name} / {here[0].size:,}")
    for name, most in ((CURSOR, 1.25), (SKIP, 4)):
        ratio = times[name][biggest].p50 / times[FIRST][biggest].p50
        claims.append(Claim(f"{name}, of the first page", ratio, at_most=most))
    figures = {name: {dataset.name: asdict(found) for dataset, found in each.items()} for name, each in times.items()}
    results.add("listing", figures, claims)


def _show(results: Results, times: dict[str, dict[Dataset, Times]], here: list[Dataset], smallest: Dataset) -> None:
    title = f"GET /call-logs?limit={LIMIT}: milliseconds of one client, p50 (p95); the last columns are ratios of p50"
    versus = [here[0]] if here[0] is smallest else [here[0], smallest]
    shown = table(title, "", *(each.name for each in here), *(f"/ {each.name}" for each in versus))
    for name, each in times.items():
        cells = [f"{each[dataset].p50:.2f} ({each[dataset].p95:.2f})" for dataset in here]
        ratios = [each[here[-1]].p50 / each[other].p50 for other in versus]
        shown.add_row(name, *cells, *(f"[{'green' if ratio <= MOST else 'red'}]{ratio:.2f}[/]" for ratio in ratios))
    results.out.print(shown)


def _growth(ratios: dict[str, float], title: str) -> list[Claim]:
    worst = max(ratios, key=lambda name: ratios[name])
    return [
        Claim(f"list, {title}, no filter", ratios[FIRST], at_most=MOST),
        Claim(f"list, {title}, worst ({worst})", ratios[worst], at_most=MOST),
        Claim(f"list, {title}, cases above {MOST}", sum(each > MOST for each in ratios.values()), "cases", at_most=0),
    ]


def _throughput(results: Results, stack: Stack, few: list[Dataset], rounds: int, seconds: float) -> None:
    """Requests a second for the first page with its total, beside the others, for the middle size and the largest."""
    claims, figures = [], {}
    shown = table(f"GET /call-logs?limit={LIMIT} with total: requests/s, 32 connections, one process each", "", "calls")
    for name in ("requests/s", "p50 ms", "p99 ms", "ours is"):
        shown.add_column(name, justify="right")
    for dataset in (few[len(few) // 2], few[-1]):
        with contextlib.ExitStack() as stacked:
            ours = stacked.enter_context(stack.worker(FEW))
            plain = stacked.enter_context(bare(stack.url_of(FEW), dataset.owner.id, 1))
            fastapi, litestar = (
                stacked.enter_context(stack.foreign(f"{name}_service", FEW)) for name in ("fastapi", "litestar")
            )
            query = f"/call-logs?limit={LIMIT}"
            theirs = f"{query}&owner_id={dataset.owner.id}"
            contestants = {
                "ours": (ours.url + query, dataset.owner.token),
                "Sanic + asyncpg, no total": (plain + theirs, None),
                "FastAPI + SQLAlchemy": (fastapi.url + theirs, None),
                "Litestar + asyncpg": (litestar.url + theirs, None),
            }
            for url, token in contestants.values():
                press(url, 1, token)
            found = alternate(list(contestants.values()), rounds, lambda one: press(one[0], seconds, one[1]))
        rates = {name: middle([one.rate for one in each]) for name, each in zip(contestants, found, strict=True)}
        for name, each in zip(contestants, found, strict=True):
            ratio = rates["ours"] / rates[name]
            times = [f"{middle([getattr(one, which) for one in each]):.1f}" for which in ("p50", "p99")]
            shown.add_row(name, dataset.name, f"{rates[name]:,.0f}", *times, "" if name == "ours" else f"{ratio:.2f} x")
        figures[dataset.name] = {name: round(rate, 1) for name, rate in rates.items()}
        least = dict(
            zip(contestants, (None, 0.6, 8, 5) if dataset is not few[-1] else (None, None, 50, None), strict=True)
        )
        claims += [
            Claim(f"list of {dataset.name}, of {name}", rates["ours"] / rates[name], at_least=least[name])
            for name in contestants
            if name != "ours"
        ]
    results.out.print(shown)
    results.add("listing, throughput", figures, claims)
