"""Log lines: one a request, in JSON or text, and never with a secret or personal data in it."""

from __future__ import annotations

import io
import json
import logging
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import logging as ours
from core.http.sent import sent_values
from core.logging import LogWriter, QueueHandler, redact
from core.settings import Settings
from voicera import Blueprint, Request, Struct, hookimpl, public, reply
from voicera.testing import PASSWORD, Answer, Client, Running, eventually, running_app, settings_for_tests
from voicera.testing.patience import PATIENCE

CANARIES = {
    "password": "Canary-Pass?word-9x",
    "bearer token": "eyJhbGciOiJIUzI1NiIsInR5cCI6ImNhbmFyeSJ9.eyJzdWIiOiJjYW5hcnkifQ.canarysignature",
    "API key": "vk_canary0123456789abcdef",
    "refresh token": "vr_canary0123456789abcdef",
    "DSN": "postgresql://voicera:canary-p@ss@db.internal:5432/calls",
    "phone number": "+15550001234567",
    "presigned URL": "https://s3.internal/recordings/a.wav?X-Amz-Credential=canary%2F1&X-Amz-Signature=canary0badcafe",
    "e-mail": "canary.person@canary.example.com",
}
# What of each must not be found anywhere, however it was encoded.
TRACES = ["Canary-Pass", "canary", "5550001234567"]
LOGGER = logging.getLogger("tests.canaries")


class Anything(Struct):
    """Takes any text."""

    text: str = ""
    number: int = 0


class Key(Exception):
    """Like an error of a database: its text repeats what was to be stored."""


def canary_plugin() -> ModuleType:
    blueprint = Blueprint("/canary")

    @blueprint.post("/body", body=Anything, query=Anything)
    @public
    async def body(request: Request) -> Any:
        """Fail with what was sent in the message; a bare password in a plugin's own text nothing could know."""
        sent = request.decode(Anything).text
        formed = [] if sent == CANARIES["password"] else [sent]
        LOGGER.warning("a plugin says %s", formed, extra={"password": sent, "detail": {"a": formed}})
        raise Key(f"Key (text)=({sent}) already exists; {sent!r}")

    @blueprint.get("/path/{word}", query=Anything)
    @public
    async def path(request: Request, word: str) -> Any:
        """Fail with the path, the query and the headers in the message, chained."""
        raise Key(str(request.query(Anything))) from Key(f"{word} {request.headers} {request.url}")

    @blueprint.get("/fine/{word}")
    @public
    async def fine(request: Request, word: str) -> Any:
        """Answer."""
        return reply(None)

    module = ModuleType("canary")
    module.register_blueprints = hookimpl(lambda: [blueprint])  # type: ignore[attr-defined]
    return module


@dataclass
class Logged:
    """An application whose log lines can be read."""

    app: Running
    stream: io.StringIO
    answers: list[Answer]

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    async def line_of(self, answer: Answer) -> dict[str, Any]:
        wanted = answer.headers["X-Request-Id"]

        def find() -> dict[str, Any] | None:
            found = [line for line in self.lines if line.get("request_id") == wanted and line["message"] == "request"]
            return found[0] if found else None

        line: dict[str, Any] = await eventually(find)
        return line


@pytest.fixture(scope="module")
async def logged(stack: Settings) -> AsyncIterator[Logged]:
    stream = io.StringIO()
    writer = LogWriter(stream)
    writer.start()
    handler = QueueHandler(writer)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    answers: list[Answer] = []
    try:
        async with running_app(settings_for_tests(stack), plugins=[canary_plugin()], log=writer) as app:
            app.client.on_answer = lambda method, path, answer: answers.append(answer)
            yield Logged(app, stream, answers)
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        writer.close()


async def test_each_request_is_one_line_with_id_route_owner_status_and_time(logged: Logged) -> None:
    user = await logged.app.client.new_user()
    answer = await user.get("/agents", params={"search": "x"}, headers={"X-Request-Id": "mine-1"})
    line = await logged.line_of(answer)
    assert line.keys() == {
        *("time", "level", "logger", "message", "request_id", "method", "route", "owner", "status", "ms", "code")
    }
    assert line["time"].endswith("Z")
    assert 0 < line["ms"] < 10_000
    expected = {"request_id": "mine-1", "method": "GET", "route": "/agents", "owner": user.user["id"], "status": 200}
    assert {name: line[name] for name in expected} == expected


