"""What a command shows while it works: a bar with the rate and the time that is left, on a terminal alone."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

err = Console(stderr=True, highlight=False)


class _Rate(ProgressColumn):
    """Rows, and rows a second."""

    def render(self, task: Task) -> Text:
        rows, seconds = task.fields.get("rows", 0), task.elapsed or 0.0
        rate = task.fields.get("fresh", rows) / seconds if seconds > 0.5 else 0.0
        return Text(f"{rows:,} calls, {rate:,.0f}/s")


def progress() -> Progress:
    """A bar; its tasks have the fields `rows` (in all) and `fresh` (of this run)."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
        transient=True,
    )
