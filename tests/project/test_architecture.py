"""Who may import whom, and where SQL and HTTP live.

The rules, and why:

1. `core` never names a plugin: the kernel knows no feature. `core/plugins.py` alone scans the package `plugins`.
2. A plugin imports `voicera`, itself, and another plugin's `hookspecs`: so that each can be taken away.
3. Inside a plugin `__init__ -> routes -> service -> queries -> tables`, never upwards; `schemas`, `errors`,
   `settings` and `hookspecs` are open to all: open any plugin, and you know where to look.
4. SQL text lives in `queries` and in migrations alone.
5. Importing a module does no I/O: only `piccolo_conf` makes an engine, and that one does not connect.
6. Nothing uses what leaks or hangs: Piccolo's transactions and batches, Sanic's `add_task`.

The way out: a name that a plugin needs from the kernel goes into `voicera/__init__.py`; a fact that it needs
from another plugin becomes a hook in the asker's `hookspecs`.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(path.name for path in (ROOT / "plugins").iterdir() if (path / "__init__.py").exists())
OURS = sorted(
    path
    for folder in ("core", "plugins", "voicera")
    for path in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in path.parts
)
OPEN = {"schemas", "errors", "settings", "hookspecs", "examples", "data"}
ORDER = ["__init__", "commands", "routes", "service", "queries", "tables"]
SQL = re.compile(
    r"^\s*(SELECT\s.+\sFROM\s|INSERT INTO\s|UPDATE\s\w+\s+SET\s|DELETE FROM\s|WITH\s\w+ AS)", re.IGNORECASE | re.DOTALL
)
FORBIDDEN = {("DB", "transaction"), ("engine", "transaction"), ("app", "add_task")}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def calls(path: Path) -> Iterator[tuple[str, str]]:
    """The calls of the form `name.method(…)`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
        ):
            yield node.func.value.id, node.func.attr


def room(module: str) -> str:
    """The room of a plugin that a module such as `plugins.auth.service.tokens` lies in."""
    parts = module.split(".")
    return parts[2] if len(parts) > 2 else "__init__"


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", OURS, ids=module_of)
def test_a_module_keeps_to_its_room(path: Path) -> None:
    module = module_of(path)
    named = list(imports(path))
    if module.startswith("core"):
        assert not [name for name in named if name.startswith("plugins.")], "the kernel names no plugin"
        assert module == "core.plugins" or "pkgutil" not in named, "core/plugins.py alone scans `plugins`"
    if module.startswith("plugins."):
        check_plugin(module, named)
    assert not FORBIDDEN & set(calls(path)), "see rule 6 in the docstring of this file"


def check_plugin(module: str, named: list[str]) -> None:
    plugin, own = module.split(".")[1], room(module)
    for name in named:
        assert not name.startswith("core."), f"{module} imports {name}: import it from `voicera`"
        if not name.startswith("plugins."):
            continue
        other = name.split(".")[1]
        if other != plugin:
            assert room(name) == "hookspecs", f"{module} imports {name}: of another plugin only `hookspecs`"
        elif own in ORDER and room(name) in ORDER:
            assert ORDER.index(own) <= ORDER.index(room(name)), f"{module} imports {name}: never upwards"


@pytest.mark.parametrize("path", OURS, ids=module_of)
def test_sql_lives_in_queries_alone(path: Path) -> None:
    if "queries" in module_of(path) or "piccolo_migrations" in path.parts or module_of(path) in KERNEL_SQL:
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not SQL.match(node.value), f"{path.name}:{node.lineno} holds SQL: {node.value[:60]!r}"


# The kernel's own: a lock, a probe, the bookkeeping of migrations, remembered answers, and PostgreSQL's catalogue.
KERNEL_SQL = {
    *("core.database", "core.http.idempotency", "core.migrations"),
    *("core.scaffold.commands", "core.scaffold.migration", "voicera.testing.conformance.catalogue"),
}


@pytest.mark.parametrize("path", OURS, ids=module_of)
def test_only_routes_know_http(path: Path) -> None:
    module = module_of(path)
    if not module.startswith("plugins.") or room(module) in ("routes", "__init__"):
        return
    assert not [name for name in imports(path) if name.split(".")[0] == "sanic"], "only routes know HTTP"


def test_no_module_has_grown_past_what_its_name_says() -> None:
    lengths = {module_of(path): len(path.read_text().splitlines()) for path in OURS}
    assert {name: length for name, length in lengths.items() if length > 300} == {}


def test_importing_does_no_io(tmp_path: Path) -> None:
    """Every module is imported in a process of its own that may open no socket and start no program."""
    script = "\n".join(
        [
            "import sys, importlib",
            "def audit(event, args):",
            "    if event in ('socket.connect', 'socket.bind', 'subprocess.Popen', 'os.fork', 'os.mkdir'):",
            "        raise SystemExit(f'import did {event}')",
            "sys.addaudithook(audit)",
            *[f"importlib.import_module({name!r})" for name in map(module_of, OURS) if importable(name)],
            "import piccolo_conf",
        ]
    )
    done = subprocess.run([sys.executable, "-B", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout


def importable(module: str) -> bool:
    """Migrations are loaded by path, and `__main__` runs the program."""
    return "piccolo_migrations" not in module and not module.endswith("__main__")


def test_nothing_names_the_workplace() -> None:
    """What the project needs, it contains: no path of a machine, no tracker, no session."""
    words = re.compile(r"/work/|\.library|\bsubagent|farm-bench", re.IGNORECASE)
    kinds = {".py", ".md", ".toml", ".lua", ".yml"}
    files = [
        path for path in ROOT.rglob("*") if path.suffix in kinds and not path.relative_to(ROOT).parts[0].startswith(".")
    ]
    files.remove(Path(__file__))
    assert [str(path.relative_to(ROOT)) for path in files if words.search(path.read_text())] == []
