"""The `voicera` command: its help, its exit codes, and what it says about a stack that runs and one that does not."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import asyncpg
import pytest
from typer import rich_utils

import core
from core import cli, figure_store
from core.app import assemble, discover
from core.cli import main
from core.settings import Settings, as_environment
from voicera.testing import Running, eventually

ROOT = Path(__file__).parents[2]
COMMANDS = ["serve", "migrate", "env", "settings", "plugins", "routes", "user"]
PROGRAM = str(Path(sys.executable).with_name("voicera"))
MODULE = [sys.executable, "-m", "voicera"]
Done = subprocess.CompletedProcess[str]


def environment(**more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VOICERA_")}
    return {**clean, "COLUMNS": "200", **more}


def voicera(*arguments: str, folder: Path, program: list[str] | None = None, **environ: str) -> Done:
    return subprocess.run(
        [*(program or [PROGRAM]), *arguments],
        env=environment(**environ),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run the program in this process, which is quicker; what a process would return is told."""
    for name in [name for name in os.environ if name.startswith("VOICERA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(cli.out, "width", 200)  # it was made when the module was imported
    monkeypatch.setattr(rich_utils, "MAX_WIDTH", 200)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **environ: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["voicera", *arguments])
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        code = main()
        captured = capsys.readouterr()
        assert list(tmp_path.iterdir()) == [], "it leaves nothing behind"
        return Done([], code, captured.out, captured.err)

    return run


Inside = Callable[..., Done]


def test_help_names_every_command(inside: Inside) -> None:
    done = inside("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert [name for name in COMMANDS if f" {name} " not in done.stdout] == []
    assert "voicera serve" in done.stdout


def test_python_m_voicera_is_the_same_program(tmp_path: Path) -> None:
    one, other = voicera("--help", folder=tmp_path), voicera("--help", folder=tmp_path, program=MODULE)
    assert (one.returncode, one.stdout, one.stderr) == (0, other.stdout, "")


def test_without_arguments_it_shows_its_help_as_an_error_of_usage(inside: Inside) -> None:
    done = inside()
    assert (done.returncode, "Usage: voicera" in done.stdout + done.stderr) == (2, True)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(inside: Inside, command: str) -> None:
    done = inside(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Usage: voicera {command}" in done.stdout


def test_the_version_is_printed(inside: Inside) -> None:
    done = inside("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{core.__version__}\n", "")


@pytest.mark.parametrize("arguments", [["nope"], ["serve", "--nope"], ["serve", "--port", "abc"]])
def test_wrong_usage_is_2_on_stderr(inside: Inside, arguments: list[str]) -> None:
    done = inside(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr


ELSEWHERE = "postgresql://voicera:canary-7f3a@127.0.0.1:1/none"


NO_STACK = "no stack is running in .voicera: start `voicera serve` there, or give VOICERA_DATABASE_URL"


@pytest.mark.parametrize(
    ("arguments", "environ", "said"),
    [
        (["env"], {}, NO_STACK),
        (["migrate", "--data-dir", "/nonexistent"], {}, "no stack is running in /nonexistent"),
        (["user", "disable", "a@example.com"], {}, NO_STACK),
        (["settings"], {"VOICERA_TYPO": "x"}, "unknown setting: VOICERA_TYPO"),
        (["plugins"], {"VOICERA_PLUGINS_DISABLED": "nope"}, "VOICERA_PLUGINS_DISABLED names no plugin: nope"),
        (["routes"], {"VOICERA_LOG_LEVEL": "canary-7f3a"}, "VOICERA_LOG_LEVEL: Input should be"),
        (["serve"], {"VOICERA_LOG_LEVEL": "canary-7f3a"}, "VOICERA_LOG_LEVEL: Input should be"),
    ],
)
def test_a_wrong_setting_is_78_and_one_clear_line_on_stderr(
    inside: Inside, arguments: list[str], environ: dict[str, str], said: str
) -> None:
    done = inside(*arguments, **environ)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (78, "", 1)
    assert done.stderr.startswith(f"voicera: {said}")
    assert "canary" not in done.stderr


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        (ELSEWHERE, 1, "the database does not answer (ConnectionRefusedError)"),
        ("canary-7f3a", 78, "VOICERA_DATABASE_URL: write postgresql://user:password@host:port/database"),
    ],
)
def test_a_database_that_cannot_be_reached_is_one_clear_line(tmp_path: Path, url: str, code: int, said: str) -> None:
    done = voicera("migrate", folder=tmp_path, VOICERA_DATABASE_URL=url)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", f"voicera: {said}\n")


def test_a_wrong_database_password_is_78_and_does_not_show_it(servers: Settings, tmp_path: Path) -> None:
    assert servers.database_url is not None
    secret = servers.database_url.get_secret_value()
    wrong = secret.replace(secret.split(":")[2].split("@")[0], "canary-7f3a")
    done = voicera("migrate", folder=tmp_path, VOICERA_DATABASE_URL=wrong)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == 'voicera: VOICERA_DATABASE_URL: password authentication failed for user "voicera"\n'


async def test_plugins_shows_what_the_hooks_of_the_running_service_have_cost(running: Running, tmp_path: Path) -> None:
    assert (await (await running.client.new_user()).get("/auth/me")).status == 200
    assert await figure_store.flush(running.resources.cache, running.resources.hooks)
    environ = as_environment(running.resources.settings)
    patient = [sys.executable, "-m", "voicera.testing"]
    done = await asyncio.to_thread(voicera, "plugins", folder=tmp_path, program=patient, **environ)
    assert done.returncode == 0, done.stderr
    [line] = [line for line in done.stdout.splitlines() if line.startswith("│ auth ")]
    cells = [cell.strip() for cell in line.strip("│").split("│")]
    assert cells[:3] == ["auth", core.__version__, "active"]
    assert int(cells[3]) > 0
    assert cells[4].endswith(" s")
    assert cells[5] == "0"
    assert int(cells[6]) == len(running.resources.hooks.names_used_by("auth"))
    done = await asyncio.to_thread(voicera, "plugins", "--hooks", folder=tmp_path, **environ)
    [line] = [line for line in done.stdout.splitlines() if "│ authenticate " in line]
    cells = [cell.strip() for cell in line.strip("│").split("│")]
    assert cells[:2] == ["auth", "authenticate"]
    assert (int(cells[2]) > 0, cells[3][-2:], cells[4]) == (True, " s", "0")


def test_migrate_says_what_it_did_on_stderr(stack: Settings, tmp_path: Path) -> None:
    done = voicera("migrate", folder=tmp_path, **as_environment(stack))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "the database is up to date\n")


def test_routes_lists_every_route_with_its_scope_and_plugin(inside: Inside) -> None:
    done = inside("routes")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in done.stdout.splitlines() if "│" in line]
    routes = assemble(*discover(environ={})).routes
    expected = [[r.method, r.path, r.scope or "public", r.limit or "none", r.plugin] for r in routes]
    assert sorted(rows) == sorted(expected)


