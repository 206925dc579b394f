"""The supervisor as a real process, for tests: started, asked, watched, and never left behind."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import psutil

PATIENCE = 60.0  # seconds that a busy machine may take for what is soon done
ROOT = Path(__file__).parents[2]
SERVE = Path(__file__).with_name("stubs") / "serve.py"
# Nobody listens there; with all three given nothing is embedded.
ELSEWHERE = {
    "database_url": "postgresql://nobody:x@127.0.0.1:1/none",
    "redis_url": "redis://127.0.0.1:1/0",
    "s3_endpoint_url": "http://127.0.0.1:1",
    "s3_access_key_id": "x",
    "s3_secret_access_key": "x",
}


def until(condition: Callable[[], Any], seconds: float = PATIENCE, what: str = "") -> Any:
    """Wait until a condition holds, and return its value; fails when the time is over."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {seconds} s: {what or condition}"
        time.sleep(0.02)
    return value


class Service:
    """One `voicera serve`."""

    def __init__(
        self,
        log: Path,
        flags: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
        *,
        environment: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
        embedded: bool = False,
    ) -> None:
        given = {"port": 0, "shutdown_grace": 5, **({} if embedded else ELSEWHERE), **(flags or {})}
        self.log = log
        self._output = log.open("wb")
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [*prefix, sys.executable, str(SERVE), json.dumps(given, default=str), json.dumps(options or {})],
            env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
            stdout=self._output,
            stderr=self._output,
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
        )
        self.family: set[psutil.Process] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            self.relatives()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self._output.close()
        for relative in self.left():
            relative.kill()

    def text(self) -> str:
        """All that it has said."""
        return self.log.read_text("utf-8", "replace")

    def says(self, pattern: str, seconds: float = PATIENCE, count: int = 1) -> list[str]:
        """Wait until it has said something that many times, and return the matches."""

        def found() -> list[str]:
            matches = re.findall(pattern, self.text())
            assert len(matches) >= count or self.process.poll() is None, f"it ended:\n{self.text()}"
            return matches if len(matches) >= count else []

        matches: list[str] = until(found, seconds, f"{pattern} in\n{self.text()}")
        return matches

    def ready(self, seconds: float = 2 * PATIENCE) -> Self:
        """Wait until it says that it is ready."""
        self.says(r"ready on http://\S+", seconds)
        self.relatives()
        return self

    @property
    def address(self) -> tuple[str, int]:
        host, port = re.findall(r"ready on http://(\S+):(\d+)", self.text())[-1]
        return host.strip("[]"), int(port)

    def get(self, path: str = "/", seconds: float = PATIENCE) -> str:
        """Ask it; the stub answers with its pid."""
        connection = http.client.HTTPConnection(*self.address, timeout=seconds)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def relatives(self) -> set[psutil.Process]:
        """Its living descendants; those ever seen are remembered."""
        found = set(psutil.Process(self.process.pid).children(recursive=True))
        self.family |= found
        return found

    def workers(self) -> list[int]:
        """The pids of its workers."""
        with contextlib.suppress(psutil.Error):
            found = self.relatives()
            return sorted(child.pid for child in found if "--socket-fd" in child.cmdline())
        return []

    def child(self, name: str) -> psutil.Process:
        """Its child process that runs the program of that name."""
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if child.name() == name and child.status() != psutil.STATUS_ZOMBIE)

    def left(self) -> list[psutil.Process]:
        """Those of its descendants that live although they should not."""
        return [child for child in self.family if _lives(child)]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, seconds: float = PATIENCE) -> int:
        """Tell it to stop, and return its exit code."""
        self.relatives()
        self.process.terminate()
        return self.process.wait(seconds)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it went between the two questions
        return False
