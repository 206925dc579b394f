"""The plot of the time to answer against the number of calls, as an SVG that reads on white and on black."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

ALL = "no filter"
INK = "#808890"  # of text and lines: as far from white as from black
# What is drawn: its label, where its figures are, its colour and its line.
SERIES = (
    ("GROUP BY: top phrases", ("beside", "GROUP BY, direct", "/analytics/top-phrases"), "#e5534b", "--"),
    ("GROUP BY: calls", ("beside", "GROUP BY, direct", "/analytics/calls"), "#d9822b", "--"),
    ("analytics: top phrases", ("ours", "/analytics/top-phrases"), "#8b6fd8", "-"),
    ("analytics: calls", ("ours", "/analytics/calls"), "#3f8fd9", "-"),
    ("list, skip to the end", ("ours", "/call-logs?limit=50&skip=…"), "#2f9e76", "-"),
    ("list, first page", ("ours", "/call-logs?limit=50"), "#a8932a", "-"),
)
STYLE: Any = {
    # Text stays text, and no identifier is made of chance: the same figures make the same file.
    "svg.fonttype": "none",
    "svg.hashsalt": "voicera",
    "font.family": "sans-serif",
    "font.size": 10,
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
}


def svg(figures: Mapping[str, Any]) -> str:
    """Draw the medians of the part `analytics`."""
    import matplotlib as mpl  # noqa: PLC0415  # half a second that only the page needs
    from matplotlib.figure import Figure  # noqa: PLC0415

    sizes = [int(size) for size in figures["sizes"]]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 4.6))
        axes = figure.add_subplot()
        for label, where, colour, line in SERIES:
            times = _medians(figures, where, sizes)
            axes.plot(sizes, times, line, color=colour, label=label, marker="o", markersize=4)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.minorticks_off()
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set_xlabel("calls of the owner")
        axes.set_ylabel("milliseconds, median")
        axes.grid(color=INK, alpha=0.25, linewidth=0.5)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
        figure.tight_layout()
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    lines = [text.rstrip() for text in file.getvalue().splitlines()]
    return "\n".join(lines) + "\n"


def _medians(figures: Mapping[str, Any], where: tuple[str, ...], sizes: list[int]) -> list[float]:
    found: Any = figures
    for name in where:
        found = found[name]
    return [found[ALL][str(size)][0] for size in sizes]
