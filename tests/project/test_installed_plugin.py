"""A plugin that is installed with pip brings all that a plugin can; uninstalled, it is gone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.settings import Settings, as_environment
from voicera.testing import fresh_database

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tests" / "packages" / "voicera-shortcalls"
SCRIPT = """
import asyncio, json, os, sys
from voicera.testing import running_app

async def main():
    async with running_app(os.environ) as app:
        user = await app.client.new_user()
        log = {"phone_number": "+1234567890", "status": "completed"}
        logs = [{**log, "duration_seconds": 3}, {**log, "duration_seconds": 60}]
        sent = await user.post("/call-logs/batch", logs)
        flagged = await user.get("/short-calls")
        print(json.dumps({
            "sent": sent.status,
            "anonymous": (await app.client.get("/short-calls")).status,
            "status": flagged.status,
            "flagged": len(flagged.data or []),
            "codes": [entry["code"] for entry in (await user.get("/errors")).data if entry["code"].startswith("SHORT")],
            "ready": (await user.get("/readiness")).data.get("shortcalls"),
            "plugin": [p for p in (await user.get("/plugins")).data if p["name"] == "shortcalls"],
            "documented": "/short-calls" in (await user.get("/openapi.json")).json["paths"],
        }))

asyncio.run(main())
"""


@pytest.fixture
def environment(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """An empty virtual environment that sees the packages of this one, and the environment to run in it."""
    home = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    site = next(home.glob("lib/python*/site-packages"))
    ours = Path(pytest.__file__).parents[1]
    (site / "ours.pth").write_text(f"import site; site.addsitedir({str(ours)!r})\n")
    return home / "bin" / "python", {key: value for key, value in os.environ.items() if not key.startswith("VOICERA_")}


async def test_a_plugin_dropped_in_with_pip_works_and_uninstalled_it_is_gone(
    servers: Settings, tmp_path: Path, environment: tuple[Path, dict[str, str]]
) -> None:
    python, environ = environment
    settings = await fresh_database(servers)
    environ |= as_environment(settings) | {"VOICERA_RATE_LIMIT_GENERAL": "1000/second"}
    source = tmp_path / "voicera-shortcalls"
    shutil.copytree(PACKAGE, source)

    before = observe(python, environ)
    pip(python, environ, "install", "--no-deps", "--no-build-isolation", str(source))
    during = observe(python, environ)
    command = run(python, environ, "-m", "voicera", "shortcalls")
    pip(python, environ, "uninstall", "voicera-shortcalls")
    after = observe(python, environ)

    assert before["status"] == after["status"] == 404
    assert before["plugin"] == after["plugin"] == before["codes"] == after["codes"] == []
    assert after["sent"] == 201
    assert during == {
        "sent": 201,
        "anonymous": 401,
        "status": 200,
        "flagged": 1,
        "codes": ["SHORT_001"],
        "ready": "ok",
        "plugin": [
            {
                "name": "shortcalls",
                "origin": "installed",
                "version": "1.2.3",
                "status": "active",
                "error": None,
                "hooks": [
                    "calls_recording",
                    "readiness_checks",
                    "register_blueprints",
                    "register_commands",
                    "register_errors",
                    "register_piccolo_apps",
                ],
            }
        ],
        "documented": True,
    }
    assert command.strip() == "calls shorter than 5 seconds are flagged"


def observe(python: Path, environ: dict[str, str]) -> dict[str, object]:
    import json

    found: dict[str, object] = json.loads(run(python, environ, "-c", SCRIPT).splitlines()[-1])
    return found


def pip(python: Path, environ: dict[str, str], verb: str, *arguments: str) -> None:
    uv = Path(sys.executable).with_name("uv")
    done = subprocess.run(
        [uv, "pip", verb, "--quiet", "--python", python, *arguments],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def run(python: Path, environ: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [python, *arguments], env=environ, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
