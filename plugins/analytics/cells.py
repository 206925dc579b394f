"""What a rollup row counts: a call falls into one cell, by its status and its sentiment.

A row has a column for each cell, so that a row stands for a bucket and whoever it is about, and not for each
combination: a fifth of the rows to write, and a year of hours is read as 8,760 of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

STATUSES = ("queued", "in_progress", "completed", "failed", "no_answer", "busy", "cancelled")
SENTIMENTS = ("positive", "neutral", "negative", None)
COMPLETED = "completed"
FAILED = ("failed", "no_answer", "busy")

CELLS: tuple[tuple[str, str | None], ...] = tuple(
    (status, sentiment) for status in STATUSES for sentiment in SENTIMENTS
)
NUMBERS = {cell: number for number, cell in enumerate(CELLS)}
COLUMNS = tuple(f"{status}_{sentiment or 'unknown'}" for status, sentiment in CELLS)
# `timed_calls` are the completed calls that have a duration, `seconds` their sum: the mean that is asked for.
SUMS = ("calls", *COLUMNS, "timed_calls", "seconds", "cost_micros")


def numbers(statuses: Sequence[str] | None, sentiments: Sequence[str | None] | None) -> list[int]:
    """The cells of calls with one of these statuses and one of these sentiments; None stands for any."""
    return [
        number
        for (status, sentiment), number in NUMBERS.items()
        if (statuses is None or status in statuses) and (sentiments is None or sentiment in sentiments)
    ]


def total(wanted: Iterable[int] | None, row: str) -> str:
    """SQL that adds up these cells of a rollup row; all of its calls, for None."""
    if wanted is None:
        return f"{row}.calls"
    return "(" + " + ".join(f"{row}.{COLUMNS[number]}" for number in wanted) + ")"