async def test_the_line_has_the_routes_template_not_the_path(logged: Logged) -> None:
    user = await logged.app.client.new_user()
    line = await logged.line_of(await user.get("/agents/018d54c2-0000-7000-8000-000000000000"))
    assert (line["route"], line["status"], line["code"]) == ("/agents/{agent_id}", 404, "AGENT_001")


async def test_a_request_without_a_route_or_a_caller_is_logged_too(logged: Logged) -> None:
    line = await logged.line_of(await logged.app.client.get(f"/nope/{CANARIES['phone number']}"))
    assert (line["route"], line["owner"], line["status"], line["code"]) == ("-", None, 404, "REQUEST_004")


async def test_no_secret_of_any_request_stands_in_a_log_line_or_an_error_body(logged: Logged) -> None:
    user = await logged.app.client.new_user()
    del logged.answers[:]
    for number, canary in enumerate(CANARIES.values()):
        await _plant(logged.app.client, user, canary, number)
    last = await logged.app.client.get("/canary/fine/end")
    await logged.line_of(last)
    assert len(logged.answers) > 150
    statuses = {answer.status for answer in logged.answers}
    assert {200, 400, 401, 404, 405, 422, 500} <= statuses
    text = logged.stream.getvalue()
    assert text.count("Key (text)=") >= len(CANARIES)  # errors are told, without what was sent
    assert [line for line in logged.lines if _tells(line)] == []
    failed = [answer.content.decode() for answer in logged.answers if answer.status >= 400]
    assert [body for body in failed if any(trace in body for trace in TRACES)] == []


async def _plant(anonymous: Client, user: Client, canary: str, number: int) -> None:
    fields = ("email", "password", "first_name", "last_name", "phone_number", "status", "transcript", "search", "text")
    credentials: list[dict[str, str]] = [
        {"Authorization": f"Bearer {canary}"},
        {"Authorization": f"Basic {canary}"},
        {"Authorization": canary},
        {"X-API-Key": canary},
        {"Cookie": f"session={canary}"},
        {"Referer": canary, "User-Agent": canary, "X-Forwarded-For": canary, "Accept": canary, "Prefer": canary},
        {"If-None-Match": canary, "If-Match": canary, "Idempotency-Key": canary},
    ]
    for headers in credentials:
        for path in ("/agents", "/canary/path/x", "/auth/me", "/health"):
            await anonymous.get(path, headers=headers)
        await anonymous.post("/auth/refresh-token", headers=headers)
    body = dict.fromkeys(fields, canary)
    for path in ("/auth/register", "/auth/login", "/auth/change-password", "/auth/api-keys", "/agents", "/call-logs"):
        await user.post(path, body)
        await anonymous.post(path, body=canary.encode(), headers={"Content-Type": canary})
    for name in fields:
        for path in ("/agents", "/call-logs", "/canary/path/x", "/auth/api-keys"):
            await user.get(path, params={name: canary})
    await anonymous.post("/auth/login", {"email": canary, "password": canary})
    await anonymous.post("/auth/login", {"email": user.user["email"], "password": canary})
    mine = {"email": f"user-{number}@example.com", "password": PASSWORD, "first_name": canary, "last_name": [canary]}
    await anonymous.post("/auth/register", mine)
    await anonymous.post("/canary/body", {"text": canary})
    await anonymous.post("/canary/body", {"text": "x", "number": canary}, params={"text": canary})
    from urllib.parse import quote

    for path in ("/canary/path", "/agents", "/call-logs", "/nope"):
        await user.get(f"{path}/{quote(canary, safe='')}?text={quote(canary)}")
    await user.delete(f"/canary/path/{quote(canary, safe='')}")
    if canary != CANARIES["password"]:  # an id is repeated by design; what has the form of a secret is not
        await anonymous.get("/health", headers={"X-Request-Id": canary})


