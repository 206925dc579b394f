"""What a benchmark found: claims with their targets, tables for people, JSON for programs."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

Contestant = TypeVar("Contestant")


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


class Results:
    """Gathers what the parts find, prints each part at once, and keeps the JSON file up to date."""

    def __init__(self, out: Console, path: Path, **conditions: Any) -> None:
        self.out = out
        self._path = path
        machine = {"machine": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count()}
        self._found: dict[str, Any] = {"conditions": {**machine, **conditions}}
        self._claims: list[Claim] = []
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        """Tell what goes on."""
        self.out.print(f"[dim]{time.monotonic() - self._began:5.0f} s  {text}[/]")

    def add(self, part: str, figures: Any, claims: Sequence[Claim]) -> None:
        """Take a part's figures and claims."""
        self._claims += claims
        self._found[part] = {"figures": figures, "claims": [_plain(claim) for claim in claims]}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self._found, indent=2) + "\n")
        if claims:
            self.out.print(_table(part, claims))

    def finish(self) -> int:
        """Print all claims once more; 0 if all targets are met, else 1."""
        if self._claims:
            self.out.print(_table("All", self._claims))
        self.out.print(f"written to {self._path}")
        return 0 if all(claim.holds for claim in self._claims) else 1


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


def table(title: str, *columns: str) -> Table:
    """A table whose first column is text and whose others are figures."""
    made = Table(title=title, title_justify="left")
    for place, column in enumerate(columns):
        made.add_column(column, justify="right" if place else "left", no_wrap=True)
    return made


def _table(part: str, claims: Sequence[Claim]) -> Table:
    made = table(f"{part}: claims", "", "found", "target")
    for claim in claims:
        colour = "green" if claim.holds else "red"
        made.add_row(claim.name, f"[{colour}]{claim.value:.2f} {claim.unit}[/]", claim.target)
    return made


def _plain(claim: Claim) -> dict[str, Any]:
    return {**asdict(claim), "value": round(claim.value, 4), "holds": claim.holds}
