"""The load test runs, says what it found, and fails where the service does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MINIMUM = ["--owners", "2", "--calls", "2000", "--workers", "1"]


def test_a_short_run_ends_well_and_writes_its_reports(tmp_path: Path) -> None:
    done = load(tmp_path, "--users", "5", "--seconds", "4", "--pace", "4", *MINIMUM)

    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "load.json").read_bytes())
    assert report["wrong"] == report["failures"] == report["exceptions"] == []
    assert report["total"]["requests"] > 0
    assert report["total"]["failures"] == 0
    assert report["options"]["users"] == 5
    assert "no answer was wrong" in done.stdout
    assert (tmp_path / "load.html").read_text().lstrip().startswith("<!")
    assert (tmp_path / "load-accounts.json").stat().st_mode & 0o077 == 0


def test_a_run_fails_on_an_error_answer_and_on_a_total_that_is_too_small(tmp_path: Path) -> None:
    owner = {"email": "ada@example.com", "password": "", "token": "t", "key": "k"}
    (tmp_path / "accounts.json").write_text(json.dumps([owner]))

    with service_that_fails() as url:
        short = "--scenario", "listing", "--users", "20", "--seconds", "3", "--pace", "5"
        done = load(tmp_path, "--host", url, "--accounts", str(tmp_path / "accounts.json"), *short)

    assert done.returncode == 1, done.stdout + done.stderr
    said = {each["message"] for each in json.loads((tmp_path / "load.json").read_bytes())["failures"]}
    assert said == {"500 SERVER_001 Internal server error", "wrong content: total is less than there are"}
    assert "500 SERVER_001" in done.stdout


def load(output: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the load test; what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VOICERA_", "LOADTEST_"))}
    command = [sys.executable, "-m", "loadtests", "--output", str(output), *options]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)


@contextmanager
def service_that_fails() -> Iterator[str]:
    """A service whose totals leave out what it lists, and which answers every other request with 500."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Failing)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Failing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    count = 0

    def do_GET(self) -> None:  # the library's name
        Failing.count += 1
        if self.path == "/call-logs?limit=1":  # what the runner asks before and after the test
            self.answer(200, {"total": 0, "items": [], "next_cursor": None})
        elif Failing.count % 2:
            self.answer(200, {"total": 0, "items": [{"id": "0"}], "next_cursor": None})
        else:
            error = {"code": "SERVER_001", "message": "Internal server error", "details": ""}
            self.answer(500, None, error)

    def answer(self, status: int, data: Any, error: Any = None) -> None:
        body = json.dumps({"success": error is None, "data": data, "error": error}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass
