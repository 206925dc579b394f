"""What a benchmark found: claims with their targets, tables for people, JSON for programs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Self, TypeVar

from rich.console import Console
from rich.table import Table

Contestant = TypeVar("Contestant")
WIDE = 170  # columns of a terminal that show every table


@dataclass(frozen=True, slots=True)
class Claim:
    """A figure with what it should be; without a target it is only told."""

    name: str
    value: float
    unit: str = "x"
    at_least: float | None = None
    at_most: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the target is met."""
        least_met = self.at_least is None or self.value >= self.at_least
        return least_met and (self.at_most is None or self.value <= self.at_most)

    @property
    def target(self) -> str:
        """The target for people."""
        if self.at_least is not None:
            return f">= {self.at_least:g} {self.unit}"
        return f"<= {self.at_most:g} {self.unit}" if self.at_most is not None else ""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of text whose first columns, `labels` of them, name things, and whose others are figures."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    labels: int = 1

    def add(self, *cells: str) -> None:
        """Add a row."""
        self.rows.append(cells)


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds to answer."""

    p50: float
    p95: float

    @classmethod
    def of(cls, times: Sequence[float]) -> Self:
        """What these come to."""
        return cls(round(middle(times), 3), round(sorted(times)[int(len(times) * 0.95)], 3))

    def __str__(self) -> str:
        digits = 2 if self.p50 < 10 else 1 if self.p50 < 100 else 0
        return f"{self.p50:,.{digits}f} ({self.p95:,.{digits}f})"


class Results:
    """Gathers what the parts find, prints each part at once, and keeps the JSON files up to date.

    Each of `paths` is read again before each part is written, so that a run replaces only the parts that it measures.
    `conditions` is what is noted of every part: when, on which machine, and so on.
    """

    def __init__(self, out: Console, paths: Iterable[Path], conditions: Mapping[str, Any]) -> None:
        self.out = out
        self._paths = list(paths)
        self._conditions = dict(conditions)
        self._claims: list[Claim] = []
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        """Tell what goes on."""
        self.out.print(f"[dim]{time.monotonic() - self._began:5.0f} s  {text}[/]")

    def add(
        self, part: str, figures: Any, claims: Sequence[Claim], grids: Sequence[Grid] = (), *, local: bool = False
    ) -> None:
        """Take a part's figures, claims and tables; the command that repeats it is the part's first word.

        What is `local` goes into the first file alone, not to where it is published.
        """
        self._claims += claims
        command = f"python -m loadtests.bench {part.split(maxsplit=1)[0].strip(',')}"
        found = {
            "conditions": {**self._conditions, "command": command},
            "claims": [_plain(claim) for claim in claims],
            "tables": [asdict(grid) for grid in grids],
            "figures": figures,
        }
        for path in self._paths[:1] if local else self._paths:
            write(path, {**read(path), part: found})
        for grid in grids:
            self.out.print(_shown(grid), width=max(self.out.width, WIDE))
        if claims:
            self.out.print(_table(part, claims))

    def finish(self) -> int:
        """Print all claims once more; 0 if all targets are met, else 1."""
        if self._claims:
            self.out.print(_table("All", self._claims))
        for path in self._paths:
            self.out.print(f"written to {path}")
        return 0 if all(claim.holds for claim in self._claims) else 1


def read(path: Path) -> dict[str, Any]:
    """The parts that a file holds, by name; none where there is no such file, or one of another shape."""
    found = json.loads(path.read_text()) if path.exists() else {}
    return found.get("parts", {}) if isinstance(found, dict) else {}


def write(path: Path, parts: Mapping[str, Any]) -> None:
    """Write the parts, in the order of their names, so that a run changes no lines but its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"parts": dict(sorted(parts.items()))}, indent=1, default=str) + "\n")


def alternate(contestants: Sequence[Contestant], rounds: int, measure: Callable[[Contestant], Any]) -> list[list[Any]]:
    """Let all take turns, the one that begins changing from round to round; what each reached, round by round."""
    found: list[list[Any]] = [[] for _ in contestants]
    for number in range(rounds):
        order = list(range(len(contestants)))
        for place in order[number % len(order) :] + order[: number % len(order)]:
            found[place].append(measure(contestants[place]))
    return found


def middle(values: Sequence[float]) -> float:
    """The median."""
    return float(median(values))


def _shown(grid: Grid) -> Table:
    made = Table(title=grid.title, title_justify="left")
    for place, column in enumerate(grid.columns):
        made.add_column(column, justify="right" if place >= grid.labels else "left", no_wrap=True)
    for row in grid.rows:
        made.add_row(*row)
    return made


def _table(part: str, claims: Sequence[Claim]) -> Table:
    made = _shown(Grid(f"{part}: claims", ("", "found", "target")))
    for claim in claims:
        colour = "green" if claim.holds else "red"
        made.add_row(claim.name, f"[{colour}]{claim.value:.2f} {claim.unit}[/]", claim.target)
    return made


def _plain(claim: Claim) -> dict[str, Any]:
    return {**asdict(claim), "value": round(claim.value, 4)}
