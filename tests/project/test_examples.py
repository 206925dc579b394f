"""Every package under examples/ is installed as a third party's would be, and passes its own tests there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.settings import Settings, as_environment

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.parent for path in (ROOT / "examples").glob("*/pyproject.toml"))
NOT_COPIED = shutil.ignore_patterns("*.egg-info", "build", "__pycache__", ".*_cache")


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The interpreter of an empty virtual environment that sees the packages of this one."""
    home = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    site = next(home.glob("lib/python*/site-packages"))
    ours = Path(pytest.__file__).parents[1]
    (site / "ours.pth").write_text(f"import site; site.addsitedir({str(ours)!r})\n")
    return home / "bin" / "python"


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_an_example_is_installed_and_passes_its_own_tests(
    package: Path, python: Path, servers: Settings, tmp_path: Path
) -> None:
    """Its tests run on the servers that run already, each application on a database of its own."""
    source = tmp_path / package.name
    shutil.copytree(package, source, ignore=NOT_COPIED)
    uv = Path(sys.executable).with_name("uv")
    install = [uv, "pip", "install", "--quiet", "--python", python, "--no-deps", "--no-build-isolation", source]
    run([*install], tmp_path)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("VOICERA_", "PYTEST_"))}
    options = ["-q", "-p", "no:locust", "-p", "no:valkey", "-p", "no:cacheprovider"]
    # From elsewhere, so that what is imported is what was installed.
    said = run([python, "-m", "pytest", *options, source / "tests"], tmp_path, environ | as_environment(servers))
    assert " passed" in said


def run(command: list[str | Path], folder: Path, environ: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout
