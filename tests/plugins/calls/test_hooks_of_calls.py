"""What plugins do with call logs: they map what providers send, record calls by themselves, and read them."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

import openapi_check
import orjson
import pytest

from core.settings import Settings
from plugins.calls.commands import formats
from plugins.calls.commands.writers import FORMATS
from plugins.calls.hookspecs import CallsRecorded, Delivery, ExportFormat, RecordedReport
from plugins.calls.schemas.calls import MOST_MESSAGE
from plugins.calls.service import receiving
from voicera import ConfigurationError, InvalidFields, PermissionDenied, Resources, hookimpl
from voicera.testing import Client, Running, eventually, running_app, settings_for_tests

NewCall = Callable[..., dict[str, Any]]
FROM = "/call-logs/from/parrot"
SAID = "(in a call log that a plugin made of the message)"
ROOT = Path(__file__).parents[3]


@dataclass
class Parrot:
    """A plugin that takes the message of its provider for call logs, and hears what is recorded."""

    deliveries: list[Delivery] = field(default_factory=list)
    heard: list[CallsRecorded] = field(default_factory=list)

    def module(self) -> ModuleType:
        @hookimpl
        async def calls_receiving(resources: Resources, delivery: Delivery) -> Sequence[Mapping[str, Any]] | None:
            if delivery.source != "parrot":
                return None
            self.deliveries.append(delivery)
            if delivery.headers.get("x-signature") == "wrong":
                raise PermissionDenied("the signature is wrong")
            logs: list[dict[str, Any]] = delivery.payload["logs"]
            return [python_values(log) for log in logs] if isinstance(logs, list) else logs

        @hookimpl
        async def calls_recorded(batch: CallsRecorded) -> None:
            self.heard.append(batch)

        made = ModuleType("parrot")
        vars(made).update(calls_receiving=calls_receiving, calls_recorded=calls_recorded)
        return made


def python_values(log: Any) -> Any:
    """As a mapper would give them: ids as UUIDs, times as datetimes."""
    if not isinstance(log, dict):
        return log
    made = dict(log)
    if "created_at" in made:
        made["created_at"] = datetime.fromisoformat(made["created_at"])
    if made.get("summary") == "an object":
        made["summary"] = object()
    return made


@dataclass
class Nest:
    """An application with the parrot."""

    app: Running
    parrot: Parrot


@pytest.fixture(scope="module")
async def nest(stack: Settings, running: Running) -> AsyncIterator[Nest]:
    parrot = Parrot()
    async with running_app(settings_for_tests(stack), plugins=[parrot.module()], migrated=True) as app:
        app.client.on_answer = openapi_check.Checker(app.app.ctx.openapi.document)
        yield Nest(app, parrot)


@pytest.fixture
async def owner(nest: Nest) -> Client:
    nest.parrot.deliveries.clear()
    nest.parrot.heard.clear()
    return await nest.app.client.new_user()


def owner_id(client: Client) -> UUID:
    return UUID(client.user["user"]["id"])


async def total(client: Client) -> int:
    found: int = (await client.get("/call-logs")).data["total"]
    return found


class TestReceiving:
    async def test_it_takes_a_token_and_the_right_to_push_calls_in(self, nest: Nest, owner: Client) -> None:
        assert (await nest.app.client.post(FROM, {"logs": []})).code == "AUTH_003"
        key = (await owner.post("/auth/api-keys", {"name": "k", "scopes": ["calls:read"]})).data["key"]
        assert (await owner.post(FROM, {"logs": []}, token=key)).code == "AUTH_004"
        assert nest.parrot.deliveries == []

    async def test_the_calls_are_those_of_whoever_owns_the_token(
        self, nest: Nest, owner: Client, call: NewCall
    ) -> None:
        neighbour = await nest.app.client.new_user()
        assert (await owner.post(FROM, {"logs": [call()]})).status == 201
        assert (await total(owner), await total(neighbour)) == (1, 0)
        log = call(agent_id=(await neighbour.post("/agents", {"name": "Theirs"})).data["id"])
        refused = await owner.post(FROM, {"logs": [call(), log]})
        assert refused.error == {
            "code": "REQUEST_002",
            "message": "Validation failed",
            "details": [{"field": "[1].agent_id", "message": f"does not exist {SAID}"}],
        }
        assert await total(owner) == 1

    async def test_what_the_plugin_makes_of_it_is_recorded_like_a_batch(
        self, nest: Nest, owner: Client, call: NewCall
    ) -> None:
        logs = [call(summary="one"), call(summary="two")]
        answer = await owner.post(FROM, {"logs": logs})
        assert answer.status == 201
        assert answer.data == {"received": 2, "created": 2, "duplicates": 0, "rejected": 0, "errors": []}
        listed = (await owner.get("/call-logs")).data["items"]
        assert {item["external_id"] for item in listed} == {log["external_id"] for log in logs}
        assert {item["created_at"] for item in listed} == {"2024-01-29T10:30:00.000Z"}
        [batch] = await eventually(lambda: nest.parrot.heard)
        assert (batch.owner_id, [each.log.summary for each in batch.calls]) == (owner_id(owner), ["one", "two"])
        assert (await owner.get("/analytics/calls")).data["total_calls"] == 2

    async def test_a_message_sent_again_creates_nothing_and_answers_200(self, owner: Client, call: NewCall) -> None:
        message = {"logs": [call(), call()]}
        assert (await owner.post(FROM, message)).status == 201
        again = await owner.post(FROM, message)
        assert again.status == 200
        assert again.data == {"received": 2, "created": 0, "duplicates": 2, "rejected": 0, "errors": []}
        more = await owner.post(FROM, {"logs": [*message["logs"], call()]})
        assert (more.status, more.data["created"], more.data["duplicates"]) == (201, 1, 2)

    async def test_a_message_about_no_call_is_taken_and_changes_nothing(self, nest: Nest, owner: Client) -> None:
        answer = await owner.post(FROM, {"logs": [], "event": "ringing"})
        assert answer.status == 200
        assert answer.data == {"received": 0, "created": 0, "duplicates": 0, "rejected": 0, "errors": []}

    async def test_the_plugin_sees_the_message_and_no_credentials(self, nest: Nest, owner: Client) -> None:
        body = b'{"logs": [ ], "n": 1.50}'
        headers = {"Content-Type": "application/json; charset=utf-8", "X-Signature": "s", "Cookie": "c=1"}
        key = (await owner.post("/auth/api-keys", {"name": "k", "scopes": ["calls:write"]})).data["key"]
        sent = await owner.post(FROM, body=body, headers={**headers, "X-API-Key": key}, token="")
        assert sent.status == 200
        sent = await owner.post(FROM, body=body, headers=headers)
        assert sent.status == 200
        for delivery in nest.parrot.deliveries:
            assert (delivery.owner_id, delivery.source) == (owner_id(owner), "parrot")
            assert (delivery.payload, delivery.body) == ({"logs": [], "n": 1.5}, body)
            assert delivery.headers["x-signature"] == "s"
            assert not {"authorization", "cookie", "x-api-key"} & delivery.headers.keys()
            assert all(name == name.lower() for name in delivery.headers)
        assert len(nest.parrot.deliveries) == 2

    async def test_the_plugin_may_refuse_a_message(self, owner: Client, call: NewCall) -> None:
        answer = await owner.post(FROM, {"logs": [call()]}, headers={"X-Signature": "wrong"})
        assert answer.error == {
            "code": "AUTH_004",
            "message": "Permission denied",
            "details": "the signature is wrong",
        }
        assert await total(owner) == 0

    @pytest.mark.parametrize("source", ["dove", "Parrot", "parrot%2F", "%20", "p" * 65, "parrot%00"])
    async def test_a_source_that_nobody_knows_is_not_found(self, nest: Nest, owner: Client, source: str) -> None:
        answer = await owner.post(f"/call-logs/from/{source}", {"logs": []})
        assert (answer.status, answer.code) == (404, "CALL_004")
        assert answer.error["message"] == "No plugin understands calls of this source"
        assert nest.parrot.deliveries == []

    async def test_without_any_such_plugin_every_source_is_unknown(self, user: Client) -> None:
        assert (await user.post(FROM, {"logs": []})).code == "CALL_004"

    async def test_a_log_that_breaks_a_rule_refuses_all_and_is_logged_as_the_plugins_fault(
        self, owner: Client, call: NewCall, caplog: pytest.LogCaptureFixture
    ) -> None:
        broken = {"phone_number": "0049", "duration_seconds": 1.5, "colour": "red"}
        logs = [call(), broken, "no object", call(created_at="2999-01-01T00:00:00+00:00")]
        with caplog.at_level(logging.WARNING, logger="voicera.calls"):
            answer = await owner.post(FROM, {"logs": logs})
        assert (answer.status, answer.code) == (422, "REQUEST_002")
        wrong = {each["field"]: each["message"] for each in answer.error["details"]}
        assert set(wrong) == {
            *("[1].phone_number", "[1].status", "[1].duration_seconds", "[1].colour"),
            "[2]",
        }
        assert all(message.endswith(f" {SAID}") for message in wrong.values())
        assert await total(owner) == 0
        [record] = [each for each in caplog.records if each.message == "calls are mapped wrongly"]
        assert vars(record)["source"] == "parrot"
        assert "[1].status is required" in vars(record)["fields"]
        later = await owner.post(FROM, {"logs": logs[3:]})
        assert later.error["details"] == [
            {"field": "[0].created_at", "message": f"is more than five minutes in the future {SAID}"}
        ]

    async def test_what_cannot_be_json_is_said_too(self, owner: Client, call: NewCall) -> None:
        answer = await owner.post(FROM, {"logs": [call(), call(summary="an object")]})
        assert answer.status == 422
        assert answer.error["details"] == [{"field": "[1]", "message": f"holds what cannot be written as JSON {SAID}"}]

    async def test_a_plugin_that_answers_nonsense_is_an_error_of_the_server(self, owner: Client) -> None:
        for nonsense in ("text", {"phone_number": "+1234567"}, 7):
            answer = await owner.post(FROM, {"logs": nonsense})
            assert (answer.status, answer.code) == (500, "SERVER_001")

    @pytest.mark.parametrize(("body", "status"), [(b"", 400), (b"{", 400), (b'{"logs": [], "logs": []}', 400)])
    async def test_a_body_that_is_not_json_is_refused(self, owner: Client, body: bytes, status: int) -> None:
        answer = await owner.post(FROM, body=body, headers={"Content-Type": "application/json"})
        assert (answer.status, answer.code) == (status, "REQUEST_001")

    async def test_a_message_may_be_four_mebibytes_and_no_more(self, owner: Client, call: NewCall) -> None:
        message = orjson.dumps({"logs": [call(transcript="x" * 1_000_000)]})
        padded = message[:-1] + b" " * (MOST_MESSAGE - len(message)) + b"}"
        headers = {"Content-Type": "application/json", "Connection": "close"}  # what is too large is not read
        assert (await owner.post(FROM, body=padded, headers=headers)).status == 201
        assert (await owner.post(FROM, body=padded + b" ", headers=headers)).code == "REQUEST_003"


class TestRecording:
    """`record_calls` and `read_call`, as a plugin with a route of its own uses them."""

    async def record(self, nest: Nest, owner: UUID, logs: Sequence[Mapping[str, Any]]) -> RecordedReport:
        resources = nest.app.resources
        report = await resources.hooks.first("record_calls", resources=resources, owner_id=owner, logs=logs)
        assert isinstance(report, RecordedReport)
        return report

    async def read(self, nest: Nest, owner: UUID, call_id: str) -> Any:
        resources = nest.app.resources
        return await resources.hooks.first("read_call", resources=resources, owner_id=owner, call_id=UUID(call_id))

    async def test_the_rules_the_events_and_the_figures_are_those_of_a_batch(
        self, nest: Nest, owner: Client, call: NewCall
    ) -> None:
        logs = [call(created_at=datetime(2024, 3, 1, tzinfo=UTC)), call(created_at="2024-03-02T00:00:00Z")]
        assert await self.record(nest, owner_id(owner), logs) == RecordedReport(2, 2, 0)
        assert await self.record(nest, owner_id(owner), [*logs, call()]) == RecordedReport(3, 1, 2)
        assert await self.record(nest, owner_id(owner), []) == RecordedReport(0, 0, 0)
        assert await total(owner) == 3
        await eventually(lambda: len(nest.parrot.heard) == 2)
        assert (await owner.get("/analytics/calls")).data["total_calls"] == 3

    async def test_a_log_that_breaks_a_rule_records_nothing(self, nest: Nest, owner: Client, call: NewCall) -> None:
        for wrong, at in (({"status": "gone"}, "[1].status"), ({"agent_id": uuid4()}, "[1].agent_id")):
            with pytest.raises(InvalidFields) as caught:
                await self.record(nest, owner_id(owner), [call(), call(**wrong)])
            assert [each["field"] for each in caught.value.details or () if isinstance(each, dict)] == [at]
        assert await total(owner) == 0
        assert nest.parrot.heard == []

    async def test_within_a_joined_transaction_it_is_undone_with_it_and_told_to_nobody(
        self, nest: Nest, owner: Client, call: NewCall
    ) -> None:
        async def change_of_mind() -> None:
            async with nest.app.resources.db.joined():
                assert (await self.record(nest, owner_id(owner), [call()])).created == 1
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await change_of_mind()
        assert await total(owner) == 0
        assert nest.parrot.heard == []

    async def test_a_call_is_read_as_clients_see_it_and_by_its_owner_alone(
        self, nest: Nest, owner: Client, call: NewCall
    ) -> None:
        made = (await owner.post("/call-logs", call(metadata={"a": [1, None, 2.5]}))).data
        made = (await owner.get(f"/call-logs/{made['id']}")).data
        assert await self.read(nest, owner_id(owner), made["id"]) == made
        neighbour = await nest.app.client.new_user()
        assert await self.read(nest, owner_id(neighbour), made["id"]) is None
        assert await self.read(nest, owner_id(owner), str(uuid4())) is None


class TestNoListener:
    async def test_where_nobody_listens_no_event_is_built(
        self, stack: Settings, running: Running, call: NewCall, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from plugins.calls.service import ingestion

        environ = settings_for_tests(stack, {"VOICERA_PLUGINS_DISABLED": "analytics"})
        async with running_app(environ, migrated=True) as app:
            user = await app.client.new_user()
            monkeypatch.setattr(ingestion, "CallsRecorded", None)
            assert (await user.post("/call-logs", call())).status == 201
            assert (await user.post("/call-logs/batch", [call(), call()])).status == 201


def test_headers_that_stand_twice_are_joined_and_credentials_left_out() -> None:
    class Twice(dict[str, str]):
        def items(self) -> Any:
            return [("X-One", "a"), ("x-one", "b"), ("Authorization", "Bearer x"), ("Proxy-Authorization", "y")]

    assert receiving.without_credentials(Twice()) == {"x-one": "a, b"}


PHONES = '''"""A plugin that brings a format: the phone numbers alone."""

import json

from plugins.calls.hookspecs import ExportFormat
from voicera import hookimpl


class Phones:
    def __init__(self, file, rows):
        self.file = file

    def add(self, line):
        self.file.write(json.loads(line)["phone_number"].encode() + b"\\n")

    def end(self):
        self.file.write(b"end\\n")


@hookimpl
def register_export_formats():
    return [ExportFormat(name="phones", suffixes=(".phones",), description="phone numbers", open=Phones)]
'''


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder that holds the plugin as a package manager would have installed it."""
    folder = tmp_path / "site"
    info = folder / "phones-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "phones_format.py").write_text(PHONES)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: phones\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[voicera.plugins]\nphones = phones_format\n")
    return folder