def _tells(line: dict[str, Any]) -> bool:
    told = {name: value for name, value in line.items() if name not in ("logger", "plugin", "route")}
    text = json.dumps(told, ensure_ascii=False).replace("/canary/", "").replace("test_logging", "")
    return any(trace in text.replace("canary_plugin", "") for trace in TRACES)


@pytest.mark.parametrize("kind", [kind for kind in CANARIES if kind != "password"])
@pytest.mark.parametrize("around", ["{}", "a={} b", "'{}'", '{{"x": "{}"}}', "x:{}", "({})", "<{}>", "{},{}", "q%20{}"])
def test_a_secret_is_known_by_its_form_wherever_it_stands(kind: str, around: str) -> None:
    """A password has none: it is known by its name, or because the client sent it."""
    text = redact(around.replace("{{", "{").replace("}}", "}").replace("{}", CANARIES[kind]))
    assert "0123456789" not in text.replace("[key]", "")
    for secret in ("canarysignature", "canary-p", "ss@", "canary0badcafe", "canary%2F1", "5550001", "canary.person"):
        assert secret not in text


@pytest.mark.parametrize(
    "name", ["password", "new_password", "jwt_secret", "access_token", "Authorization", "api_key", "phone", "dsn"]
)
def test_a_field_with_a_telling_name_is_never_shown(name: str) -> None:
    assert redact({"outer": [{name: "anything"}]}) == {"outer": [{name: "[redacted]"}]}
    if name in ("password", "jwt_secret", "api_key"):
        assert "anything" not in redact(f'{name}=anything; {name}: \'anything\' {{"{name}": "anything"}}')


def test_what_is_no_text_is_redacted_as_the_text_that_it_becomes() -> None:
    class Odd:
        def __repr__(self) -> str:
            return CANARIES["API key"]

    for value in (Odd(), ValueError(CANARIES["e-mail"]), CANARIES["API key"].encode(), {CANARIES["e-mail"]: 1}):
        assert "canary" not in json.dumps(redact({"x": value}))
    assert redact({"n": 1, "f": 1.5, "b": True, "none": None}) == {"n": 1, "f": 1.5, "b": True, "none": None}


