"""`voicera plugin new` writes a plugin that works as it is; `voicera plugin migration` follows its tables."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from core.scaffold.new import ScaffoldError, write_plugin
from core.settings import Settings, as_environment
from voicera.testing import fresh_database

COLUMNS = """
    seconds = Integer(default=0)
    reason = Varchar(length=40, null=True, default=None, index=True)
"""


@pytest.mark.parametrize(
    "name", ["", "Shorts", "9lives", "a-b", "a__b", "_a", "a_", "é", "x" * 41, "calls", "core", "../x"]
)
def test_a_name_that_is_none_or_taken_is_refused_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(ScaffoldError):
        write_plugin(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_package_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    write_plugin("shorts", tmp_path)
    readme = tmp_path / "voicera-shorts" / "README.md"
    readme.write_text("mine")
    with pytest.raises(ScaffoldError, match="exists already"):
        write_plugin("shorts", tmp_path)
    assert readme.read_text() == "mine"


def test_no_placeholder_is_left(tmp_path: Path) -> None:
    files = write_plugin("short_calls", tmp_path)
    assert [file for file in files if "{{" in file.read_text() or "{{" in str(file)] == []
    assert tmp_path / "voicera-short-calls" / "voicera_short_calls" / "routes.py" in files


def test_what_is_installed_is_called_as_its_folder_is(tmp_path: Path) -> None:
    package = tmp_path / "voicera-short-calls"
    write_plugin("short_calls", tmp_path)
    assert tomllib.loads((package / "pyproject.toml").read_text())["project"]["name"] == package.name
    assert f"pip install {package.name} " in (package / "README.md").read_text()


def test_a_service_that_is_started_in_the_package_leaves_no_secret_to_commit(tmp_path: Path) -> None:
    write_plugin("short_calls", tmp_path)
    assert ".voicera/" in (tmp_path / "voicera-short-calls" / ".gitignore").read_text().splitlines()


def test_as_it_is_written_it_is_typed_tidy_and_tested(servers: Settings, tmp_path: Path, environment: Any) -> None:
    package = _made(environment, tmp_path)
    environment.install(str(package))
    ruff = ("-m", "ruff")
    environment.run(*ruff, "check", "--no-cache", ".", cwd=package)
    environment.run(*ruff, "format", "--check", "--no-cache", ".", cwd=package)
    assert "no issues" in environment.run("-m", "mypy", "--cache-dir", str(tmp_path / "mypy"), cwd=package)
    tested = environment.run("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=package, **as_environment(servers))
    assert re.search(r"^\d+ passed", tested, re.MULTILINE), tested
    assert "warning" not in tested


async def test_a_change_of_the_tables_becomes_a_migration(servers: Settings, tmp_path: Path, environment: Any) -> None:
    package = _made(environment, tmp_path)
    environment.install("--editable", str(package))
    stack = as_environment(await fresh_database(servers))

    def voicera(*arguments: str) -> str:
        found: str = environment.run("-m", "voicera.testing", *arguments, cwd=tmp_path, **stack)
        return found

    assert "nothing to write" in voicera("plugin", "migration", "short_calls")
    tables = package / "voicera_short_calls" / "tables.py"
    text = tables.read_text().replace("UUID, Timestamptz", "UUID, Integer, Varchar")
    tables.write_text(text.replace("    noted_at = Timestamptz()\n", COLUMNS))
    assert voicera("plugin", "migration", "short_calls").startswith("wrote")
    *_, written = sorted((package / "voicera_short_calls" / "piccolo_migrations").glob("short_calls_*.py"))
    assert re.findall(r'"""(.*?)"""', written.read_text())[2:] == [
        "ALTER TABLE short_calls_notes ADD COLUMN seconds integer NOT NULL DEFAULT 0",
        "ALTER TABLE short_calls_notes ADD COLUMN reason varchar(40)",
        "CREATE INDEX short_calls_notes_reason ON short_calls_notes (owner_id, reason)",
        "ALTER TABLE short_calls_notes DROP COLUMN noted_at",
    ]
    voicera("migrate")
    assert "nothing to write" in voicera("plugin", "migration", "short_calls")
    reason = "ALTER TABLE short_calls_notes ALTER COLUMN reason"
    tables.write_text(tables.read_text().replace("length=40, null=True, default=None", "length=80"))
    voicera("plugin", "migration", "short_calls")
    *_, written = sorted((package / "voicera_short_calls" / "piccolo_migrations").glob("short_calls_*.py"))
    assert re.findall(r'"""(.*?)"""', written.read_text())[2:] == [
        f"{reason} TYPE character varying(80) USING reason::character varying(80)",
        f"{reason} SET DEFAULT ''::character varying",
        f"{reason} SET NOT NULL",
    ]


def test_the_migration_of_a_plugin_that_is_not_there_is_refused(servers: Settings, environment: Any) -> None:
    done = environment.attempt("-m", "voicera", "plugin", "migration", "nobody", **as_environment(servers))
    assert done.returncode == 78
    assert "no plugin nobody" in done.stderr


def _made(environment: Any, into: Path) -> Path:
    environment.run("-m", "voicera", "plugin", "new", "short_calls", "--into", str(into))
    return into / "voicera-short-calls"
