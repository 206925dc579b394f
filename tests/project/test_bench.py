"""The page of the benchmarks is made of what they found, and says nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from loadtests.bench import page, plot, prose
from loadtests.bench.calls import PLANTED, RARE_NUMBER, Owner, chunks_of, make_calls, rows_of
from loadtests.bench.results import Claim, Grid, Results, read
from voicera import uuid7

CONDITIONS = {"date": "2026-01-02", "commit": "abc1234", "CPU": "Some CPU", "cores": "2"}
SIZES = (10_000, 3_000_000)


@pytest.fixture
def figures(tmp_path: Path) -> Path:
    """The file of a run of two parts, one of whose targets was missed."""
    path = tmp_path / "figures.json"
    grid = Grid("Milliseconds", ("", "filter", "10,000"), [("/analytics/calls", "no filter", "1.00 (2.00)")], labels=2)
    claims = [
        Claim("analytics, p95", 4.5, "ms", at_most=10),
        Claim("faster than the GROUP BY", 12.0, at_least=50),
        Claim("growth", 1.1),
    ]
    results = _results(path)
    results.add("analytics", _analytics(), claims, [grid])
    results.add("hooks", {}, [Claim("CPU of the hook calls", 0.5, "%", at_most=3)])
    return path


def _results(path: Path, **more: str) -> Results:
    return Results(Console(quiet=True), [path], CONDITIONS | more)


def _analytics() -> dict[str, Any]:
    times = {"no filter": {str(size): [1.5, 3.0] for size in SIZES}}
    found = dict.fromkeys(("/analytics/calls", "/analytics/top-phrases"), times)
    lists = {"/call-logs?limit=50": times, "/call-logs?limit=50&skip=…": times}
    return {"sizes": list(SIZES), "ours": found | lists, "beside": {"GROUP BY, direct": found}}


def test_the_committed_page_is_what_the_writer_makes_of_the_committed_figures() -> None:
    assert page.PAGE.read_text() == page.text(read(page.FIGURES)), "run `python -m loadtests.bench.page`"


def test_the_page_shows_each_part_with_its_table_its_commit_and_the_command_that_repeats_it(figures: Path) -> None:
    text = page.text(read(figures))
    assert text.startswith(prose.INTRODUCTION)
    assert "| CPU | Some CPU |" in text
    assert "**Milliseconds**\n\n|  | filter | 10,000 |\n| --- | --- | ---: |\n" in text
    assert "| /analytics/calls | no filter | 1.00 (2.00) |" in text
    assert "- growth: 1.10 x" in text
    assert "Measured on 2026-01-02 at abc1234; `python -m loadtests.bench analytics` repeats it." in text
    assert "## What hooks cost" in text
    assert "## Folding" not in text


def test_the_page_says_which_targets_are_met_and_why_one_is_missed(
    figures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(prose.REASONS, "faster than", "The table is small.")
    text = page.text(read(figures))
    assert "2 of 3 targets are met." in text
    assert "| analytics, p95 | 4.50 ms | <= 10 ms | met |" in text
    assert "| faster than the GROUP BY | 12.00 x | >= 50 x | **missed** |" in text
    assert "- Missed: faster than the GROUP BY. The table is small." in text


def test_a_later_run_replaces_only_what_it_measured(figures: Path) -> None:
    before = read(figures)
    _results(figures, commit="def5678", CPU="Another CPU").add("hooks", {}, [Claim("CPU of the hook calls", 2.0, "%")])
    after = read(figures)
    assert after["analytics"] == before["analytics"]
    assert after["hooks"]["conditions"]["commit"] == "def5678"
    assert after["hooks"]["claims"][0]["value"] == 2.0
    assert "It ran elsewhere: CPU Another CPU." in page.text(after)


def test_figures_of_another_shape_are_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    path.write_text(json.dumps({"listing": {}}))
    assert read(path) == {}


def test_the_plot_is_the_same_for_the_same_figures_and_names_its_lines_and_sizes(figures: Path, tmp_path: Path) -> None:
    made, image = tmp_path / "benchmarks.md", tmp_path / "images" / "latency.svg"
    page.write(figures, made, image)
    assert made.read_text() == page.text(read(figures))
    drawn = image.read_text()
    assert drawn == plot.svg(_analytics())
    for label in (*(label for label, *_ in plot.SERIES), "10,000", "3,000,000"):
        assert label in drawn
    assert "<dc:date>" not in drawn


def test_every_part_that_is_published_stands_on_the_page() -> None:
    from loadtests.bench.__main__ import PARTS

    named = {name.rpartition(", ")[2] for name in prose.PARTS}
    assert set(PARTS) - {"profile"} == named


def test_calls_come_in_the_order_of_time_and_are_the_same_in_chunks_as_together() -> None:
    owner = Owner(uuid7(), "", [str(uuid7()) for _ in range(12)], [(str(uuid7()), str(uuid7())) for _ in range(30)])
    owner.campaigns[:] = [(campaign, owner.agents[place % 12]) for place, (campaign, _) in enumerate(owner.campaigns)]
    calls = make_calls(owner, 2_500, 40)
    chunks = list(chunks_of(owner, 2_500, 40, size=1_000))
    assert [len(chunk) for chunk in chunks] == [1_000, 1_000, 500]
    assert [call for chunk in chunks for call in chunk] == calls
    moments = [call["created_at"] for call in calls]
    assert moments == sorted(moments)
    assert len({call["external_id"] for call in calls}) == 2_500
    assert sum(call["phone_number"] == RARE_NUMBER for call in calls) == PLANTED
    ids = [row[1] for row in rows_of(owner, calls)]
    assert ids == sorted(ids)
