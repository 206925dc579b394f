"""The supervisor, with real processes: workers that die, hang or refuse to, signals at every moment, its own death."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import socket
import sys
import threading
import time
from importlib.metadata import EntryPoint
from pathlib import Path

import psutil
import pytest

from core.backoff import Backoff
from core.embedded import running_stack
from core.plugins import GROUP
from core.reload import Watcher, plugin_places

_spec = importlib.util.spec_from_file_location("service", Path(__file__).with_name("service.py"))
assert _spec is not None
assert _spec.loader is not None
service = sys.modules["service"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(service)
Service, until, PATIENCE = service.Service, service.until, service.PATIENCE

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "service.log"


class TestOrder:
    def test_it_migrates_once_before_any_worker_and_then_says_where_it_is(self, log: Path, tmp_path: Path) -> None:
        note = tmp_path / "note"
        with Service(log, environment={"STUB_MIGRATE_NOTE": str(note)}) as it:
            it.ready()
            assert note.read_text() == "migrated\n"
            said = it.text()
            assert said.index("migrated in") < said.index("worker 1 started") < said.index("ready on http://127.0.0.1:")
            assert int(it.get()) in it.workers()
            assert len(it.workers()) == 2
            assert it.get("/VOICERA_PORT") == str(it.address[1]), "the workers know the port that was chosen"
            assert it.end() == 0
            assert it.left() == []

    def test_a_failed_migration_is_shown_and_its_code_is_ours(self, log: Path) -> None:
        with Service(log, environment={"STUB_MIGRATE_CODE": "3"}) as it:
            assert it.process.wait(PATIENCE) == 3
            assert "the migration ends with 3" in it.text()
            assert "worker" not in it.text()

    def test_a_taken_port_is_one_clear_line_and_exit_78(self, log: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            with Service(log, {"port": port}) as it:
                assert it.process.wait(PATIENCE) == 78
        expected = (
            f"cannot listen on http://127.0.0.1:{port}: Address already in use (VOICERA_PORT or --port name another)"
        )
        assert it.text().splitlines() == ["begun", expected]

    def test_in_production_what_has_no_url_is_named_and_refused(self, log: Path, tmp_path: Path) -> None:
        flags = {"env": "production", "s3_endpoint_url": None, "redis_url": None, "data_dir": tmp_path / "data"}
        with Service(log, flags) as it:
            assert it.process.wait(PATIENCE) == 78
        line = "in production nothing is embedded: give VOICERA_REDIS_URL, VOICERA_S3_ENDPOINT_URL"
        assert it.text().splitlines() == ["begun", line]
        assert not (tmp_path / "data").exists()

    def test_it_listens_on_ipv6_too(self, log: Path) -> None:
        with Service(log, {"host": "::1", "workers": 1}) as it:
            assert it.ready().address[0] == "::1"
            assert int(it.get()) in it.workers()


class TestWorkers:
    def test_a_killed_worker_is_replaced_at_once_while_the_other_serves(self, log: Path) -> None:
        with Service(log) as it:
            victim, other = it.ready().workers()
            os.kill(victim, signal.SIGKILL)
            until(lambda: len(set(it.workers()) - {victim}) == 2)
            it.says(r"worker \d ready", count=3)
            assert f"pid {victim}, died of SIGKILL; a new one in 0.0 s" in it.text()
            assert other in it.workers()

    def test_with_all_workers_killed_a_request_waits_until_it_serves_again(self, log: Path) -> None:
        with Service(log) as it:
            killed = it.ready().workers()
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
            assert int(it.get()) not in killed, "the socket stays open: a request waits rather than fails"

    @pytest.mark.parametrize("how", ["stopped", "blocked"])
    def test_a_silent_worker_is_killed_and_replaced(self, log: Path, how: str) -> None:
        with Service(log, {"workers": 1}, {"limits": {"SILENCE": 1.5}}) as it:
            (victim,) = it.ready().workers()
            if how == "stopped":
                os.kill(victim, signal.SIGSTOP)
            else:
                threading.Thread(target=_ask_and_forget, args=(it,), daemon=True).start()
            it.says(rf"pid {victim}, gave no sign of life for \d s and was killed")
            it.says("worker 1 ready", count=2)
            assert int(it.get()) != victim

    def test_a_worker_that_is_not_ready_in_time_is_replaced(self, log: Path) -> None:
        with Service(log, {"workers": 1}, {"limits": {"READY_WITHIN": 0.3}}, environment={"STUB_WORKER": "mute"}) as it:
            it.says("was not ready in time and was killed", count=2)
            assert it.end() == 0

    def test_workers_that_never_served_and_keep_dying_end_the_start(self, log: Path, tmp_path: Path) -> None:
        broken = tmp_path / "broken"
        broken.write_text("5")
        with Service(log, environment={"STUB_BROKEN": str(broken)}) as it:
            assert it.process.wait(PATIENCE) == 1
            assert it.text().count("ended with code 5") == 10
            assert "10 workers died and none ever served" in it.text()

    def test_workers_that_served_once_are_never_given_up(self, log: Path, tmp_path: Path) -> None:
        broken = tmp_path / "broken"
        with Service(log, {"workers": 4}, environment={"STUB_BROKEN": str(broken)}) as it:
            victims = it.ready().workers()
            broken.write_text("5")
            for pid in victims:
                os.kill(pid, signal.SIGKILL)
            it.says("ended with code 5", count=12)
            broken.unlink()
            assert int(it.get()) not in victims

    @pytest.mark.parametrize(
        ("told", "said"),
        [
            ("78 GET /x is claimed by both one and two", "GET /x is claimed by both one and two"),
            ("78", "the workers refuse to start; see above"),
        ],
    )
    def test_workers_that_refuse_to_start_end_it_with_78_and_what_they_say_is_said_once(
        self, log: Path, tmp_path: Path, told: str, said: str
    ) -> None:
        broken = tmp_path / "broken"
        broken.write_text(told)
        with Service(log, environment={"STUB_BROKEN": str(broken)}) as it:
            assert it.process.wait(20) == 78
            assert it.text().count(said) == 1
            assert it.text().splitlines()[-1] == said, "the last line, after all has stopped"
            assert "a new one in" not in it.text()

    def test_a_successor_that_refuses_to_start_is_named_with_its_reason(self, log: Path, tmp_path: Path) -> None:
        broken = tmp_path / "broken"
        with Service(log, {"workers": 1}, environment={"STUB_BROKEN": str(broken)}) as it:
            (old,) = it.ready().workers()
            broken.write_text("78 GET /x is claimed by both one and two")
            it.signal(signal.SIGHUP)
            it.says(r"ended with code 78 \(GET /x is claimed by both one and two\) before it replaced the old one")
            assert it.get() == str(old)

    def test_delays_begin_with_none_and_double_while_the_deaths_are_young(self) -> None:
        backoff = Backoff()
        delays = [backoff.delay(served=0.5) for _ in range(9)]
        assert delays == [0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
        assert backoff.delay(served=1.0) == 0.0


class TestExchange:
    def test_sighup_exchanges_the_workers_and_no_request_fails(self, log: Path) -> None:
        with Service(log) as it:
            before = set(it.ready().workers())
            it.signal(signal.SIGHUP)
            answers = []
            while "all workers exchanged" not in it.text():
                answers.append(int(it.get()))
            assert len(answers) > 5
            assert not before & set(it.workers())
            assert len(it.workers()) == 2

    def test_a_successor_that_fails_leaves_the_old_workers_serving(self, log: Path, tmp_path: Path) -> None:
        broken = tmp_path / "broken"
        with Service(log, environment={"STUB_BROKEN": str(broken)}) as it:
            before = it.ready().workers()
            broken.write_text("1")
            it.signal(signal.SIGHUP)
            it.says("the new worker 1 failed: the old ones go on")
            assert it.workers() == before

    def test_with_reload_a_changed_file_exchanges_the_workers(self, log: Path, tmp_path: Path) -> None:
        source = tmp_path / "sources" / "deep"
        source.mkdir(parents=True)
        (source / "module.py").write_text("")
        with Service(log, {"workers": 1}, {"watched": str(tmp_path / "sources")}) as it:
            (before,) = it.ready().workers()
            (source / "module.py").write_text("changed = True")
            it.says("module.py has changed")
            it.says("all workers exchanged")
            assert it.workers() != [before]

    def test_installed_plugins_that_are_worked_on_are_watched_and_copied_ones_are_not(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source, copied = tmp_path / "work", tmp_path / "site-packages"
        for folder, name in ((source, "edited_package"), (copied, "copied_package")):
            (folder / name).mkdir(parents=True)
            (folder / name / "__init__.py").write_text("raise RuntimeError('it is only looked for')\n")
        (source / "edited_module.py").write_text("\n")
        names = ("edited_package", "edited_module", "copied_package", "gone")
        found = [EntryPoint(name, f"{name}.plugin" if "package" in name else name, GROUP) for name in names]
        monkeypatch.setattr("core.reload.entry_points", lambda group: found if group == GROUP else [])
        for folder in (source, copied):
            monkeypatch.syspath_prepend(folder)
        places = plugin_places()
        assert places == [source / "edited_module.py", source / "edited_package"]

        monkeypatch.setattr("core.reload.INTERVAL", 0)
        watcher = Watcher(places)
        assert watcher.changed() is None
        os.utime(source / "edited_module.py", (1, 1))
        assert watcher.changed() == str(source / "edited_module.py")
        (source / "edited_package" / "queries.py").write_text("\n")
        assert watcher.changed() == str(source / "edited_package" / "queries.py")

    def test_the_watcher_sees_what_is_changed_added_and_removed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("core.reload.INTERVAL", 0.0)
        one, two = tmp_path / "one.py", tmp_path / "two.lua"
        one.write_text("")
        watcher = Watcher([tmp_path])
        assert watcher.changed() is None
        two.write_text("")
        assert watcher.changed() == str(two)
        os.utime(one, ns=(1, 1))
        assert watcher.changed() == str(one)
        two.unlink()
        assert watcher.changed() == str(two)
        (tmp_path / "notes.txt").write_text("")
        assert watcher.changed() is None


class TestEnd:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_running_request_is_answered_before_the_end(self, log: Path, number: signal.Signals) -> None:
        with Service(log, {"shutdown_grace": 60}) as it:
            it.ready()
            answers: list[str] = []
            asking = threading.Thread(target=lambda: answers.append(it.get("/slow")))
            asking.start()
            it.says("asked for /slow")
            it.signal(number)
            assert it.process.wait(PATIENCE) == 0
            asking.join(PATIENCE)
            assert answers
            assert answers[0].isdigit()
            assert it.left() == []

    def test_a_worker_that_does_not_end_is_killed_after_the_grace(self, log: Path) -> None:
        with Service(log, {"shutdown_grace": 1}, environment={"STUB_WORKER": "stubborn"}) as it:
            it.ready()
            began = time.monotonic()
            assert it.end() == 0
            assert time.monotonic() - began >= 1
            assert it.left() == []

    def test_a_second_ctrl_c_hurries(self, log: Path) -> None:
        with Service(log, {"shutdown_grace": 600}, environment={"STUB_WORKER": "stubborn"}) as it:
            it.ready()
            it.signal(signal.SIGINT)
            time.sleep(0.5)
            assert it.process.poll() is None
            it.signal(signal.SIGINT)
            assert it.process.wait(PATIENCE) == 0
            assert it.left() == []

    def test_sigterm_during_the_migration_ends_it(self, log: Path) -> None:
        with Service(log, environment={"STUB_MIGRATE_SECONDS": "600"}) as it:
            until(it.relatives)
            assert it.end() == 0
            assert it.left() == []

    def test_the_workers_die_with_a_killed_supervisor_and_the_port_is_free(self, log: Path) -> None:
        with Service(log) as it:
            address = it.ready().address
            it.process.kill()
            until(lambda: not it.left())
            with socket.create_server(address):
                pass


class TestSystem:
    def test_systemd_is_told_that_it_is_ready_alive_and_stopping(self, log: Path, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.bind(str(tmp_path / "notify"))
            systemd.settimeout(PATIENCE)
            told = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
            with Service(log, {"workers": 1}, environment=told) as it:
                messages = [systemd.recv(100).decode()]
                while messages[-1] != "READY=1":
                    messages.append(systemd.recv(100).decode())
                assert systemd.recv(100) == b"WATCHDOG=1"
                assert set(messages) == {"READY=1", "WATCHDOG=1"}
                it.process.terminate()
                while messages[-1] != "STOPPING=1":
                    messages.append(systemd.recv(100).decode())
                assert it.process.wait(PATIENCE) == 0

    @root_only
    @pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
    def test_as_process_1_it_reaps_orphans_and_heeds_sigterm(self, log: Path) -> None:
        prefix = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
        with Service(log, {"workers": 1}, prefix=prefix) as it:
            it.ready()
            (inner,) = psutil.Process(it.process.pid).children()
            it.get("/orphan")
            assert len(inner.children()) == 2, "the worker, and the orphan that we were given"
            until(lambda: len(inner.children()) == 1)
            inner.terminate()
            it.process.wait(PATIENCE)
            assert it.text().endswith("stopped\n")


class TestWhole:
    """With the bundled servers."""

    def test_a_whole_run(self, log: Path, tmp_path: Path) -> None:
        """It says what runs; a second start on the same directory names the first; all ends in order."""
        data = tmp_path / "data"
        with Service(log, {"data_dir": data}, embedded=True) as it:
            it.ready()
            stack = running_stack(data)
            assert stack is not None
            assert stack["pid"] == it.process.pid
            assert (stack["host"], stack["port"]) == it.address
            assert it.get("/VOICERA_DATABASE_URL") == stack["database_url"]
            assert it.get("/VOICERA_S3_SECRET_ACCESS_KEY") == stack["s3_secret_access_key"]
            with Service(tmp_path / "second.log", {"data_dir": data}, embedded=True) as second:
                assert second.process.wait(PATIENCE) == 78
            line = f"data directory {data} is in use by another voicera serve, pid {it.process.pid}"
            assert second.text().splitlines() == ["begun", line]
            assert it.end() == 0
            ends = re.findall(r"(\w+) stopped", it.text())
            assert ends == ["seaweedfs", "valkey", "postgresql"]
            assert it.left() == []
            assert running_stack(data) is None
            assert not (data / "stack.json").exists()

    def test_a_killed_supervisor_takes_all_with_it_and_the_next_start_works(self, log: Path, tmp_path: Path) -> None:
        data = tmp_path / "data"
        with Service(log, {"data_dir": data}, embedded=True) as it:
            it.ready()
            it.process.kill()
            until(lambda: not it.left(), what="all gone")
            assert (data / "stack.json").exists()
            assert running_stack(data) is None, "what it left behind is not believed"
        with Service(tmp_path / "again.log", {"data_dir": data}, embedded=True) as again:
            again.ready()
            assert again.end() == 0

    def test_two_directories_live_side_by_side_and_a_dead_server_is_started_again(
        self, log: Path, tmp_path: Path
    ) -> None:
        flags = {"data_dir": tmp_path / "one"}
        with Service(log, flags, embedded=True) as one:
            with Service(tmp_path / "two.log", {"data_dir": tmp_path / "two"}, embedded=True) as two:
                one.ready()
                two.ready()
                for victim in [one.child(name) for name in ("postgres", "valkey-server", "weed")]:
                    victim.kill()
                for name in ("postgresql", "valkey", "seaweedfs"):
                    one.says(f"{name} died of SIGKILL; starting it again")
                    one.says(f"{name} ready in", count=2)
                assert two.text().count(" ready in") == 3
                assert two.end() == 0
            assert one.end() == 0
            assert one.left() == []

    def test_sigterm_at_any_moment_of_the_start_ends_all_in_order(self, tmp_path: Path) -> None:
        """Twelve moments in the first three seconds, each on a new directory; `make chaos` takes sixty."""
        moments = [0.0, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0, 1.3, 1.7, 2.2, 3.0]
        failures: list[str] = []
        threads = [threading.Thread(target=_end_at, args=(tmp_path, moments[first::3], failures)) for first in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []


def _end_at(folder: Path, moments: list[float], failures: list[str]) -> None:
    for moment in moments:
        log = folder / f"{moment}.log"
        environment = {"STUB_MIGRATE_SECONDS": "0.5"}
        with Service(log, {"data_dir": folder / str(moment)}, embedded=True, environment=environment) as it:
            it.says("begun")
            time.sleep(moment)
            code = it.end()
            if code != 0 or it.left():
                failures.append(f"after {moment} s: code {code}, left {it.left()}\n{it.text()}")


def _ask_and_forget(it: object) -> None:
    try:
        it.get("/hang", seconds=3.0)  # type: ignore[attr-defined]
    except OSError:
        return
