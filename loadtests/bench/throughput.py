"""How many pages of call logs a second one process answers, beside bare Sanic, FastAPI and Litestar, and its memory."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from loadtests.bench.filling import Dataset
from loadtests.bench.http_bench import bare
from loadtests.bench.load import CONNECTIONS, Figure, press
from loadtests.bench.results import Claim, Grid, Results, alternate, middle
from loadtests.bench.stack import Memory, Stack

LIMIT = 50
OURS, BARE, FASTAPI, LITESTAR = "ours", "Sanic + asyncpg, no total", "FastAPI + SQLAlchemy", "Litestar + asyncpg"
# What ours should be of the others, by the number of calls.
LEAST: dict[int, dict[str, float]] = {90_000: {BARE: 0.6, FASTAPI: 8, LITESTAR: 5}, 1_000_000: {FASTAPI: 50}}
SETTLE_SECONDS = 3


def run(results: Results, stack: Stack, datasets: list[Dataset], rounds: int, seconds: float) -> None:
    """Measure requests a second for the first page with its total; claim."""
    title = f"GET /call-logs?limit={LIMIT} with total: requests/s, {CONNECTIONS} connections, one process each"
    columns = ("", "calls", "requests/s", "p50 ms", "p99 ms", "ours is", "MiB, idle", "MiB, most")
    shown, claims, figures = Grid(title, columns, labels=2), [], {}
    for dataset in datasets:
        found, memory = _measure(stack, dataset, rounds, seconds)
        rates = {name: middle([one.rate for one in each]) for name, each in found.items()}
        for name, each in found.items():
            times = [f"{middle([getattr(one, which) for one in each]):.1f}" for which in ("p50", "p99")]
            ratio = "" if name == OURS else f"{rates[OURS] / rates[name]:.2f} x"
            used = (f"{value:,.0f}" for value in memory[name])
            shown.add(name, dataset.name, f"{rates[name]:,.0f}", *times, ratio, *used)
        figures[dataset.name] = {
            name: {"rate": round(rate, 1), "MiB": [round(value, 1) for value in memory[name]]}
            for name, rate in rates.items()
        }
        claims += _claims(dataset, rates)
    results.add("listing, throughput", figures, claims, [shown])


def _measure(
    stack: Stack, dataset: Dataset, rounds: int, seconds: float
) -> tuple[dict[str, list[Figure]], dict[str, tuple[float, float]]]:
    """The figures of each round, and the memory of each process when it began and at its peak, in MiB."""
    database, query = dataset.database, f"/call-logs?limit={LIMIT}"
    with contextlib.ExitStack() as stacked:
        enter: Any = stacked.enter_context
        programs = {
            OURS: enter(stack.worker(database)),
            BARE: enter(bare(stack.url_of(database), dataset.owner.id, 1)),
            FASTAPI: enter(stack.foreign("fastapi_service", database)),
            LITESTAR: enter(stack.foreign("litestar_service", database)),
        }
        watched = {name: enter(Memory(program.pid)) for name, program in programs.items()}
        asked = [
            (f"{program.url}{query}", dataset.owner.token)
            if name == OURS
            else (f"{program.url}{query}&owner_id={dataset.owner.id}", None)
            for name, program in programs.items()
        ]
        for url, token in asked:
            press(url, 1, token)
        found = alternate(asked, rounds, lambda one: _press(one, seconds))
    used = {name: (each.first, each.most) for name, each in watched.items()}
    return dict(zip(programs, found, strict=True)), used


def _press(asked: tuple[str, str | None], seconds: float) -> Figure:
    """Press when the slow statements of whoever was pressed before have ended: they outlive the load that sent them."""
    time.sleep(SETTLE_SECONDS)
    return press(asked[0], seconds, asked[1])


def _claims(dataset: Dataset, rates: dict[str, float]) -> list[Claim]:
    least = LEAST.get(dataset.size, {})
    return [
        Claim(f"list of {dataset.name}, of {name}", rates[OURS] / rate, at_least=least.get(name))
        for name, rate in rates.items()
        if name != OURS
    ]