def test_plugins_lists_what_is_active_and_what_is_disabled(inside: Inside) -> None:
    done = inside("plugins", VOICERA_PLUGINS_DISABLED="agents")
    assert done.returncode == 0
    states = {
        cells[0]: cells[2] for line in done.stdout.splitlines() if len(cells := line.replace("│", " ").split()) > 2
    }
    assert states["auth"] == "active"
    assert states["agents"] == "disabled"


def test_plugins_can_be_read_on_a_narrow_terminal(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.out, "width", 80)
    plain, with_hooks = inside("plugins").stdout.splitlines(), inside("plugins", "--hooks").stdout.splitlines()
    infos = discover(environ={})[1].infos()
    assert len(plain) == len(infos) + 5, "a line for each plugin"
    assert max(map(len, with_hooks)) <= 80
    hooks = [line.replace("│", " ").split() for line in with_hooks[len(plain) :] if "│" in line]
    assert [cells[-1] for cells in hooks] == [hook for info in infos for hook in info.hooks], "none is broken or cut"


BAD_IMPORT = "import nothing_like_it\n"
BAD_HOOK = """
from voicera import hookimpl

@hookimpl
def register_errors():
    raise RuntimeError("no\\nlicence")
"""
LIFELESS = """
from voicera import hookimpl

@hookimpl
def lifespan(resources):
    raise RuntimeError("no licence server")
"""
CLASHING = """
from voicera import Blueprint, Reply, Request, hookimpl, public, reply

blueprint = Blueprint("/clash")

@blueprint.get("/here", returns=int)
@public
async def show_here(request: Request) -> Reply:
    return reply(1)

@hookimpl
def register_blueprints():
    return [blueprint]
"""


