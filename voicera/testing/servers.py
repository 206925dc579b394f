"""The servers that tests run on: the bundled ones, started once, or those that the environment names."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from core.database import connect_options, on_database
from core.embedded.stack import EmbeddedStack
from core.settings import Settings, as_environment, load_settings, with_values
from voicera.testing.patience import SETTINGS

GENEROUS = "1000000/second"
LIMITS = ("GENERAL", "AUTH")
# What of the caller's environment says where servers are; every other setting is the test's own affair.
SERVERS = ("DATABASE_URL", "REDIS_URL", "S3_", "POSTGRES_BIN", "VALKEY_BIN", "SEAWEED_BIN")
NO_S3 = {"s3_endpoint_url": "http://127.0.0.1:9", "s3_access_key_id": "none", "s3_secret_access_key": "none"}
# PostgreSQL allows connections for so many workers: a run holds many applications open, each with a pool.
POOLS = 24
NOWHERE = Path(os.devnull)  # a developer's .env is no part of a test


@contextmanager
def running_stack(data_dir: Path, **flags: Any) -> Iterator[Settings]:
    """Start the bundled servers in `data_dir`; yield settings that name them. `flags` are further kernel settings."""
    with _started(load_settings(flags={"data_dir": data_dir, **flags}, environ={}, check_unknown=False)) as settings:
        yield settings


@contextmanager
def _started(settings: Settings) -> Iterator[Settings]:
    stack = EmbeddedStack(with_values(settings, {"workers": max(POOLS, settings.workers)}, "flag"))
    try:
        _until_ready(stack)
        yield with_values(stack.settings(), {"workers": settings.workers}, settings.source("workers"))
    finally:
        for _ in stack.stop(lambda: False):
            time.sleep(0.02)
        stack.close()


def _until_ready(stack: EmbeddedStack, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not stack.ready():
        if time.monotonic() > deadline:
            raise TimeoutError("the bundled servers are not ready")
        stack.step()
        time.sleep(0.02)


@contextmanager
def shared_stack(folder: Path, environ: Mapping[str, str] | None = None, *, s3: bool = True) -> Iterator[Settings]:
    """Give the servers of a test run, as `running_stack` does, to all processes that name the same folder.

    The first one starts them, and stops them when all others have left. Servers whose URLs stand in `environ`
    (`VOICERA_DATABASE_URL`, …) are used and not started. Without `s3` none is started, and what the settings name
    as one answers nothing: recordings are to be kept elsewhere.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "door.lock").open("a") as door, (folder / "inside.lock").open("a") as inside:
        fcntl.flock(door, fcntl.LOCK_EX)
        address = folder / "servers.json"
        if address.exists():  # whoever wrote it waits for us
            fcntl.flock(inside, fcntl.LOCK_SH)
            fcntl.flock(door, fcntl.LOCK_UN)
            yield load_settings(environ=json.loads(address.read_text()), dotenv=NOWHERE, check_unknown=False)
            return
        with _own_stack(folder, environ or {}, s3=s3) as settings:
            address.touch(mode=0o600)
            address.write_text(json.dumps(as_environment(settings)))
            fcntl.flock(door, fcntl.LOCK_UN)
            try:
                yield settings
            finally:
                fcntl.flock(door, fcntl.LOCK_EX)  # nobody comes in any more
                fcntl.flock(inside, fcntl.LOCK_EX)  # and the last one has left
                address.unlink()


@contextmanager
def _own_stack(folder: Path, environ: Mapping[str, str], *, s3: bool) -> Iterator[Settings]:
    names = tuple(f"VOICERA_{name}" for name in SERVERS)
    named = {name: value for name, value in environ.items() if name.startswith(names)}
    flags = {"data_dir": folder / "data", **({} if s3 else NO_S3)}
    with _started(load_settings(flags=flags, environ=named, dotenv=NOWHERE, check_unknown=False)) as settings:
        yield settings


def settings_for_tests(stack: Settings, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of an application under test: the stack's, limits that do not get in the way, then yours."""
    return {
        **as_environment(stack),
        **{f"VOICERA_{name}": seconds for name, seconds in SETTINGS.items()},
        **{f"VOICERA_RATE_LIMIT_{name}": GENEROUS for name in LIMITS},
        **(environ or {}),
    }


async def fresh_database(stack: Settings) -> Settings:
    """Make an empty database on the stack's server and return settings that name it."""
    name = f"test_{secrets.token_hex(6)}"
    connection = await asyncpg.connect(**connect_options(stack))
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
    return on_database(stack, name)


@asynccontextmanager
async def dropped(settings: Settings) -> AsyncIterator[Settings]:
    """Drop the database that `fresh_database` made, and all connections to it, when the context is left."""
    yield settings
    assert settings.database_url is not None
    name = urlsplit(settings.database_url.get_secret_value()).path.removeprefix("/")
    connection = await asyncpg.connect(**connect_options(on_database(settings, "postgres")))
    try:
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await connection.close()
