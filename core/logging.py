"""Log lines: JSON (or text), from a queue that a thread writes out in batches, redacted.

A request costs the event loop some microseconds; the thread, which wakes 20 times a second and not once a line,
formats everything else, and writes.
"""

from __future__ import annotations

import json
import logging
import queue
import re
import sys
import threading
import time
import traceback
from datetime import UTC, datetime
from typing import Any, NamedTuple, TextIO

import orjson

FLUSH_SECONDS = 0.05
MOST_QUEUED = 100_000
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
SECRET_NAMES = re.compile(
    r"pass(word|wd)?|secret|token|authorization|api_?key|credential|phone|dsn|cookie", re.IGNORECASE
)
# Each begins at a word's start or has a bound, so that a long text costs no more than its length.
SECRET_VALUES = (
    (re.compile(r"eyJ[\w-]{5,}\.[\w-]+\.[\w-]*"), "[token]"),
    (re.compile(r"v[kr]_[\w-]{8,}"), "[key]"),
    (re.compile(r"(?i)\b(bearer|basic)(?: +|%20)[\w.~+/=-]{8,}"), r"\1 [token]"),
    (re.compile(r"(?<!\w)(\w+://[^\s:/@]*):\S+@"), r"\1:[secret]@"),
    (re.compile(r"(?i)(X-Amz-(?:Signature|Credential|Security-Token))(?:=|%3D)[^&\s\"]+"), r"\1=[secret]"),
    (re.compile(r"(?i)((?:password|passwd|secret|api_?key)[\"']?\s?[=:]\s?[\"']?)[^\s&\"',;})\]]+"), r"\1[secret]"),
    (re.compile(r"(?:\+|%2[Bb])\d{7,}"), "[phone]"),
    (re.compile(r"(?<![\w.%+-])[\w.%+-]+(?:@|%40)[\w-]+\.[\w.-]+"), "[email]"),
)
MOST_TEXT = 16_000  # characters of one value
PLAIN = (int, float, bool, type(None))
REDACTED = "[redacted]"


def redact(value: Any, name: str = "") -> Any:
    """Return a value safe to log: secrets and personal data replaced, by field name and by form."""
    if name and SECRET_NAMES.search(name):
        return REDACTED
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, dict):
        return {_redacted(str(key)): redact(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item) for item in value]
    return _redacted(str(value))


def _redacted(text: str) -> str:
    text = _cut(text, MOST_TEXT)
    for pattern, replacement in SECRET_VALUES:
        text = pattern.sub(replacement, text)
    return text


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 2 :]}"


class LogWriter(threading.Thread):
    """The thread that formats and writes. `put` takes a log record, or what is to be said of a request."""

    def __init__(self, stream: TextIO, *, text: bool = False) -> None:
        super().__init__(name="log writer", daemon=True)
        self._stream = stream
        self._format = as_text if text else as_json
        self._format_access = access_text if text else access_json
        self._queue: queue.SimpleQueue[logging.LogRecord | str] = queue.SimpleQueue()
        self._closing = threading.Event()
        self.dropped = 0
        self._told = 0

    def put(self, line: logging.LogRecord | Access) -> None:
        """Queue a line; when the reader of our output has stalled and 100,000 lines wait, it is dropped and counted."""
        if self._queue.qsize() >= MOST_QUEUED:
            self.dropped += 1
        elif isinstance(line, Access):
            # Here and not in the thread: the loop would have to wait for the thread's turn to end, and that costs more.
            self._queue.put(self._format_access(line))
        else:
            self._queue.put(line)

    def run(self) -> None:
        """Write what has come, in one write a turn, until closed."""
        while not self._closing.wait(FLUSH_SECONDS):
            self._flush()
        self._flush()

    def close(self) -> None:
        """Write what is left and end the thread."""
        self._closing.set()
        if self.is_alive():
            self.join(timeout=2)

    def _flush(self) -> None:
        lines = [self._line(self._queue.get()) for _ in range(self._queue.qsize())]
        if self.dropped > self._told:
            lines.append(self._format(_own_line(f"{self.dropped - self._told} log lines were dropped")))
            self._told = self.dropped
        if lines:
            try:
                self._stream.write("".join(lines))
                self._stream.flush()
            except (OSError, ValueError):  # nobody reads any more
                self.dropped += len(lines)

    def _line(self, line: logging.LogRecord | str) -> str:
        """Format a line; one that cannot be must not end the thread, and all logging with it."""
        try:
            return line if isinstance(line, str) else self._format(fields_of(line))
        except Exception as error:
            return self._format(_own_line(f"a log line cannot be written: {type(error).__name__}"))


