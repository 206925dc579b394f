"""A plugin that is installed with pip brings all that a plugin can; uninstalled, it is gone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from core.settings import Settings, as_environment
from voicera.testing import fresh_database

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tests" / "packages" / "voicera-short-calls"
SCRIPT = """
import asyncio, json, os, sys
from voicera.testing import running_app

KEYS = ("name", "origin", "version", "status", "error", "hooks")

async def main():
    async with running_app(os.environ) as app:
        user = await app.client.new_user()
        log = {"phone_number": "+1234567890", "status": "completed"}
        logs = [{**log, "duration_seconds": 3}, {**log, "duration_seconds": 60}]
        sent = await user.post("/call-logs/batch", logs)
        flagged = await user.get("/short-calls")
        plugins = (await user.get("/plugins")).data
        settings = app.resources.settings.sections()
        print(json.dumps({
            "sent": sent.status,
            "anonymous": (await app.client.get("/short-calls")).status,
            "status": flagged.status,
            "flagged": flagged.data and flagged.data["total"],
            "codes": [entry["code"] for entry in (await user.get("/errors")).data if entry["code"].startswith("SHORT")],
            "plugin": [{key: p[key] for key in KEYS} for p in plugins if p["name"] == "short_calls"],
            "settings": [name for one in settings for name in type(one).model_fields if name.startswith("short")],
            "documented": "/short-calls" in (await user.get("/openapi.json")).json["paths"],
        }))

asyncio.run(main())
"""


async def test_a_plugin_dropped_in_with_pip_works_and_uninstalled_it_is_gone(
    servers: Settings, tmp_path: Path, environment: Any
) -> None:
    stack = as_environment(await fresh_database(servers)) | {"VOICERA_RATE_LIMIT_GENERAL": "1000/second"}
    source = tmp_path / "voicera-short-calls"
    shutil.copytree(PACKAGE, source)

    def observe() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(environment.run("-c", SCRIPT, **stack).splitlines()[-1])
        return found

    before = observe()
    environment.install(str(source))
    during = observe()
    listed = environment.run("-m", "voicera", "routes", **stack)
    environment.uninstall("voicera-short-calls")
    after = observe()

    assert before["status"] == after["status"] == 404
    assert before["plugin"] == after["plugin"] == before["codes"] == after["codes"] == after["settings"] == []
    assert after["sent"] == 201
    assert during == {
        "sent": 201,
        "anonymous": 401,
        "status": 200,
        "flagged": 1,
        "codes": ["SHORT_CALLS_001"],
        "plugin": [
            {
                "name": "short_calls",
                "origin": "installed",
                "version": "0.1.0",
                "status": "active",
                "error": None,
                "hooks": [
                    "calls_changing",
                    "calls_recording",
                    "register_blueprints",
                    "register_errors",
                    "register_piccolo_apps",
                    "register_settings",
                ],
            }
        ],
        "settings": ["short_calls_seconds"],
        "documented": True,
    }
    assert "/short-calls/{call_id}" in listed
