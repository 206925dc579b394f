"""Requests a second of the service beside a bare Sanic and asyncpg application, on the same PostgreSQL.

Both have the same number of workers, take turns in short rounds, and share the machine with the generator of
the load: what counts is the ratio of the medians, not the figures.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from rich.console import Console
from rich.table import Table

from loadtests.bench.load import CONNECTIONS, Figure, generator, press
from loadtests.service import ROOT, child, post, service, voicera

AGENTS = 10
WARM_UP_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Pair:
    """A route of ours, the bare one that it is measured against, and the ratio that it should reach."""

    name: str
    ours: str
    bare: str
    target: float
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The medians of a pair over all rounds."""

    name: str
    ours: Figure
    bare: Figure
    target: float

    @property
    def ratio(self) -> float:
        """Ours as a part of the bare one's requests a second."""
        return self.ours.rate / self.bare.rate


def main(arguments: list[str] | None = None) -> int:
    """Measure, print a table, write JSON; 1 if a ratio is below its target."""
    options = _options(arguments)
    out = Console()
    with tempfile.TemporaryDirectory(prefix="voicera-bench-") as folder:
        data = Path(folder) / "data"
        with service(data, options.workers) as url:
            token, owner = fill(url)
            with bare(database_url(data), owner, options.workers) as other:
                pairs = [
                    Pair("GET /health", f"{url}/health", f"{other}/empty", 0.7),
                    Pair("GET /agents", f"{url}/agents", f"{other}/agents", 0.5, token),
                ]
                results = [measure(pair, options.rounds, options.seconds) for pair in pairs]
    show(out, results, options)
    write(options.json, results, options)
    return 0 if all(result.ratio >= result.target for result in results) else 1


def measure(pair: Pair, rounds: int, seconds: float) -> Result:
    """Let both take turns, the one that begins changing from round to round."""
    found: dict[str, list[Figure]] = {"ours": [], "bare": []}
    turns = [("ours", pair.ours, pair.token), ("bare", pair.bare, None)]
    for _, url, token in turns:
        press(url, WARM_UP_SECONDS, token)
    for number in range(rounds):
        for name, url, token in turns[:: 1 if number % 2 else -1]:
            found[name].append(press(url, seconds, token))
    return Result(pair.name, median(found["ours"]), median(found["bare"]), pair.target)


def median(figures: list[Figure]) -> Figure:
    """The median of each figure by itself."""
    return Figure(*(statistics.median(getattr(figure, name) for figure in figures) for name in ("rate", "p50", "p99")))


@contextlib.contextmanager
def bare(database: str, owner: UUID, workers: int) -> Iterator[str]:
    """Run the bare application, one process a worker on one listening socket; yield its URL."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=4096))
        descriptor = listening.fileno()
        command = [sys.executable, "-m", "loadtests.bench.bare", "--socket-fd", str(descriptor)]
        for _ in range(workers):
            stack.enter_context(child([*command, "--database-url", database, "--owner", str(owner)], keep=descriptor))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def fill(url: str) -> tuple[str, UUID]:
    """Make a user with ten agents; their token and their id."""
    who = {"email": "bench@example.com", "password": "Correct-Horse-7", "first_name": "Ada", "last_name": "Byron"}
    post(f"{url}/auth/register", who)
    login = post(f"{url}/auth/login", {name: who[name] for name in ("email", "password")})
    for number in range(AGENTS):
        agent = {"name": f"Agent {number}", "description": "Handles sales inquiries", "language": "en"}
        models = {
            "llm_provider": "openai",
            "llm_model": "gpt-4",
            "stt_provider": "deepgram",
            "tts_provider": "cartesia",
        }
        post(f"{url}/agents", {**agent, **models, "system_prompt": "You are a helpful agent. " * 20}, login["token"])
    return login["token"], UUID(login["user"]["id"])


def database_url(data: Path) -> str:
    """The URL of the database that the service started."""
    command = [*voicera(), "env", "DATABASE_URL", "--data-dir", str(data)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, cwd=ROOT).stdout.strip()


def show(out: Console, results: list[Result], options: argparse.Namespace) -> None:
    """Print the table."""
    title = f"{options.workers} workers, {CONNECTIONS} connections, {os.cpu_count()} cores shared with {generator()}"
    table = Table("", "requests/s", "p50 ms", "p99 ms", "bare", "p50 ms", "p99 ms", "ratio", "target", title=title)
    for result in results:
        colour = "green" if result.ratio >= result.target else "red"
        sides = [f"{value:,.{digits}f}" for side in (result.ours, result.bare) for value, digits in _digits(side)]
        table.add_row(result.name, *sides, f"[{colour}]{result.ratio:.2f}[/]", f"{result.target:.2f}")
    out.print(table, width=max(out.width, 110))


def _digits(side: Figure) -> list[tuple[float, int]]:
    return [(side.rate, 0), (side.p50, 1), (side.p99, 1)]


def write(path: Path, results: list[Result], options: argparse.Namespace) -> None:
    """Write the figures where programs can read them."""
    sides = ("ours", "bare")
    figures = {
        result.name: {
            **{side: {name: getattr(getattr(result, side), name) for name in ("rate", "p50", "p99")} for side in sides},
            "ratio": round(result.ratio, 3),
            "target": result.target,
        }
        for result in results
    }
    conditions = {"workers": options.workers, "connections": CONNECTIONS, "cores": os.cpu_count()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**conditions, "generator": generator(), "results": figures}, indent=2) + "\n")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="turns that each side gets")
    parser.add_argument("--seconds", type=float, default=5, help="length of a turn")
    parser.add_argument("--workers", type=int, default=2, help="processes of each side")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench_http.json", help="where the figures go")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