class TestExportFormats:
    async def run(self, installed: Path, app: Running, user: Client, *options: str) -> tuple[int, str, str]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("VOICERA_")}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "voicera", "export", "calls", "--url", app.url, "--api-key", user.token or ""),
            *options,
            cwd=ROOT,
            env={**environ, "PYTHONPATH": str(installed), "COLUMNS": "200"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 120)
        return process.returncode or 0, out.decode(), err.decode()

    async def test_a_plugins_format_is_chosen_by_its_name_or_by_the_files(
        self, installed: Path, running: Running, user: Client, call: NewCall, tmp_path: Path
    ) -> None:
        assert (await user.post("/call-logs", call(phone_number="+4930123456"))).status == 201
        code, out, err = await self.run(installed, running, user, "--format", "phones")
        assert (code, out) == (0, "+4930123456\nend\n"), err
        file = tmp_path / "calls.phones"
        code, _, err = await self.run(installed, running, user, "-o", str(file))
        assert (code, file.read_text()) == (0, "+4930123456\nend\n"), err
        code, _, err = await self.run(installed, running, user, "-o", str(file), "--resume")
        assert (code, "as phones cannot be resumed" in err) == (1, True)
        code, _, err = await self.run(installed, running, user, "--format", "fax")
        assert (code, "is none of ndjson, json, csv, parquet, phones" in " ".join(err.split())) == (2, True), err

    def test_ours_come_by_the_same_hook(self, running: Running) -> None:
        collected = running.resources.hooks.brought("register_export_formats", ExportFormat)
        assert collected == [("calls", each) for each in FORMATS]
        assert [each.name for each in formats.formats_of(collected)] == ["ndjson", "json", "csv", "parquet"]

    def test_two_plugins_with_one_name_or_ending_are_named(self) -> None:
        for name, suffix, clash in (("csv", ".x", "csv"), ("mine", ".json", ".json")):
            other = ExportFormat(name=name, suffixes=(suffix,), description="…", open=FORMATS[0].open)
            with pytest.raises(ConfigurationError, match=f"format {clash} is claimed by both calls and mine"):
                formats.formats_of([*(("calls", each) for each in FORMATS), ("mine", other)])

    def test_the_longest_ending_decides_and_packing_is_left_aside(self) -> None:
        long = ExportFormat(name="long", suffixes=(".calls.json",), description="…", open=FORMATS[0].open)
        known = [*FORMATS, long]
        for output, expected in (
            *(("a.json", "json"), ("a.calls.json", "long"), ("a.calls.json.gz", "long"), ("a.CSV.zst", "csv")),
            *(("-", "ndjson"), ("a.unheard", "ndjson")),
        ):
            assert formats.chosen(known, None, output).name == expected
        assert formats.chosen(known, "csv", "a.json").name == "csv"
