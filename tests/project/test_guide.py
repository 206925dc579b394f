"""docs/writing-a-plugin.md, followed to the letter: generated, changed, tested, installed and answering."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.scaffold.new import write_plugin
from core.settings import Settings, as_environment
from loadtests.service import end, free_port
from voicera.testing import fresh_database

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "writing-a-plugin.md").read_text()
PACKAGE = ROOT / "tests" / "packages" / "voicera-short-calls"
IDENTIFIER = re.compile(r"short_calls_\d{4}_\d\d_\d\dt[\d_]+")
SERVE = "voicera serve"


def blocks() -> Iterator[tuple[str, str]]:
    """The guide's blocks in order: their language, and their text."""
    yield from re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def patch(package: Path, change: str) -> None:
    subprocess.run(["git", "apply", "--unidiff-zero", "-"], cwd=package, input=change, text=True, check=True)


def test_the_package_that_is_tested_is_what_the_guide_makes(tmp_path: Path) -> None:
    write_plugin("short_calls", tmp_path)
    made = tmp_path / "voicera-short-calls"
    for language, text in blocks():
        if language == "diff":
            patch(made, text)
    assert _contents(made) == _contents(PACKAGE)


def test_the_change_is_less_than_sixty_lines() -> None:
    added = [line for language, text in blocks() if language == "diff" for line in text.splitlines() if line[0] == "+"]
    assert 0 < len(added) < 60


@pytest.fixture
def path(environment: Any) -> str:
    """A PATH with the commands of an activated environment."""
    folder = Path(environment.python).parent
    for name in ("voicera", "pytest", "mypy"):
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec "{environment.python}" -m {name} "$@"\n')
        script.chmod(0o755)
    (folder / "ruff").symlink_to(Path(sys.executable).with_name("ruff"))
    pip = folder / "pip"
    uv = Path(sys.executable).with_name("uv")
    extra = f"--python {environment.python} --no-deps --no-build-isolation --config-setting editable_mode=compat"
    pip.write_text(f'#!/bin/sh\nshift\nexec {uv} pip install {extra} "$@"\n')
    pip.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


async def test_whoever_follows_it_has_a_plugin_that_answers(
    servers: Settings, tmp_path: Path, environment: Any, path: str
) -> None:
    port = free_port()
    own = as_environment(await fresh_database(servers)) | {"VOICERA_PORT": str(port), "PATH": path}
    variables = {**environment.variables, **own, "VOICERA_DATA_DIR": str(tmp_path / "data")}
    work = tmp_path / "checkout"
    (work / ".venv" / "bin").mkdir(parents=True)
    (work / ".venv" / "bin" / "activate").touch()
    (work / "examples").symlink_to(ROOT / "examples")
    said = ""
    with contextlib.ExitStack() as service:
        for language, text in blocks():
            if language == "diff":
                patch(work / "voicera-short-calls", text)
            elif text.strip() == SERVE:
                service.close()
                service.enter_context(_serving(work, variables, port))
            else:
                said += _run(text.replace("localhost:8000", f"127.0.0.1:{port}"), work, variables)
    answer = json.loads(said[said.rindex('{"success"') :])["data"]
    assert "ADD COLUMN seconds integer NOT NULL DEFAULT 0" in said
    assert [note["seconds"] for note in answer["items"]] == [3]


def _run(script: str, work: Path, variables: dict[str, str]) -> str:
    command = ["bash", "-ec", script]
    done = subprocess.run(command, cwd=work, env=variables, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextlib.contextmanager
def _serving(work: Path, variables: dict[str, str], port: int) -> Iterator[None]:
    with (work / "log").open("wb") as log:
        process = subprocess.Popen(["voicera", "serve"], cwd=work, env=variables, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readiness", timeout=2).read()
                break
            assert process.poll() is None, (work / "log").read_text()
            assert time.monotonic() < until, (work / "log").read_text()
            time.sleep(0.1)
        yield
    finally:
        end(process)


def _contents(package: Path) -> dict[Path, str]:
    """The files of a package by their paths; of its migrations the first, whenever it was written."""
    first, *others = sorted(package.rglob("piccolo_migrations/short_calls_*.py"))
    left_out = {*others, *package.rglob("__pycache__/*"), *package.rglob("*.egg-info/*")}
    left_out |= set(package.glob(".*_cache/**/*"))
    return {
        Path("first") if file == first else file.relative_to(package): IDENTIFIER.sub("", file.read_text())
        for file in package.rglob("*")
        if file.is_file() and file not in left_out
    }