def install(folder: Path, **plugins: str) -> Path:
    """Make plugins that whoever has the folder on the path finds as installed ones."""
    for name, text in plugins.items():
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (folder / f"{name}.py").write_text(text)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[voicera.plugins]\n{name} = {name}\n")
    return folder


@pytest.fixture
def failing(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = install(tmp_path_factory.mktemp("installed"), bad_hook=BAD_HOOK, bad_import=BAD_IMPORT)
    monkeypatch.syspath_prepend(folder)


@pytest.mark.usefixtures("failing")
@pytest.mark.parametrize(
    ("arguments", "code", "more"),
    [
        (["routes"], 0, []),
        (["plugins"], 0, []),
        (["user", "--help"], 0, []),
        (["user", "disable", "a@example.com"], 78, [f"voicera: {NO_STACK}"]),  # it looks for the plugins twice
    ],
)
def test_a_plugin_that_is_left_out_is_a_line_on_stderr_that_names_it(
    inside: Inside, arguments: list[str], code: int, more: list[str]
) -> None:
    done = inside(*arguments)
    import_line = "voicera: plugin left out: bad_import: ModuleNotFoundError: No module named 'nothing_like_it'"
    hook_line = "voicera: plugin left out: bad_hook: RuntimeError: no licence"
    collected = [hook_line] if arguments[0] in ("routes", "plugins") else []
    assert (done.returncode, done.stderr.splitlines()) == (code, [import_line, *collected, *more])


@pytest.mark.usefixtures("failing")
def test_plugins_says_below_the_table_why_one_failed(inside: Inside) -> None:
    lines = inside("plugins").stdout.splitlines()
    assert lines[-2:] == [
        "bad_hook failed: RuntimeError: no licence",
        "bad_import failed: ModuleNotFoundError: No module named 'nothing_like_it'",
    ]


def test_serve_says_a_clash_once_with_both_names_and_the_way_out(stack: Settings, tmp_path: Path) -> None:
    folder = install(tmp_path / "installed", one_clash=CLASHING, two_clash=CLASHING)
    environ = {**as_environment(stack), "PYTHONPATH": str(folder)}
    done = voicera("serve", "--port", "0", folder=tmp_path, **environ)
    assert done.returncode == 78
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    errors = [line["message"] for line in lines if line["level"] != "info"]
    way_out = "VOICERA_PLUGINS_DISABLED=<one of them> starts without it"
    assert errors == [f"GET /clash/here is claimed by both one_clash and two_clash: {way_out}"]


@dataclass
class Serving:
    """A `voicera serve` of our own."""

    process: subprocess.Popen[bytes]
    home: Path
    folder: Path
    installed: Path

    def run(self, *arguments: str, **environ: str) -> Done:
        return voicera(*arguments, "--data-dir", str(self.home), folder=self.folder, **environ)

    def values(self) -> dict[str, str]:
        """What `eval "$(voicera env)"` sets in a shell."""
        script = f'eval "$({PROGRAM} env --data-dir "$1")" && env'
        done = subprocess.run(
            ["sh", "-c", script, "sh", str(self.home)],
            env=environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        pairs = (line.partition("=") for line in done.stdout.splitlines())
        return {name: value for name, _, value in pairs if name.startswith("VOICERA_")}


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One for all tests that ask for it; those are all `async`, or pytest starts it twice."""
    folder = tmp_path_factory.mktemp("cli")
    home = folder / "a data directory, ü"
    installed = install(tmp_path_factory.mktemp("installed"), bad_import=BAD_IMPORT, lifeless=LIFELESS)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [PROGRAM, "serve", "--port", "0", "--workers", "1", "--data-dir", str(home)],
            env=environment(PYTHONPATH=str(installed)),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        until = time.monotonic() + 120
        while "ready on http" not in (folder / "log").read_text():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.05)
        yield Serving(process, home, folder, installed)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert voicera("env", "--data-dir", str(home), folder=folder).returncode == 78, "nothing runs there any more"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)


async def test_all_that_serve_says_are_log_lines_and_they_name_the_plugin_that_is_left_out(serving: Serving) -> None:
    lines = [json.loads(line) for line in (serving.folder / "log").read_text().splitlines()]
    started = next(at for at, line in enumerate(lines) if line["message"].startswith("worker 1 started"))
    for part, names in ((lines[:started], {"bad_import"}), (lines[started:], {"bad_import", "lifeless"})):
        left_out = [line for line in part if line["message"] == "plugin left out"]
        assert {line["plugin"] for line in left_out} == names
        assert {line["level"] for line in left_out} == {"error"}
    assert "calls" in {line["message"].partition(" ")[2].partition("/")[0] for line in lines[:started]}, "migrated"


async def test_plugins_shows_what_has_failed_in_the_running_service(serving: Serving) -> None:
    done = serving.run("plugins", PYTHONPATH=str(serving.installed))
    assert done.returncode == 0
    rows = [[cell.strip() for cell in line.split("│")] for line in done.stdout.splitlines() if "│" in line]
    states = {row[1]: row[3] for row in rows}
    assert (states["lifeless"], states["auth"]) == ("failed", "active")
    assert "lifeless failed: RuntimeError: no licence server" in done.stdout.splitlines()


async def test_env_prints_exports_that_a_shell_can_read(serving: Serving) -> None:
    values = serving.values()
    assert {
        *("VOICERA_DATABASE_URL", "VOICERA_REDIS_URL", "VOICERA_S3_ENDPOINT_URL", "VOICERA_PORT"),
        *("VOICERA_S3_ACCESS_KEY_ID", "VOICERA_S3_SECRET_ACCESS_KEY", "VOICERA_HOST", "VOICERA_DATA_DIR"),
    } <= values.keys()
    await eventually(lambda: readiness(values) == {"database": "ok", "storage": "ok", "cache": "ok"})


def readiness(values: dict[str, str]) -> Any:
    try:
        with urlopen(f"http://{values['VOICERA_HOST']}:{values['VOICERA_PORT']}/readiness", timeout=10) as answer:
            return json.load(answer)["data"]
    except OSError:  # not ready: that a moment ago is no news on a busy machine
        return None


async def test_one_setting_alone_can_be_used_as_it_is(serving: Serving) -> None:
    for name in ("DATABASE_URL", "database_url", "VOICERA_DATABASE_URL"):
        done = serving.run("env", name)
        assert (done.returncode, done.stderr) == (0, "")
    connection = await asyncpg.connect(done.stdout.strip())
    assert await connection.fetchval("SELECT count(*) FROM users") == 0
    await connection.close()


async def test_a_setting_that_the_stack_does_not_set_is_78_and_names_those_it_does(serving: Serving) -> None:
    done = serving.run("env", "NOPE")
    assert (done.returncode, done.stdout) == (78, "")
    assert "the running stack sets no VOICERA_NOPE; it sets VOICERA_" in done.stderr
    assert len(done.stderr.splitlines()) == 1


async def test_commands_reach_the_running_stack_by_its_data_directory(serving: Serving) -> None:
    done = serving.run("migrate")
    assert (done.returncode, done.stderr) == (0, "the database is up to date\n")


async def test_a_url_of_ones_own_beats_the_running_stack(serving: Serving) -> None:
    done = serving.run("env", "DATABASE_URL", VOICERA_DATABASE_URL=ELSEWHERE)
    assert (done.returncode, done.stdout.strip()) == (0, ELSEWHERE)


async def test_a_second_serve_on_the_same_directory_is_78_and_names_who_holds_it(serving: Serving) -> None:
    done = serving.run("serve", "--port", "0")
    assert (done.returncode, done.stdout) == (78, "")
    errors = [json.loads(line) for line in done.stderr.splitlines() if '"error"' in line]
    assert len(errors) == 1
    assert str(serving.process.pid) in errors[0]["message"]
    assert serving.process.poll() is None


async def test_a_taken_port_is_78_and_says_how_to_name_another(serving: Serving, tmp_path: Path) -> None:
    port = serving.run("env", "PORT").stdout.strip()
    done = voicera("serve", "--port", port, "--data-dir", str(tmp_path / "other"), folder=tmp_path)
    assert (done.returncode, done.stdout) == (78, "")
    assert "VOICERA_PORT or --port name another" in done.stderr
