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
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.table import Table

from loadtests.bench.load import CONNECTIONS, Figure, generator, press

ROOT = Path(__file__).parents[2]
BUCKETS = ("GENERAL", "AUTH")
GENEROUS = {f"VOICERA_RATE_LIMIT_{name}": "1000000/second" for name in BUCKETS}
AGENTS = 10
START_SECONDS = 60
STOP_SECONDS = 30
LOG_TAIL = 4000
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


def main() -> int:
    """Measure, print a table, write JSON; 1 if a ratio is below its target."""
    options = _options()
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
def service(data: Path, workers: int) -> Iterator[str]:
    """Run `voicera serve` on a fresh data directory; yield its URL."""
    port = free_port()
    command = [*voicera(), "serve", "--port", str(port), "--workers", str(workers), "--data-dir", str(data)]
    with child([*command], environment=GENEROUS) as process:
        url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                urllib.request.urlopen(f"{url}/readiness", timeout=2).read()  # noqa: S310  # loopback
                break
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"voicera serve does not answer (exit code {process.poll()})")
            time.sleep(0.1)
        yield url


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


@contextlib.contextmanager
def child(
    command: list[str], *, environment: dict[str, str] | None = None, keep: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program without the settings of whoever calls, and show the end of its log if something goes wrong."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VOICERA_")}
    kept = (keep,) if keep is not None else ()
    # A file: the reader of a pipe would take part of the machine.
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**clean, **(environment or {})}, pass_fds=kept, stdout=log, stderr=log
        )
        try:
            yield process
        except BaseException:
            log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_TAIL))
            sys.stderr.write(log.read().decode(errors="replace"))
            raise
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program by SIGTERM, and by SIGKILL if it does not hear."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


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


def post(url: str, body: dict[str, Any], token: str | None = None) -> Any:
    """POST JSON; the data of the answer."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310  # loopback
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.load(answer)["data"]


def database_url(data: Path) -> str:
    """The URL of the database that the service started."""
    command = [*voicera(), "env", "DATABASE_URL", "--data-dir", str(data)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, cwd=ROOT).stdout.strip()


def voicera() -> list[str]:
    """The command line of the service in this very environment."""
    return [sys.executable, "-m", "voicera"]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


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


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="turns that each side gets")
    parser.add_argument("--seconds", type=float, default=5, help="length of a turn")
    parser.add_argument("--workers", type=int, default=2, help="processes of each side")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench_http.json", help="where the figures go")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