class QueueHandler(logging.Handler):
    """Hands records of the standard logging to the writer."""

    def __init__(self, writer: LogWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record, its message already merged with its arguments."""
        try:
            record.msg = record.getMessage()
        except Exception:  # wrong arguments are no reason to fail the caller
            record.msg = f"{record.msg} (with arguments that do not fit)"
        record.args = None
        self._writer.put(record)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """The fields of a log line, redacted: time, level, logger, message, what `extra` gave, the trace of an error."""
    fields: dict[str, Any] = {
        "time": stamp(record.created),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": redact(record.getMessage()),
    }
    fields |= {
        name: redact(value, name) for name, value in vars(record).items() if name not in STANDARD and name[0] != "_"
    }
    if record.exc_info and record.exc_info[1] is not None:
        text = "".join(traceback.format_exception(record.exc_info[1]))
        if sent := vars(record).get("_sent"):
            text = _cut(text, 4 * MOST_TEXT)
            for value in sent():
                text = text.replace(value, "[sent]")
        fields["error"] = redact(text)
    return fields


def _own_line(message: str) -> dict[str, Any]:
    return {"time": stamp(time.time()), "level": "warning", "logger": "voicera.logging", "message": message}


def as_json(fields: dict[str, Any]) -> str:
    """One line of JSON."""
    try:
        return orjson.dumps(fields, default=str, option=orjson.OPT_APPEND_NEWLINE).decode()
    except TypeError:  # lone surrogates, integers over 64 bits
        return json.dumps(fields, default=str) + "\n"


def as_text(fields: dict[str, Any]) -> str:
    """One line for people, the trace of an error below it."""
    rest = dict(fields)
    head = f"{rest.pop('time')[11:23]} {rest.pop('level'):7} {rest.pop('message')}"
    trace = rest.pop("error", None)
    rest.pop("logger", None)
    tail = " ".join(f"{name}={value}" for name, value in rest.items() if value is not None)
    text = f"{head} {tail}".rstrip() + "\n" + (f"{trace}".rstrip() + "\n" if trace else "")
    return text.encode(errors="backslashreplace").decode()  # lone surrogates would fail the whole batch


class Access(NamedTuple):
    """One answered request, as the event loop hands it over: never its path parameters, query, body or headers."""

    at: float
    request_id: str
    method: str
    route: str
    owner: object
    status: int
    seconds: float
    code: str | None


def access_fields(line: Access) -> dict[str, Any]:
    """The fields of the log line of a request; made in the writer's thread."""
    return {
        "time": stamp(line.at),
        "level": "info",
        "logger": "voicera.access",
        "message": "request",
        "request_id": line.request_id,
        "method": line.method[:16],
        "route": line.route,
        "owner": None if line.owner is None else str(line.owner),
        "status": line.status,
        "ms": round(line.seconds * 1000, 2),
        "code": line.code,
    }


def access_json(line: Access) -> str:
    """The JSON line of a request, put together by hand: every text in it is known to need no escaping.

    The route is ours, the id and the method were checked when the request was parsed.
    """
    owner = "null" if line.owner is None else f'"{line.owner}"'
    code = "null" if line.code is None else f'"{line.code}"'
    return (
        f'{{"time":"{stamp(line.at)}","level":"info","logger":"voicera.access","message":"request",'
        f'"request_id":"{line.request_id}","method":"{line.method[:16]}","route":"{line.route}","owner":{owner},'
        f'"status":{line.status},"ms":{line.seconds * 1000:.2f},"code":{code}}}\n'
    )


def access_text(line: Access) -> str:
    """The line of a request for people."""
    return as_text(access_fields(line))


def stamp(moment: float) -> str:
    """Seconds since 1970 as UTC, RFC 3339, milliseconds."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")[:23] + "Z"


def setup_logging(level: str, form: str, stream: TextIO | None = None) -> LogWriter:
    """Send all logging through one writer to `stream` (standard error); return it, to be closed at the end."""
    target = stream or sys.stderr
    writer = LogWriter(target, text=form == "text" or (form == "auto" and target.isatty()))
    writer.start()
    root = logging.getLogger()
    root.handlers[:] = [QueueHandler(writer)]
    root.setLevel(level.upper())
    for name in ("sanic.root", "sanic.error", "sanic.access", "sanic.server", "sanic.websockets"):
        theirs = logging.getLogger(name)
        theirs.handlers[:] = []
        theirs.propagate = True
        theirs.setLevel(logging.WARNING)
    for name in ("botocore", "aiobotocore", "asyncio", "coredis"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return writer
