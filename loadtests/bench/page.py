"""`docs/benchmarks.md`, made of `docs/benchmarks.json`; `python -m loadtests.bench.page` writes it anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from loadtests.bench import plot, prose
from loadtests.bench.results import Claim, Grid, read
from loadtests.service import ROOT

DOCS = ROOT / "docs"
FIGURES, PAGE, PLOT = DOCS / "benchmarks.json", DOCS / "benchmarks.md", DOCS / "images" / "latency.svg"
# What may differ from part to part without being another machine.
OF_A_RUN = ("date", "commit", "command", "disk")
Part = Mapping[str, Any]


def write(figures: Path = FIGURES, page: Path = PAGE, image: Path = PLOT) -> None:
    """Write the page, and the plot if there is something to plot."""
    parts = read(figures)
    drawn = plot.svg(parts["analytics"]["figures"]) if "analytics" in parts else None
    if drawn is not None:
        image.parent.mkdir(parents=True, exist_ok=True)
        image.write_text(drawn)
    page.write_text(text(parts))


def text(parts: Mapping[str, Part]) -> str:
    """The page, in Markdown. Parts that were not measured are left out."""
    shown = {name: parts[name] for name in prose.PARTS if name in parts}
    blocks = [prose.INTRODUCTION]
    if shown:
        newest = max(shown.values(), key=lambda part: str(part["conditions"]["date"]))
        blocks += ["## The machine", _machine(newest["conditions"])]
        blocks += ["## Targets", *_targets(shown)]
        if "analytics" in shown:
            blocks += ["## Time against size", "![Time to answer against the number of calls](images/latency.svg)"]
            blocks.append(prose.PLOT)
        for name, part in shown.items():
            blocks += _part(name, part, newest["conditions"])
    return "\n\n".join(blocks) + "\n"


def _machine(conditions: Mapping[str, str]) -> str:
    rows = [(name, value) for name, value in conditions.items() if name not in ("date", "commit", "command")]
    return _table(("", ""), rows, labels=2)


def _targets(shown: Mapping[str, Part]) -> Iterator[str]:
    claims = [claim for part in shown.values() for claim in _claims(part) if claim.target]
    missed = [claim for claim in claims if not claim.holds]
    yield f"{len(claims) - len(missed)} of {len(claims)} targets are met."
    rows = [(claim.name, _found(claim), claim.target, "met" if claim.holds else "**missed**") for claim in claims]
    yield _table(("", "found", "target", ""), rows)
    if missed:
        yield "\n".join(f"- Missed: {claim.name}. {_why(claim)}".rstrip() for claim in missed)


def _why(claim: Claim) -> str:
    return next((why for start, why in prose.REASONS.items() if claim.name.startswith(start)), "")


def _part(name: str, part: Part, newest: Mapping[str, str]) -> Iterator[str]:
    heading, words = prose.PARTS[name]
    yield f"## {heading}"
    yield words
    for grid in (Grid(**table) for table in part["tables"]):
        yield f"**{grid.title}**"
        yield _table(grid.columns, grid.rows, grid.labels)
    told = [claim for claim in _claims(part) if not claim.target]
    if told:
        yield "\n".join(f"- {claim.name}: {_found(claim)}" for claim in told)
    conditions = part["conditions"]
    yield f"Measured on {conditions['date']} at {conditions['commit']}; `{conditions['command']}` repeats it."
    other = {key: value for key, value in conditions.items() if key not in OF_A_RUN and value != newest.get(key)}
    if other:
        yield "It ran elsewhere: " + ", ".join(f"{key} {value}" for key, value in other.items()) + "."


def _claims(part: Part) -> list[Claim]:
    return [Claim(**claim) for claim in part["claims"]]


def _found(claim: Claim) -> str:
    return f"{claim.value:,.{0 if claim.unit == 'cases' else 2}f} {claim.unit}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], labels: int = 1) -> str:
    lines = [columns, ["---"] * labels + ["---:"] * (len(columns) - labels), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '/') for cell in line)} |" for line in lines)


if __name__ == "__main__":
    write()