@pytest.mark.parametrize("piece", ["a", "eyJaaaaa", "a://b:", "a@", "+1", "password=", "vk_", "%40", "Bearer "])
def test_a_hostile_text_of_a_megabyte_is_cut_and_costs_no_time(piece: str) -> None:
    began = time.thread_time()  # not by the clock, which goes on while others compute
    text = redact(piece * (1_000_000 // len(piece)))
    assert time.thread_time() - began < 1
    assert len(text) <= 20_000


@given(st.recursive(st.text() | st.integers() | st.floats() | st.none() | st.binary(), st.lists))
def test_any_value_can_be_logged_in_both_formats(value: Any) -> None:
    stream = io.StringIO()
    for text in (False, True):
        writer = LogWriter(stream, text=text)
        handler = QueueHandler(writer)
        handler.emit(_record("%s", value, extra=value))
        writer.close()
        writer._flush()
    first, *rest = stream.getvalue().split("\n")
    assert json.loads(first)["level"] == "error"
    assert rest


def test_lone_surrogates_huge_numbers_and_wrong_arguments_do_not_end_the_thread() -> None:
    class Refuses:
        def __str__(self) -> str:
            raise RuntimeError("no")

    with _writer() as (writer, stream):
        handler = QueueHandler(writer)
        for record in (
            _record("\ud800", extra="\udfff"),
            _record("%s", 1, extra=2**70),
            _record("%d", "no number"),
            _record("x", extra=Refuses()),
            _record("the end"),
        ):
            handler.emit(record)
    messages = [json.loads(line)["message"] for line in stream.getvalue().splitlines()]
    assert messages == [
        "\ud800",
        "1",
        "%d (with arguments that do not fit)",
        "a log line cannot be written: RuntimeError",
        "the end",
    ]


def test_text_is_one_line_for_people_and_the_trace_below_it() -> None:
    with _writer(text=True) as (writer, stream):
        writer.put(ours.Access(0.0, "id-1", "GET", "/agents", None, 200, 0.0123, None))
        record = _record("failed")
        record.exc_info = (ValueError, error := ValueError("boom"), error.__traceback__)
        writer.put(record)
    first, second, trace = stream.getvalue().splitlines()
    assert first == "00:00:00.000 info    request request_id=id-1 method=GET route=/agents status=200 ms=12.3"
    assert second.endswith(" error   failed")
    assert trace == "ValueError: boom"


class Stalled(io.StringIO):
    """A stream whose reader has stopped reading."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = threading.Event()
        self.entered = threading.Event()

    def write(self, text: str) -> int:
        self.entered.set()
        assert self.reading.wait(2 * PATIENCE)
        return super().write(text)


def test_when_the_reader_stalls_lines_are_dropped_counted_and_told_of_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours, "MOST_QUEUED", 10)
    stream = Stalled()
    writer = LogWriter(stream)
    writer.start()
    writer.put(_record("first"))
    assert stream.entered.wait(PATIENCE)
    started = time.perf_counter()
    for number in range(100):
        writer.put(_record(f"line {number}"))
    assert time.perf_counter() - started < PATIENCE, "a request never waits for the log"
    assert writer.dropped == 90
    stream.reading.set()
    writer.close()
    lines = [json.loads(line)["message"] for line in stream.getvalue().splitlines()]
    assert lines == ["first", *(f"line {number}" for number in range(10)), "90 log lines were dropped"]


def test_lines_that_nobody_reads_any_more_are_counted() -> None:
    stream = io.StringIO()
    stream.close()
    writer = LogWriter(stream)
    writer.start()
    writer.put(_record("lost"))
    writer.close()
    assert writer.dropped == 1
    assert not writer.is_alive()


def test_the_thread_writes_what_is_left_and_ends() -> None:
    with _writer() as (writer, stream):
        for number in range(1000):
            writer.put(_record(str(number)))
    assert len(stream.getvalue().splitlines()) == 1000
    assert not writer.is_alive()
    assert "log writer" not in {thread.name for thread in threading.enumerate() if thread is writer}


def test_all_logging_goes_through_one_handler_and_sanics_own_is_silenced() -> None:
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    try:
        writer = ours.setup_logging("info", "json", stream)
        logging.getLogger("other.package").info("heard")
        logging.getLogger("other.package").debug("not heard")
        logging.getLogger("sanic.access").info("not heard")
        writer.close()
    finally:
        root.handlers[:], root.level = handlers, level
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["heard"]


@given(st.text(min_size=6, alphabet=st.characters(exclude_categories=["Cs"])))
def test_what_stands_anywhere_in_a_request_is_known_as_sent(text: str) -> None:
    from urllib.parse import quote

    found = sent_values([f"Bearer {text}"], f"/a/{quote(text, safe='')}", f"q={quote(text)}", b"not JSON")
    assert text in found
    body = json.dumps({"a": [{"b": text}]}).encode()
    assert text in sent_values([], "/", "", body)
    assert text in sent_values([], "/", "", body + b"\n" + body)
    assert sent_values([], "/short", "a=b", b'{"a": "tiny"}') == []


@pytest.mark.parametrize("body", [b"", b"[" * 100_000, b"\xff", b'"\\ud800"', b"1" * 5000])
def test_a_body_that_cannot_be_decoded_carries_nothing(body: bytes) -> None:
    assert sent_values([], "/", "", body) == []


def _record(message: str, *arguments: Any, extra: Any = None) -> logging.LogRecord:
    record = logging.LogRecord("tests", logging.ERROR, __file__, 1, message, arguments, None)
    if extra is not None:
        record.extra = extra
    return record


class _writer:  # noqa: N801  # used as a function
    def __init__(self, *, text: bool = False) -> None:
        self.stream = io.StringIO()
        self.writer = LogWriter(self.stream, text=text)

    def __enter__(self) -> tuple[LogWriter, io.StringIO]:
        self.writer.start()
        return self.writer, self.stream

    def __exit__(self, *_: object) -> None:
        self.writer.close()
