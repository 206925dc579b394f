"""A service of its own for load tests and benchmarks: `voicera serve` on a fresh data directory."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BUCKETS = ("GENERAL", "AUTH", "INGEST", "UPLOAD")
GENEROUS = {f"VOICERA_RATE_LIMIT_{name}": "1000000/second" for name in BUCKETS}
START_SECONDS = 60
STOP_SECONDS = 30
LOG_TAIL = 4000


@contextlib.contextmanager
def service(data: Path, workers: int, log: Path | None = None) -> Iterator[str]:
    """Run `voicera serve` on a fresh data directory; yield its URL. `log` is where its log is kept."""
    port = free_port()
    command = [*voicera(), "serve", "--port", str(port), "--workers", str(workers), "--data-dir", str(data)]
    with child([*command], environment=GENEROUS, log_to=log) as process:
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
def child(
    command: list[str],
    *,
    environment: dict[str, str] | None = None,
    keep: int | None = None,
    log_to: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program without the settings of whoever calls, and show the end of its log if something goes wrong."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VOICERA_")}
    kept = (keep,) if keep is not None else ()
    # A file: the reader of a pipe would take part of the machine.
    with log_to.open("wb+") if log_to else tempfile.TemporaryFile() as log:
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


def post(url: str, body: dict[str, Any], token: str | None = None) -> Any:
    """POST JSON; the data of the answer."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310  # loopback
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.load(answer)["data"]


def voicera() -> list[str]:
    """The command line of the service in this very environment."""
    return [sys.executable, "-m", "voicera"]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
