"""Raw bytes against the parser: what RFC 9112 refuses is answered once and closed, what it allows is served.

Every case runs against a server process, with Sanic's own methods rewritten at start (TOUCHUP) and as they are.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

RAW_APP = Path(__file__).with_name("raw_app.py")
PATIENCE = 10.0  # no answer in this test may take so long; only a failure waits for it
SMUGGLED = b"GET /echo?smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
FUZZ = settings(
    max_examples=250,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


@contextmanager
def server(log: Path, **options: Any) -> Iterator[int]:
    """A server process; at its end it must have stopped cleanly and have logged no traceback."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as sock, log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, RAW_APP, str(sock.fileno()), json.dumps(options)],
            pass_fds=[sock.fileno()],
            stdout=output,
            stderr=output,
        )
        port: int = sock.getsockname()[1]
    try:
        answers(port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")  # up
        yield port
    finally:
        process.terminate()
        status = process.wait(PATIENCE)
    assert status == 0
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "touchup"])
def strict(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with server(tmp_path_factory.mktemp("strict") / "log", touchup=request.param) as port:
        yield port


@pytest.fixture(scope="module")
def sanic_alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with server(tmp_path_factory.mktemp("sanic") / "log", plain=True) as port:
        yield port


def answers(port: int, *pieces: bytes, silence: float = PATIENCE) -> list[Answer]:
    """Send, and read until the server closes; `silence` seconds without a byte raise TimeoutError."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                sock.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before it had heard everything
        sock.settimeout(silence)
        return parse(received(sock))


def received(sock: socket.socket) -> bytes:
    data = bytearray()
    try:
        while piece := sock.recv(1 << 16):
            data += piece
    except ConnectionResetError:
        pass
    return bytes(data)


def parse(data: bytes) -> list[Answer]:
    """Take the server's output apart; every answer of these servers has a Content-Length."""
    found = []
    data = data.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        line, *fields = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        size = int(headers["content-length"])
        found.append(Answer(int(line.split()[1]), headers, data[:size]))
        data = data[size:]
    return found


def head(*lines: bytes, first: bytes = b"GET /echo HTTP/1.1", host: bytes = b"Host: a") -> bytes:
    return b"\r\n".join([first, *([host] if host else []), *lines, b"", b""])


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return head(*lines, first=b"POST /echo HTTP/1.1") + body


def chunked(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", body=body)


BAD_HEADS: dict[str, tuple[bytes, set[int]]] = {
    "space before the colon": (post(b"Content-Length : 5", body=b"hello"), {400}),
    "tab before the colon": (head(b"X\t: 1"), {400}),
    "space before a name": (head(first=b"GET /echo HTTP/1.1\r\n X: 1"), {400}),
    "empty name": (head(b": 1"), {400}),
    "no colon": (head(b"Nonsense"), {400}),
    "bracket in a name": (head(b"X(1): 1"), {400}),
    "non-ASCII name": (head("é: 1".encode()), {400}),
    "NUL in a name": (head(b"X\x00Y: 1"), {400}),
    "NUL in a value": (head(b"X: a\x00b"), {400}),
    "escape in a value": (head(b"X: a\x1bb"), {400}),
    "DEL in a value": (head(b"X: a\x7fb"), {400}),
    "vertical tab before chunked": (post(b"Transfer-Encoding: \x0bchunked"), {400}),
    "value that is not UTF-8": (head(b"X: \xff\xfe"), {400}),
    "folded line": (head(b"X: a", b" b"), {400}),
    "folded line with a tab": (head(b"X: a", b"\tb"), {400}),
    "bare LF ends a line": (b"GET /echo HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n", {400}),
    "bare LF everywhere": (b"GET /echo HTTP/1.1\nHost: a\n\n", {400}),
    "bare LF hides a field": (head(b"X: a\nContent-Length: 5"), {400}),
    "bare CR in a value": (head(b"X: a\rb"), {400}),
    "bare CR ends a line": (b"GET /echo HTTP/1.1\rHost: a\r\n\r\n", {400}),
    "CR CR LF": (b"GET /echo HTTP/1.1\r\nHost: a\r\r\n\r\n", {400}),
    "method with a bracket": (head(first=b"GE(T /echo HTTP/1.1"), {400}),
    "method of non-ASCII": (head(first="GÉT /echo HTTP/1.1".encode()), {400}),
    "method too long": (head(first=b"G" * 33 + b" /echo HTTP/1.1"), {400}),
    "no method": (head(first=b" /echo HTTP/1.1"), {400}),
    "two spaces": (head(first=b"GET  /echo HTTP/1.1"), {400}),
    "tab for a space": (head(first=b"GET\t/echo HTTP/1.1"), {400}),
    "space in the target": (head(first=b"GET /ec ho HTTP/1.1"), {400}),
    "space behind the version": (head(first=b"GET /echo HTTP/1.1 "), {400}),
    "control in the target": (head(first=b"GET /echo\x01 HTTP/1.1"), {400}),
    "NUL in the target": (head(first=b"GET /echo\x00 HTTP/1.1"), {400}),
    "non-ASCII target": (head(first="GET /é HTTP/1.1".encode()), {400}),
    "high byte in the target": (head(first=b"GET /\xff HTTP/1.1"), {400}),
    "quote in the target": (head(first=b'GET /" HTTP/1.1'), {400}),
    "angle bracket in the target": (head(first=b"GET /<x> HTTP/1.1"), {400}),
    "fragment in the target": (head(first=b"GET /echo#x HTTP/1.1"), {400}),
    "target without a slash": (head(first=b"GET echo HTTP/1.1"), {400}),
    "target of another scheme": (head(first=b"GET file:///etc/passwd HTTP/1.1"), {400}),
    "absolute target without a host": (head(first=b"GET http:///echo HTTP/1.1"), {400}),
    "star with GET": (head(first=b"GET * HTTP/1.1"), {400}),
    "CONNECT": (head(first=b"CONNECT a:443 HTTP/1.1"), {400}),
    "target of 9 KiB": (head(first=b"GET /" + b"a" * 9216 + b" HTTP/1.1"), {414}),
    "target without end": (b"GET /" + b"a" * 17_000, {414}),
    "no Host": (head(host=b""), {400}),
    "two Hosts": (head(b"Host: b"), {400}),
    "the same Host twice": (head(b"host: a"), {400}),
    "Host with a path": (head(host=b"Host: a/b"), {400}),
    "Host with a user": (head(host=b"Host: u@a"), {400}),
    "Host with a space": (head(host=b"Host: a b"), {400}),
    "two Hosts in HTTP/1.0": (head(b"Host: b", first=b"GET /echo HTTP/1.0"), {400}),
    "two Hosts far apart": (head(*[b"X-%d: 1" % n for n in range(60)], b"HOST: b"), {400}),
    "Content-Length of plus": (post(b"Content-Length: +5", body=b"hello"), {400}),
    "Content-Length of minus": (post(b"Content-Length: -5", body=b"hello"), {400}),
    "Content-Length of a list": (post(b"Content-Length: 5, 5", body=b"hello"), {400}),
    "Content-Length of hex": (post(b"Content-Length: 0x5", body=b"hello"), {400}),
    "Content-Length of Arabic digits": (post("Content-Length: \u0665".encode(), body=b"hello"), {400}),
    "Content-Length with an underscore": (post(b"Content-Length: 1_0", body=b"hello"), {400}),
    "Content-Length with a space": (post(b"Content-Length: 1 0", body=b"hello"), {400}),
    "Content-Length of a fraction": (post(b"Content-Length: 5.0", body=b"hello"), {400}),
    "Content-Length of nothing": (post(b"Content-Length:", body=b"hello"), {400}),
    "Content-Length of 5,000 digits": (post(b"Content-Length: " + b"9" * 5000, body=b"hello"), {400}),
    "two Content-Lengths": (post(b"Content-Length: 5", b"Content-Length: 6", body=b"hello"), {400}),
    "one Content-Length twice": (post(b"Content-Length: 5", b"content-length: 5", body=b"hello"), {400}),
    "Content-Length, then Transfer-Encoding": (
        post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        {400},
    ),
    "Transfer-Encoding, then Content-Length": (
        post(b"transfer-encoding: chunked", b"content-length: 5", body=b"0\r\n\r\n"),
        {400},
    ),
    "two Transfer-Encodings": (post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), {400}),
    "gzip": (post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), {501}),
    "identity": (post(b"Transfer-Encoding: identity"), {501}),
    "chunked twice": (post(b"Transfer-Encoding: chunked, chunked"), {501}),
    "chunked with a parameter": (post(b"Transfer-Encoding: chunked;q=1"), {501}),
    "chunked in quotes": (post(b'Transfer-Encoding: "chunked"'), {501}),
    "xchunked": (post(b"Transfer-Encoding: xchunked"), {501}),
    "Transfer-Encoding in HTTP/1.0": (
        head(b"Transfer-Encoding: chunked", first=b"POST /echo HTTP/1.0") + b"0\r\n\r\n",
        {400},
    ),
    "HTTP/0.9": (head(first=b"GET /echo"), {400}),
    "HTTP/1.2": (head(first=b"GET /echo HTTP/1.2"), {505}),
    "HTTP/2.0": (head(first=b"GET /echo HTTP/2.0"), {505}),
    "HTTP/11": (head(first=b"GET /echo HTTP/11"), {400}),
    "http/1.1": (head(first=b"GET /echo http/1.1"), {400}),
    "HTTP/1.1x": (head(first=b"GET /echo HTTP/1.1x"), {400}),
    "101 lines": (head(*[b"X-%d: 1" % n for n in range(101)]), {431}),
    "4,000 empty fields": (head(*[b"a:"] * 4000), {431}),
    "head of 17 KiB": (head(b"X: " + b"a" * 17_000), {431}),
    "head without end": (b"GET /echo HTTP/1.1\r\nX: " + b"a" * 40_000, {431}),
    "two empty lines first": (b"\r\n\r\n" + head(), {400}),
    "a bare LF first": (b"\n" + head(), {400}),
    "a space first": (b" " + head(), {400}),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400}),
    "TLS handshake": (bytes.fromhex("16030102000100 01fc0303") + bytes(range(64)), {400}),
    "NULs": (bytes(64), {400}),
    "random bytes": (bytes.fromhex("8f3e0aa1d7c45b92ff00137e"), {400}),
    "SOCKS": (b"\x05\x01\x00", {400}),
    "SMTP": (b"EHLO mail.example\r\n\r\n", {400}),
}

