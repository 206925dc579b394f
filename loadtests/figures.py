"""The figures of a run: what locust has counted, kept as JSON, and shown as a table."""

from __future__ import annotations

import ast
import re
from typing import Any

import msgspec
from rich.table import Table

from loadtests.ledger import Ledger

WRITTEN = re.compile(r"CatchResponseError\(((['\"]).*\2)\)", re.DOTALL)


class Row(msgspec.Struct):
    """Requests of one kind; times to answer in milliseconds."""

    name: str
    requests: int
    failures: int
    rate: float
    p50: float
    p95: float
    p99: float
    max: float


class Failure(msgspec.Struct):
    """Failures that said the same."""

    name: str
    message: str
    count: int


class Figures(msgspec.Struct):
    """All of a run."""

    rows: list[Row]
    total: Row
    failures: list[Failure]
    exceptions: list[str]
    created: dict[str, int]
    unsure: dict[str, int]


def figures_of(environment: Any, ledger: Ledger) -> bytes:
    """Take down what a locust environment has counted."""
    stats = environment.stats
    rows = [_row(entry) for entry in sorted(stats.entries.values(), key=lambda entry: (entry.name, entry.method))]
    failures = [
        Failure(f"{each.method} {each.name}", _plain(each.error), each.occurrences) for each in stats.errors.values()
    ]
    exceptions = [
        f"{each['count']} times: {each['msg']}\n{each['traceback']}" for each in environment.runner.exceptions.values()
    ]
    figures = Figures(rows, _row(stats.total), failures, exceptions, dict(ledger.created), dict(ledger.unsure))
    return msgspec.json.encode(figures)


def _plain(error: object) -> str:
    """The message alone: locust's workers send the exception as Python writes it."""
    text = str(error)
    written = WRITTEN.fullmatch(text)
    return str(ast.literal_eval(written[1])) if written else text


def _row(entry: Any) -> Row:
    times = [float(entry.get_response_time_percentile(part) or 0) for part in (0.5, 0.95, 0.99)]
    name = f"{entry.method} {entry.name}" if entry.method else "all"
    return Row(
        name, entry.num_requests, entry.num_failures, round(entry.total_rps, 2), *times, round(entry.max_response_time)
    )


def table(figures: Figures, target: float) -> Table:
    """Show them; times above the target are marked."""
    shown = Table(title="milliseconds to answer", title_justify="left")
    for name in ("name", "requests", "failures", "/s", "p50", "p95", "p99", "max"):
        shown.add_column(name, justify="left" if name == "name" else "right", no_wrap=True)
    for row in figures.rows:
        shown.add_row(*_cells(row, target))
    shown.add_section()
    shown.add_row(*_cells(figures.total, target), style="bold")
    return shown


def _cells(row: Row, target: float) -> list[str]:
    failures = f"[red]{row.failures:,}[/]" if row.failures else "0"
    slow = f"[yellow]{row.p95:,.0f}[/]" if row.p95 > target else f"{row.p95:,.0f}"
    times = [f"{row.p50:,.0f}", slow, f"{row.p99:,.0f}", f"{row.max:,.0f}"]
    return [row.name, f"{row.requests:,}", failures, f"{row.rate:,.1f}", *times]
