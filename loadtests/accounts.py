"""Whom the users of a load test act for: the file that `python -m loadtests` writes and every locust process reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec


class Owner(msgspec.Struct, kw_only=True):
    """An account, its credentials, and what it has."""

    email: str
    password: str
    token: Annotated[str, msgspec.Meta(description="The access token of people.")]
    key: Annotated[str, msgspec.Meta(description="The API key of machines.")]
    agents: list[str] = []
    campaigns: Annotated[list[tuple[str, str]], msgspec.Meta(description="Ids of campaigns, with their agents'.")] = []
    calls: Annotated[int, msgspec.Meta(description="Calls at least recorded before the test.")] = 0
    recordings: list[str] = []


def write(path: Path, owners: list[Owner]) -> None:
    """Keep accounts, the busiest first, in a file that only its owner can read: it holds credentials."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(owners)))


def read(path: Path) -> list[Owner]:
    """Read the file again; raises SystemExit where it is missing or is not such a file."""
    try:
        owners = msgspec.json.decode(path.read_bytes(), type=list[Owner])
    except (OSError, msgspec.DecodeError) as error:
        raise SystemExit(f"{path}: {error}; `python -m loadtests --prepare` writes it") from None
    if not owners:
        raise SystemExit(f"{path} names no account")
    return owners