BAD_CHUNKS: dict[str, bytes] = {
    "junk behind a chunk": b"5\r\nhelloXX0\r\n\r\n",
    "junk of a line behind a chunk": b"5\r\nhelloXX\r\n0\r\n\r\n",
    "bare LF behind a chunk": b"5\r\nhello\n0\r\n\r\n",
    "bare LF behind a size": b"5\nhello\r\n0\r\n\r\n",
    "bare CR behind a size": b"5\rhello\r\n0\r\n\r\n",
    "size with 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "size with a plus": b"+5\r\nhello\r\n0\r\n\r\n",
    "size with a minus": b"-5\r\nhello\r\n0\r\n\r\n",
    "size with an underscore": b"0_5\r\nhello\r\n0\r\n\r\n",
    "size with a space first": b" 5\r\nhello\r\n0\r\n\r\n",
    "size with a space behind": b"5 \r\nhello\r\n0\r\n\r\n",
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "size of words": b"zz\r\nhello\r\n0\r\n\r\n",
    "size of 17 digits": b"00000000000000005\r\nhello\r\n0\r\n\r\n",
    "size too small": b"4\r\nhello\r\n0\r\n\r\n",
    "extension of 200 bytes": b"5;" + b"a" * 200 + b"\r\nhello\r\n0\r\n\r\n",
    "extension with a bare LF": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "extension with a NUL": b"5;a\x00b\r\nhello\r\n0\r\n\r\n",
    "endless extension": b"5;" + b"a" * 4000,
    "300 chunks of extensions": (b"1;" + b"a" * 120 + b"\r\nx\r\n") * 300 + b"0\r\n\r\n",
    "trailer": b"5\r\nhello\r\n0\r\nX: 1\r\n\r\n",
    "bare LF at the end": b"5\r\nhello\r\n0\r\n\n",
    "smuggled request for a trailer": b"0\r\nGET /echo?smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
}

