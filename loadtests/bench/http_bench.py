"""Requests a second of the service beside a bare Sanic and asyncpg application, on the same PostgreSQL.

Both have the same number of workers, take turns in short rounds, and share the machine with the generator of
the load: what counts is the ratio of the medians, not the figures.
"""

from __future__ import annotations

import contextlib
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import UUID

from loadtests.bench.load import CONNECTIONS, Figure, press
from loadtests.bench.results import Claim, Grid, Results
from loadtests.bench.stack import Program, wait_for
from loadtests.service import ROOT, child, post, service, voicera

AGENTS = 10
WARM_UP_SECONDS = 2
WORKERS = 2


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


def run(results: Results, *, rounds: int, seconds: float) -> None:
    """Measure on a service of its own, print, claim."""
    with tempfile.TemporaryDirectory(prefix="voicera-bench-") as folder:
        data = Path(folder) / "data"
        with service(data, WORKERS) as url:
            token, owner = fill(url)
            with bare(database_url(data), owner, WORKERS) as other:
                pairs = [
                    Pair("GET /health", f"{url}/health", f"{other.url}/empty", 0.7),
                    Pair("GET /agents", f"{url}/agents", f"{other.url}/agents", 0.5, token),
                ]
                found = [measure(pair, rounds, seconds) for pair in pairs]
    title = f"{WORKERS} workers each, {CONNECTIONS} connections"
    columns = ("", "requests/s", "p50 ms", "p99 ms", "bare", "p50 ms", "p99 ms", "ours is")
    shown = Grid(title, columns)
    for result in found:
        sides = [text for side in (result.ours, result.bare) for text in _texts(side)]
        shown.add(result.name, *sides, f"{result.ratio:.2f} x")
    figures = {result.name: {"ours": asdict(result.ours), "bare": asdict(result.bare)} for result in found}
    claims = [Claim(f"{result.name}, of bare Sanic", result.ratio, at_least=result.target) for result in found]
    results.add("http", figures, claims, [shown])


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
def bare(database: str, owner: UUID, workers: int) -> Iterator[Program]:
    """Run the bare application, one process a worker on one listening socket; yield its URL and its first process."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=4096))
        descriptor = listening.fileno()
        command = [sys.executable, "-m", "loadtests.bench.bare", "--socket-fd", str(descriptor)]
        command += ["--database-url", database, "--owner", str(owner)]
        processes = [stack.enter_context(child(command, keep=descriptor)) for _ in range(workers)]
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        wait_for(f"{url}/health", processes[0])
        yield Program(url, processes[0].pid)


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


def _texts(side: Figure) -> tuple[str, str, str]:
    return f"{side.rate:,.0f}", f"{side.p50:.1f}", f"{side.p99:.1f}"
