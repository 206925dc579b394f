"""A Python environment of its own, in which a test installs what third parties would."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Environment:
    """A virtual environment that sees the packages of this one, and the variables to run programs in it with."""

    home: Path
    variables: dict[str, str]

    @property
    def python(self) -> str:
        return str(self.home / "bin" / "python")

    def install(self, *what: str) -> None:
        """Install packages from directories, `--editable` before one if wanted, and nothing that they need."""
        self._pip("install", "--no-deps", "--no-build-isolation", "--config-setting", "editable_mode=compat", *what)

    def uninstall(self, name: str) -> None:
        """Take a package away."""
        self._pip("uninstall", name)

    def run(self, *arguments: str, cwd: Path = ROOT, **variables: str) -> str:
        """Run `python` with these arguments, which must end well; return what it wrote."""
        done = self.attempt(*arguments, cwd=cwd, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def attempt(self, *arguments: str, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `python` with these arguments, however it ends."""
        environ = self.variables | variables
        command = [self.python, *arguments]
        return subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False, timeout=300)

    def _pip(self, verb: str, *arguments: str) -> None:
        uv = Path(sys.executable).with_name("uv")
        command = [str(uv), "pip", verb, "--quiet", "--python", self.python, *arguments]
        done = subprocess.run(command, env=self.variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """An empty environment without settings of ours."""
    home = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    site = next(home.glob("lib/python*/site-packages"))
    ours = Path(pytest.__file__).parents[1]
    (site / "ours.pth").write_text(f"import site; site.addsitedir({str(ours)!r})\n")
    return Environment(home, {key: value for key, value in os.environ.items() if not key.startswith("VOICERA_")})
