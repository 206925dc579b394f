"""`voicera import calls` and `voicera export calls`, as an operator runs them."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import gzip
import importlib.util
import io
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from core.cli import build_cli
from core.settings import ConfigurationError, Settings
from plugins.calls.commands import progress, readers
from plugins.calls.commands.batches import Batch
from plugins.calls.commands.exporting import Export, export_calls
from plugins.calls.commands.importing import Import, Outcome, Rejections
from plugins.calls.commands.origins import FromApi
from plugins.calls.commands.senders import ByApi
from plugins.calls.commands.sources import Format, Source, Unreadable
from voicera.client import ApiClient, ApiFailed, Pauses, Unanswered, running_url
from voicera.testing import Client, Running, running_app, settings_for_tests

NewCall = Callable[..., dict[str, Any]]
READ_ONLY = {"id", "updated_at", "recording_url"}


class Cli:
    """Runs the command: in a thread, or as a program of its own where it opens resources of its own."""

    def __init__(self, environ: dict[str, str], folder: Path) -> None:
        self.environ, self.folder = environ, folder
        self.typer = build_cli()

    async def __call__(self, *arguments: str | Path, typed: bytes = b"", **environ: str) -> tuple[int, str, str]:
        if "--owner" in arguments:
            return await self.program(*arguments)
        run = partial(CliRunner().invoke, self.typer, list(map(str, arguments)), input=typed)
        result = await asyncio.to_thread(run, env={"COLUMNS": "200", **environ})
        if isinstance(result.exception, ConfigurationError):
            return ConfigurationError.exit_code, result.stdout, f"voicera: {result.exception}\n"
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    async def program(self, *arguments: str | Path) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "voicera.testing",
            *map(str, arguments),
            cwd=Path(__file__).parents[3],
            env={**os.environ, **self.environ, "COLUMNS": "200"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 120)
        return process.returncode or 0, out.decode(), err.decode()

    def file(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path


@pytest.fixture
def cli(stack: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setattr(progress.err, "width", 200)  # it was made when the module was imported
    return Cli(settings_for_tests(stack), tmp_path)


@pytest.fixture
def through(running: Running, user: Client) -> list[str]:
    """The options that name the service and its user."""
    return ["--url", running.url, "--api-key", user.token or ""]


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def ndjson(calls: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(call).encode() + b"\n" for call in calls)


async def all_of(client: Client) -> list[dict[str, Any]]:
    """Every call of an owner, whole, without what the service makes, by external id."""
    page = await client.get("/call-logs", params={"limit": 1000})
    whole = [(await client.get(f"/call-logs/{item['id']}")).data for item in page.data["items"]]
    calls = [{name: value for name, value in call.items() if name not in READ_ONLY} for call in whole]
    return sorted(calls, key=lambda call: str(call["external_id"]))


class TestImport:
    async def test_nothing_is_imported_without_a_key_or_an_owner(self, cli: Cli, call: NewCall) -> None:
        file = cli.file("calls.ndjson", ndjson([call()]))
        code, _, said = await cli("import", "calls", file)
        assert (code, said) == (
            78,
            "voicera: give --api-key (or VOICERA_API_KEY), or --owner EMAIL to go straight to the database\n",
        )

    async def test_a_wrong_key_ends_it_in_one_line(self, cli: Cli, running: Running, call: NewCall) -> None:
        file = cli.file("calls.ndjson", ndjson([call()]))
        code, said, err = await cli("import", "calls", file, "--url", running.url, VOICERA_API_KEY="vk_wrong")
        assert code == 1
        assert "read 0, created 0" in said
        assert err.startswith("voicera: Token invalid (AUTH_003)")
        assert err.count("\n") == 1

    async def test_it_writes_to_the_keys_owner_alone(
        self, cli: Cli, running: Running, user: Client, neighbour: Client, call: NewCall
    ) -> None:
        key = await user.post("/auth/api-keys", {"name": "import", "scopes": ["calls:write"]})
        file = cli.file("calls.ndjson", ndjson([call(), call()]))
        code, said, err = await cli("import", "calls", file, "--url", running.url, VOICERA_API_KEY=key.data["key"])
        assert (code, err) == (0, ""), err
        assert said.rpartition(", ")[0] == "read 2, created 2, duplicates 0, rejected 0"
        assert (await user.get("/call-logs")).data["total"] == 2
        assert (await neighbour.get("/call-logs")).data["total"] == 0

    async def test_a_table_becomes_calls(self, cli: Cli, user: Client, through: list[str]) -> None:
        text = (
            "phone_number,status,external_id,duration_seconds,emotions,key_phrases,transcript,cost,created_at,"
            "metadata.carrier,metadata.region,summary\r\n"
            '+15550100200,completed,T1,61,calm;happy,"[""a; b"",""c""]","Agent: ""Hi""\nUser: Hello",0.25,'
            "2024-01-29T10:30:00Z,telnyx,,\r\n"
            "+15550100201,busy,T2,,,,,,2024-01-29T10:31:00Z,,,\r\n"
        )
        code, said, _ = await cli("import", "calls", cli.file("calls.csv", "\ufeff" + text), *through)
        assert (code, said.partition(", rejected")[0]) == (0, "read 2, created 2, duplicates 0")
        first, second = await all_of(user)
        assert first == {
            "external_id": "T1",
            "campaign_id": None,
            "agent_id": None,
            "phone_number": "+15550100200",
            "direction": None,
            "status": "completed",
            "duration_seconds": 61,
            "sentiment": None,
            "emotions": ["calm", "happy"],
            "key_phrases": ["a; b", "c"],
            "transcript": 'Agent: "Hi"\nUser: Hello',
            "summary": None,
            "cost": 0.25,
            "created_at": "2024-01-29T10:30:00.000Z",
            "metadata": {"carrier": "telnyx"},
        }
        assert (second["status"], second["duration_seconds"], second["metadata"]) == ("busy", None, None)

    async def test_each_rejected_row_is_named_with_its_line_and_reason(
        self, cli: Cli, user: Client, through: list[str], tmp_path: Path
    ) -> None:
        text = (
            "phone_number;status;duration_seconds;transcript\n"
            '+15550100200;completed;10;"two\nlines"\n'
            "12;completed;ten;\n"
            "+15550100200;gone;1;\n"
            "+15550100200;busy;1;;too many\n"
            "+15550100201;busy;0;\n"
        )
        rejected = tmp_path / "rejected.ndjson"
        file = cli.file("calls.csv", text)
        code, said, err = await cli("import", "calls", file, *through, "--rejected", rejected)
        assert (code, said.rpartition(", ")[0]) == (
            1,
            "read 5, created 2, duplicates 0, rejected 3",
        )
        found = [json.loads(line) for line in rejected.read_text().splitlines()]
        assert [(each["line"], [error["field"] for error in each["errors"]]) for each in found] == [
            (4, ["phone_number", "duration_seconds"]),
            (5, ["status"]),
            (6, [""]),
        ]
        assert found[0]["row"] == {"phone_number": "12", "status": "completed", "duration_seconds": "ten"}
        assert f"{file}:5" in err
        assert "must be one of queued" in err

    async def test_an_unknown_column_stops_it_before_anything_is_sent(self, cli: Cli, through: list[str]) -> None:
        file = cli.file("calls.csv", "phone_number,status,mood\n+15550100200,busy,bad\n")
        code, said, err = await cli("import", "calls", file, *through)
        assert (code, said.partition(", created")[0]) == (1, "read 0")
        assert "unknown columns: 'mood'" in err

    @pytest.mark.parametrize(
        ("name", "pack"),
        [("c.ndjson", bytes), ("c.jsonl.gz", gzip.compress), ("c.ndjson.zst", zstandard.ZstdCompressor().compress)],
    )
    async def test_packed_files_are_unpacked(
        self, cli: Cli, through: list[str], call: NewCall, name: str, pack: Callable[[bytes], bytes]
    ) -> None:
        file = cli.file(name, pack(ndjson([call() for _ in range(3)])))
        code, said, err = await cli("import", "calls", file, *through)
        assert (code, said.partition(", dup")[0], err) == (0, "read 3, created 3", "")

    async def test_a_packed_file_that_is_cut_off_says_so(self, cli: Cli, through: list[str], call: NewCall) -> None:
        whole = gzip.compress(ndjson([call(transcript=os.urandom(40).hex()) for _ in range(300)]))
        code, _, err = await cli("import", "calls", cli.file("c.ndjson.gz", whole[:-200]), *through)
        assert code == 1
        assert err.startswith(f"voicera: {cli.folder}/c.ndjson.gz: Compressed file ended")

    async def test_standard_input_and_a_json_array(
        self, cli: Cli, user: Client, through: list[str], call: NewCall
    ) -> None:
        calls = [call() for _ in range(2)]
        code, said, err = await cli("import", "calls", "-", *through, typed=ndjson(calls))
        assert (code, said.partition(", dup")[0], err) == (0, "read 2, created 2", "")
        text = json.dumps([*calls, call(metadata={"a": [1, {"b": "]},"}]})], indent=2).encode()
        code, said, err = await cli("import", "calls", "-", "--format", "json", *through, typed=text)
        assert (code, said.partition(", rej")[0], err) == (0, "read 3, created 1, duplicates 2", "")
        assert (await all_of(user))[-1]["metadata"] == {"a": [1, {"b": "]},"}]}

    @pytest.mark.parametrize("way", ["api", "database"])
    async def test_what_has_no_external_id_is_imported_once_too(
        self, cli: Cli, user: Client, through: list[str], call: NewCall, way: str
    ) -> None:
        calls = [{**call(), "external_id": None} for _ in range(1_500)] + ["no object", call()]
        file = cli.file("calls.ndjson", ndjson(calls))
        options = through if way == "api" else ["--owner", user.user["email"]]
        code, said, _ = await cli("import", "calls", file, *options)
        assert (code, said.rpartition(", ")[0]) == (1, "read 1,502, created 1,501, duplicates 0, rejected 1")
        code, said, _ = await cli("import", "calls", file, *options)
        assert (code, said.rpartition(", ")[0]) == (1, "read 1,502, created 0, duplicates 1,501, rejected 1")
        assert (await user.get("/call-logs")).data["total"] == 1_501

    async def test_fields_can_be_left_out(self, cli: Cli, user: Client, through: list[str], call: NewCall) -> None:
        strange = {**call(), "agent_id": "018d54f1-2d40-7c11-8f5e-0242ac120002", "mood": "bad"}
        text = f"phone_number,status,mood,metadata.x\n{strange['phone_number']},busy,bad,1\n"
        for file in (cli.file("c.ndjson", ndjson([strange])), cli.file("c.csv", text)):
            code, said, err = await cli("import", "calls", file, *through, "--drop", "agent_id", "--drop", "mood")
            assert (code, said.partition(", dup")[0], err) == (0, "read 1, created 1", "")
        assert {one["agent_id"] for one in await all_of(user)} == {None}

    async def test_an_owner_whom_nobody_knows_is_refused(self, cli: Cli, call: NewCall) -> None:
        file = cli.file("calls.ndjson", ndjson([call()]))
        code, _, err = await cli("import", "calls", file, "--owner", "nobody@example.com")
        assert (code, err) == (1, "voicera: no account has the e-mail nobody@example.com\n")

    async def test_an_import_that_ended_early_goes_on_where_it_was(
        self, running: Running, user: Client, call: NewCall, tmp_path: Path
    ) -> None:
        class Leaving(ByApi):
            """The service is gone after two batches."""

            left = 2

            async def send(self, batch: Batch) -> Outcome:
                self.left -= 1
                if self.left < 0:
                    raise Unanswered("the service does not answer")
                return await super().send(batch)

        file = tmp_path / "calls.ndjson"
        file.write_bytes(ndjson([call() for _ in range(4_500)]))
        async with ApiClient.open(running.url, user.token) as client:
            first = Import(Leaving(client), Rejections(None))
            with pytest.raises(Unanswered):
                await first.files([str(file)], None)
            assert first.totals.created == 2_000
            assert json.loads((tmp_path / "calls.ndjson.voicera-import").read_text())["totals"]["read"] == 2_000
            second = Import(ByApi(client), Rejections(None))
            await second.files([str(file)], None)
        assert (second.fresh, second.totals.read, second.totals.created) == (2_500, 4_500, 4_500)
        assert (await user.get("/call-logs")).data["total"] == 4_500
        assert names(tmp_path) == ["calls.ndjson"]

    async def test_a_limit_is_waited_out(self, stack: Settings, call: NewCall, tmp_path: Path) -> None:
        file = tmp_path / "calls.ndjson"
        file.write_bytes(ndjson([call() for _ in range(3_500)]))
        environ = settings_for_tests(stack, {"VOICERA_RATE_LIMIT_INGEST": "2/second"})
        async with running_app(environ, migrated=True) as app:
            owner = await app.client.new_user()
            async with ApiClient.open(app.url, owner.token) as client:
                job = Import(ByApi(client), Rejections(None))
                await job.files([str(file)], None)
                assert client.waited >= 1
        assert job.totals.created == 3_500


class TestReaders:
    @settings(deadline=None, max_examples=60)
    @given(
        st.lists(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner))),
        st.sampled_from([None, 1]),
        st.integers(2, 9),
        st.integers(0, 3),
    )
    def test_a_json_array_is_read_in_pieces_of_any_size(
        self, values: list[Any], indent: int | None, size: int, skip: int
    ) -> None:
        before, readers.CHUNK = readers.CHUNK, size
        try:
            text = f" \n{json.dumps(values, indent=indent, ensure_ascii=False)}\n".encode()
            rows = list(readers.rows_of(source(text, Format.json), skip))
        finally:
            readers.CHUNK = before
        assert [row.value for row in rows] == values[skip:]
        if indent and values:
            assert rows[:1] == [] or rows[0].line >= 3 + skip

    @pytest.mark.parametrize("text", [b"", b"{}", b"[1", b"[1 2]", b"[1,]", b"[1] 2", b"[NaN]", b"[,1]", b"\xff["])
    def test_what_is_no_json_array_says_so(self, text: bytes) -> None:
        with pytest.raises(Unreadable):
            list(readers.rows_of(source(text, Format.json), 0))

    def test_a_line_that_is_not_json_is_one_refused_row(self) -> None:
        rows = list(readers.rows_of(source(b'{"a": 1}\n\n{"a"\n2\n', Format.ndjson), 0))
        assert [(row.line, row.value, bool(row.problem)) for row in rows] == [
            (1, {"a": 1}, False),
            (3, '{"a"', True),
            (4, 2, False),
        ]

    @pytest.mark.skipif(importlib.util.find_spec("pyarrow") is not None, reason="pyarrow is installed")
    def test_without_its_library_parquet_says_how_to_install_it(self) -> None:
        with pytest.raises(Unreadable, match=r"pip install 'voicera\[parquet\]'"):
            list(readers.rows_of(source(b"PAR1", Format.parquet), 0))


def source(content: bytes, kind: Format) -> Source:
    stream = io.BytesIO(content)
    return Source("test", None, kind, stream, stream)


class TestExport:
    async def test_an_export_holds_the_owners_calls_alone_and_whole(
        self, cli: Cli, user: Client, neighbour: Client, through: list[str], call: NewCall
    ) -> None:
        calls = [call(transcript="x" * 5_000), call(status="busy", created_at="2024-02-01T00:00:00Z")]
        assert (await user.post("/call-logs/batch", calls)).status == 201
        assert (await neighbour.post("/call-logs/batch", [call()])).status == 201
        code, out, err = await cli("export", "calls", *through)
        assert code == 0, err
        newest, oldest = map(json.loads, out.splitlines())
        assert (newest["status"], oldest["transcript"]) == ("busy", "x" * 5_000)
        assert err.startswith("exported 2 calls in ")
        code, out, err = await cli("export", "calls", "--owner", user.user["email"], "--status", "busy")
        assert (code, [json.loads(line) for line in out.splitlines()]) == (0, [newest]), err

    @pytest.mark.parametrize("option", ["--status=gone", "--start-date=never", "--phone-number=12", "--agent-id=x"])
    async def test_a_filter_that_cannot_be_is_refused(self, cli: Cli, through: list[str], option: str) -> None:
        code, out, err = await cli("export", "calls", option, *through)
        assert code in {1, 2}
        assert out == ""
        assert "Traceback" not in err

    @pytest.mark.parametrize(
        "name", ["out.ndjson", "out.csv", "out.json", "out.ndjson.gz", "out.csv.zst", "out.parquet"]
    )
    async def test_what_was_exported_can_be_imported(
        self, cli: Cli, user: Client, neighbour: Client, call: NewCall, name: str
    ) -> None:
        if name.endswith(".parquet"):
            pytest.importorskip("pyarrow")
        calls = [
            call(transcript='Agent: "Hi",\r\nUser: ; ü 😀', metadata={"a": {"b": [1, None, 2.5]}}, cost=0.000001),
            call(emotions=[], key_phrases=["a;b", "[c]", 'd "e"'], duration_seconds=None, sentiment=None),
            call(status="queued", transcript=None, summary=None, cost=None, created_at="2015-06-01T12:00:00.123Z"),
        ]
        assert (await user.post("/call-logs/batch", calls)).status == 201
        file = cli.folder / name
        code, out, err = await cli("export", "calls", "-o", file, "--url", user.url, "--api-key", user.token or "")
        assert (code, out) == (0, ""), err
        assert names(cli.folder) == [name]
        to = ("--url", user.url, "--api-key", neighbour.token or "")
        code, out, err = await cli("import", "calls", file, *to)
        assert (code, out.partition(", dup")[0]) == (0, "read 3, created 3"), err
        assert await all_of(neighbour) == await all_of(user)

    async def test_nothing_to_export_gives_an_empty_file_of_its_kind(self, cli: Cli, through: list[str]) -> None:
        for name, content in (("e.ndjson", ""), ("e.json", "[]\n")):
            assert (await cli("export", "calls", "-o", cli.folder / name, *through))[0] == 0
            assert (cli.folder / name).read_text() == content

    @pytest.mark.parametrize("name", ["out.ndjson", "out.csv", "out.json"])
    async def test_an_export_that_ended_early_goes_on_where_it_was(
        self, running: Running, user: Client, call: NewCall, tmp_path: Path, name: str
    ) -> None:
        class Breaking(FromApi):
            """Refuses after a hundred lines."""

            @asynccontextmanager
            async def lines(self, after: str | None) -> AsyncIterator[AsyncIterator[bytes]]:
                async with super().lines(after) as lines:
                    yield self.some(lines)

            async def some(self, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
                left = 100
                async for line in lines:
                    left -= 1
                    if left < 0:
                        raise ApiFailed(401, "AUTH_002", "Token expired")
                    yield line

        calls = [call(created_at=f"2024-01-29T10:{n // 60:02}:{n % 60:02}Z", summary="a\nb") for n in range(250)]
        assert (await user.post("/call-logs/batch", calls)).status == 201
        file, once = tmp_path / name, tmp_path / f"once-{name}"
        job = Export(output=str(file), given=None, filters={}, resume=True)
        async with ApiClient.open(running.url, user.token) as client:
            for total in (100, 200):
                with pytest.raises(ApiFailed):
                    await export_calls(job, Breaking(client, {}))
                assert json.loads((tmp_path / f"{name}.part.state").read_text())["rows"] == total
            assert not file.exists()
            with (tmp_path / f"{name}.part").open("ab") as part:
                part.write(b"half a line that never made it into the st")
            await export_calls(job, Breaking(client, {}))
            await export_calls(Export(output=str(once), given=None, filters={}, resume=False), FromApi(client, {}))
        assert file.read_bytes() == once.read_bytes()
        assert sorted(names(tmp_path)) == sorted([name, once.name])

    async def test_another_export_is_not_gone_on_with(self, running: Running, user: Client, tmp_path: Path) -> None:
        file = tmp_path / "out.ndjson"
        (tmp_path / "out.ndjson.part").write_bytes(b"")
        (tmp_path / "out.ndjson.part.state").write_text(json.dumps({"rows": 0, "last": "x", "size": 0, "target": "?"}))
        job = Export(output=str(file), given=None, filters={}, resume=True)
        async with ApiClient.open(running.url, user.token) as client:
            with pytest.raises(Unreadable, match="another export"):
                await export_calls(job, FromApi(client, {}))


class TestClient:
    async def test_what_is_not_answered_is_asked_again_for_a_while(self) -> None:
        async with ApiClient.open("http://127.0.0.1:9", patience=0.1) as client:
            with pytest.raises(Unanswered, match="does not answer"):
                await client.request("GET", "/health")
            with pytest.raises(Unanswered):
                await client.request("POST", "/call-logs", json={})

    async def test_a_pause_is_as_long_as_the_service_says(self) -> None:
        assert await Pauses(1).after(ApiFailed(429, "RATE_001", "Rate limit exceeded", retry_after=0.01)) == 0.01
        with pytest.raises(ApiFailed):
            await Pauses(1).after(ApiFailed(422, "REQUEST_002", "Validation failed"))

    def test_the_running_service_is_found_by_its_data_directory(self, stack: Settings, tmp_path: Path) -> None:
        with pytest.raises(Exception, match="no stack is running"):
            running_url(tmp_path)
        with contextlib.suppress(FileNotFoundError):
            assert not list(tmp_path.iterdir())


def test_csv_and_json_agree_on_what_a_cell_means() -> None:
    from plugins.calls.commands.values import TABLE, columns_of, from_cells, to_cell

    call = {
        "phone_number": "+15550100200",
        "status": "busy",
        "emotions": ["a;b", "c"],
        "metadata": {"a": 1},
        "cost": 0.1,
        "duration_seconds": 3,
    }
    columns = columns_of(TABLE)
    assert not isinstance(columns, str)
    file = io.StringIO()
    csv.writer(file).writerow([to_cell(call.get(name)) for name in TABLE])
    file.seek(0)
    assert from_cells(columns, next(csv.reader(file))) == call
    assert msgspec.json.encode(call)
