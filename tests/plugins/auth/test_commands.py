"""`voicera user …`, as an operator runs it."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from core.settings import Settings
from voicera.testing import PASSWORD, settings_for_tests


async def voicera(stack: Settings, *arguments: str, typed: str = "") -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "voicera.testing",
        *arguments,
        env={**os.environ, **settings_for_tests(stack)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(typed.encode()), 120)
    return process.returncode or 0, said.decode()


async def test_an_administrator_is_made_and_disabled(stack: Settings, auth: Any) -> None:
    email = auth.email()
    code, said = await voicera(stack, "user", "create", email, "--admin", "--password-stdin", typed=f"{PASSWORD}\n")
    assert (code, said.split()[:2]) == (0, ["admin", email]), said
    token = (await auth.log_in(email)).data["token"]
    assert (await auth.client.get("/auth/users", token=token)).status == 200
    assert await voicera(stack, "user", "disable", email) == (0, "")
    assert (await auth.log_in(email)).code == "AUTH_001"


async def test_the_rules_of_registration_hold(stack: Settings, auth: Any) -> None:
    code, said = await voicera(stack, "user", "create", auth.email(), "--password-stdin", typed="password123\n")
    assert (code, said) == (1, "voicera: Validation failed: password is one of the most common passwords\n")