GOOD: dict[str, tuple[bytes, str]] = {
    "plain": (head(), ""),
    "HTTP/1.0 with keep-alive": (head(b"Connection: keep-alive", first=b"GET /echo HTTP/1.0"), ""),
    "HTTP/1.0 without Host": (head(b"Connection: keep-alive", first=b"GET /echo HTTP/1.0", host=b""), ""),
    "one empty line first": (b"\r\n" + head(), ""),
    "empty Host": (head(host=b"Host:"), ""),
    "Host with a port": (head(host=b"Host: example.org:8000"), ""),
    "Host of IPv6": (head(host=b"hOsT: [::1]:8000"), ""),
    "Host last": (head(b"Accept: */*", b"HOST: a", host=b""), ""),
    "absolute target": (head(first=b"GET http://a/echo HTTP/1.1"), ""),
    "target of 8 KiB": (head(first=b"GET /echo?" + b"a" * 8000 + b" HTTP/1.1"), ""),
    "target with what browsers leave": (head(first=b"GET /echo?a=|{}^`[]\\'* HTTP/1.1"), ""),
    "100 lines": (head(*[b"X-%d: 1" % n for n in range(99)]), ""),
    "head of 15 KiB": (head(b"X: " + b"a" * 15_000), ""),
    "empty value": (head(b"X:"), ""),
    "value with spaces and tabs": (head(b"X: \t a \t b \t"), ""),
    "UTF-8 value": (head("X: größer".encode()), ""),
    "every token character": (head(b"!#$%&'*+-.^_`|~09azAZ: 1"), ""),
    "name like Host": (head(b"X-Host: b", b"Hosts: c", b"Content-Length-X: 7"), ""),
    "body": (post(b"Content-Length: 5", body=b"hello"), "hello"),
    "body with zeros": (post(b"content-length: 0005 ", body=b"hello"), "hello"),
    "body before Host": (
        post(b"Content-Length: 5", b"Host: a", body=b"hello").replace(b"Host: a\r\n", b"", 1),
        "hello",
    ),
    "empty body": (post(b"Content-Length: 0"), ""),
    "body with GET": (head(b"Content-Length: 5") + b"hello", "hello"),
    "body that looks like a request": (post(b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED), SMUGGLED.decode()),
    "Expect": (post(b"Expect: 100-continue", b"Content-Length: 5", body=b"hello"), "hello"),
    "chunks": (chunked(b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"), "hello!"),
    "chunks with Expect": (
        post(b"Expect: 100-continue", b"Transfer-Encoding: chunked", body=b"1\r\n!\r\n0\r\n\r\n"),
        "!",
    ),
    "no chunks": (chunked(b"0\r\n\r\n"), ""),
    "chunk with zeros and letters": (chunked(b"000A\r\n0123456789\r\n00\r\n\r\n"), "0123456789"),
    "chunk with an extension": (chunked(b'5;a=b;c="d e"\r\nhello\r\n0 ; x\r\n\r\n'), "hello"),
    "1,000 chunks": (chunked(b"1\r\nx\r\n" * 1000 + b"0\r\n\r\n"), "x" * 1000),
}
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("name", BAD_HEADS)
def test_a_bad_head_is_answered_once_in_the_applications_form_and_closed(strict: int, name: str) -> None:
    sent, statuses = BAD_HEADS[name]
    (answer,) = answers(strict, sent + SMUGGLED)
    assert answer.status in statuses
    assert answer.headers["connection"] == "close"
    assert json.loads(answer.body)["error"] == answer.status


@pytest.mark.parametrize("name", BAD_HEADS)
def test_a_bad_head_is_refused_the_same_when_it_comes_in_pieces(strict: int, name: str) -> None:
    sent, statuses = BAD_HEADS[name]
    (answer,) = answers(strict, *(sent[at : at + 7] for at in range(0, min(len(sent), 700), 7)), sent[700:], SMUGGLED)
    assert answer.status in statuses | {400}  # what came first may be enough


@pytest.mark.parametrize("name", BAD_CHUNKS)
def test_a_bad_chunk_is_answered_400_and_what_follows_is_never_a_request(strict: int, name: str) -> None:
    (answer,) = answers(strict, chunked(BAD_CHUNKS[name]) + SMUGGLED)
    assert (answer.status, answer.headers["connection"]) == (400, "close")
    assert json.loads(answer.body)["error"] == 400


@pytest.mark.parametrize("name", GOOD)
def test_a_good_request_is_served_and_the_connection_goes_on(strict: int, name: str) -> None:
    sent, body = GOOD[name]
    first, last = answers(strict, sent + LAST)
    assert (first.status, json.loads(first.body)["body"]) == (200, body)
    assert (last.status, last.body) == (200, b"ok")


@pytest.mark.parametrize("name", GOOD)
def test_a_good_request_is_served_when_every_byte_comes_alone(strict: int, name: str) -> None:
    sent, body = GOOD[name]
    start, pieces = sent[:-600], (sent[-600:] if len(sent) > 600 else sent)
    sent_alone = (bytes([byte]) for byte in pieces)
    first, last = answers(strict, *([start] if len(sent) > 600 else []), *sent_alone, LAST)
    assert (first.status, json.loads(first.body)["body"], last.body) == (200, body, b"ok")


def test_star_is_a_target_for_options(strict: int) -> None:
    first, last = answers(strict, head(first=b"OPTIONS * HTTP/1.1") + LAST)
    assert (first.status, last.status) == (200, 200)


def test_pipelined_requests_are_answered_in_turn(strict: int) -> None:
    many = b"".join(head(first=b"GET /echo?%d HTTP/1.1" % n) for n in range(500))
    found = answers(strict, many + chunked(b"2\r\nhi\r\n0\r\n\r\n") + LAST)
    assert [json.loads(answer.body)["query"] for answer in found[:500]] == [str(n) for n in range(500)]
    assert [json.loads(found[500].body)["body"], found[501].body] == ["hi", b"ok"]


def test_a_bad_request_behind_good_ones_ends_the_connection(strict: int) -> None:
    found = answers(strict, head() + post(b"Content-Length: 2", body=b"ok") + head(b"X : 1") + SMUGGLED)
    assert [answer.status for answer in found] == [200, 200, 400]


@pytest.mark.parametrize("length", [b"1048577", b"1000000000000"])
def test_a_body_over_the_limit_is_answered_413_before_it_is_sent(strict: int, length: bytes) -> None:
    (answer,) = answers(strict, post(b"Content-Length: " + length, body=b"x" * 1000))
    assert (answer.status, answer.headers["connection"]) == (413, "close")


def test_chunks_over_the_limit_are_answered_413(strict: int) -> None:
    piece = b"10000\r\n" + bytes(1 << 16) + b"\r\n"
    (answer,) = answers(strict, post(b"Transfer-Encoding: chunked"), *[piece] * 17)
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    (answer,) = answers(strict, chunked(b"FFFFFFFFFFFFFFFF\r\nx"))
    assert answer.status == 413


def test_an_upload_that_is_refused_midway_reads_its_answer_without_a_reset(strict: int) -> None:
    """The rest is taken and thrown away for a moment; closing at once would reset the connection."""
    with socket.create_connection(("127.0.0.1", strict), timeout=PATIENCE) as sock:
        sock.sendall(post(b"Content-Length: 8000000") + bytes(8_000_000))
        data = bytearray()
        while piece := sock.recv(1 << 16):
            data += piece
    (answer,) = parse(bytes(data))
    assert answer.status == 413


TOKEN = st.text(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!#$%&'*+^`|~", min_size=1, max_size=12
)
VALUE = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="\x7f\x85\xa0"), max_size=20)
SPACE = st.sampled_from(["", " ", "  ", "\t"])
TAKEN = {"host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "content-type"}
FIELDS = st.lists(
    st.tuples(TOKEN.filter(lambda name: name.lower() not in TAKEN), SPACE, VALUE).map("{0[0]}:{0[1]}{0[2]}".format),
    max_size=12,
)
QUERY = st.text("abc019-._~!$&'()*+,;=:@/?%[]{}|^`\\", max_size=40)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A valid request for /echo."""
    method = draw(st.sampled_from(["GET", "POST", "PUT"]))
    fields = draw(FIELDS)
    fields.insert(draw(st.integers(0, len(fields))), draw(st.sampled_from(["Host: a", "host:a.b:80", "HOST: [::1]"])))
    body = draw(st.binary(max_size=200))
    framing = draw(st.sampled_from(["none", "length", "chunked"]))
    if framing == "length":
        fields.insert(draw(st.integers(0, len(fields))), f"Content-Length: {len(body)}")
    elif framing == "chunked":
        fields.append("Transfer-Encoding: chunked")
        body = draw(chunks(body))
    else:
        body = b""
    return "\r\n".join([f"{method} /echo?{draw(QUERY)} HTTP/1.1", *fields, "", ""]).encode() + body


@st.composite
def chunks(draw: st.DrawFn, body: bytes) -> bytes:
    out = b""
    while body:
        size = draw(st.integers(1, len(body)))
        form = draw(st.sampled_from([b"%x", b"%X", b"0%x", b"%x;a=b", b"%x;a"]))
        out += form % size + b"\r\n" + body[:size] + b"\r\n"
        body = body[size:]
    return out + b"0\r\n\r\n"


def outcome(port: int, sent: bytes, silence: float) -> list[tuple[int, Any]]:
    """What a server makes of it; for a request that is not finished, nothing."""
    try:
        found = answers(port, sent, silence=silence)
    except TimeoutError:
        return []
    return [(answer.status, re.sub(rb"0x[0-9a-f]+", b"", answer.body)) for answer in found]


@FUZZ
@given(sent=requests())
def test_a_valid_request_has_the_answer_that_sanic_alone_gives(strict: int, sanic_alone: int, sent: bytes) -> None:
    ours = outcome(strict, sent + LAST, PATIENCE)
    assert ours == outcome(sanic_alone, sent + LAST, PATIENCE)
    assert [status for status, _ in ours] == [200, 200]


NASTY = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b" ",
    b"\t",
    b":",
    b"0",
    b"\xff",
    b"\x80",
    b";",
    b"-",
    b"+",
    b"_",
    b"\x0b",
    b"\x85",
]
LINES = [
    b"Content-Length: 3",
    b"Transfer-Encoding: chunked",
    b"Host: b",
    b"Content-Length : 1",
    b" x",
    b"Connection: close",
]
MUTATION = st.tuples(
    st.sampled_from(["insert", "replace", "delete", "double", "line", "cut"]),
    st.integers(0, 10_000),
    st.integers(1, 12),
    st.one_of(st.sampled_from(NASTY), st.binary(min_size=1, max_size=3)),
    st.sampled_from(LINES),
)


def mutated(sent: bytes, mutation: tuple[str, int, int, bytes, bytes]) -> bytes:
    kind, at, size, piece, line = mutation
    at %= len(sent)
    changes: dict[str, Callable[[], bytes]] = {
        "insert": lambda: sent[:at] + piece + sent[at:],
        "replace": lambda: sent[:at] + piece + sent[at + len(piece) :],
        "delete": lambda: sent[:at] + sent[at + size :],
        "double": lambda: sent[: at + size] + sent[at:],
        "line": lambda: sent.replace(b"\r\n", b"\r\n" + line + b"\r\n", 1),
        "cut": lambda: sent[: at + 1],
    }
    return changes[kind]()


@FUZZ
@given(sent=requests(), mutations=st.lists(MUTATION, min_size=1, max_size=3))
def test_a_mutated_request_is_never_a_server_error(strict: int, sent: bytes, mutations: list[Any]) -> None:
    for mutation in mutations:
        sent = mutated(sent, mutation) or b"x"
    for status, _ in outcome(strict, sent, 0.1):
        assert status < 500 or status in {501, 505}


@FUZZ
@given(sent=st.binary(min_size=1, max_size=400))
def test_random_bytes_are_never_a_server_error(strict: int, sent: bytes) -> None:
    assert all(status in {400, 505} for status, _ in outcome(strict, sent + b"\r\n\r\n", 0.1))


def test_after_all_that_no_connection_and_no_task_is_left(strict: int) -> None:
    (answer,) = answers(strict, b"GET /stats HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    stats = json.loads(answer.body)
    assert stats["open"] <= 10  # those that linger for two seconds
    assert stats["tasks"] <= 12
