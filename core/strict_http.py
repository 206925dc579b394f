"""An HTTP/1.1 parser that refuses what RFC 9112 refuses, in front of Sanic's own, which accepts it.

Two parsers that read the same bytes differently are what request smuggling is made of, so a head is checked
as raw bytes before Sanic sees it, and a chunked body is read here. Whatever is wrong is answered once (400,
or 414, 431, 501, 505), and the connection is closed: what follows in the buffer is never taken for a request.
"""

from __future__ import annotations

import re
from asyncio import sleep
from typing import Any

from sanic.exceptions import BadRequest, SanicException
from sanic.http import Http

MAX_HEAD = 16 * 1024
MAX_TARGET = 8 * 1024
MAX_LINES = 100
MAX_CHUNK_LINE = 160  # CRLF, 16 hex digits, extensions, CRLF
TURN = 256  # chunks after which other connections have their turn, for those who send a byte in each
MAX_FRAMING = 16 * 1024  # chunk lines may outweigh their data by so much in all

CRLF = b"\r\n"
END = b"\r\n\r\n"

TCHAR = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"  # RFC 9110 5.6.2
# RFC 9112 3.2: origin and absolute form, and `*` for OPTIONS. Of what RFC 3986 leaves out, only what every browser
# encodes is refused (white space, controls, `"`, `<`, `>`, and `#`, which never goes over the wire).
TARGET = rb"(?:/|[Hh][Tt][Tt][Pp][Ss]?://(?=[0-9A-Za-z\[])|(?<=^OPTIONS )\*(?= ))[!$-;=?-~]{0,%d}+" % MAX_TARGET
# RFC 9112 5: no space before the colon, no obs-fold, no bare CR or LF; RFC 9110 5.5: no NUL nor other controls.
FIELD = TCHAR + rb"++:[\t\x20-\x7e\x80-\xff]*+\r\n"
# Possessive quantifiers: a head that does not match is given up without trying its parts again.
HEAD = re.compile(TCHAR + rb"{1,32}+ " + TARGET + rb" HTTP/1\.([01])\r\n(?:" + FIELD + rb"){0,%d}+" % MAX_LINES)

FRAMING = re.compile(rb"\n(host|content-length|transfer-encoding):([^\r]*)", re.IGNORECASE)
HOST = re.compile(rb"[\t ]*(?:\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._~%!$&'()*+,;=-]*)(?::[0-9]{0,5})?[\t ]*")  # RFC 9110 7.2
LENGTH = re.compile(rb"[\t ]*[0-9]{1,18}[\t ]*")  # RFC 9110 8.6: digits of ASCII only; 18 fit in 64 bits
CHUNKED = re.compile(rb"[\t ]*chunked")  # nothing else and nothing behind it: Sanic compares the very word

# What nearly every client sends: HTTP/1.1, one Host, at most one Content-Length and that after it, all ASCII, few
# lines. A head that matches has passed every check, in a microsecond; the others are taken apart by check_head().
OTHERS = rb"(?:(?!(?i:host|content-length|transfer-encoding):)%s++:[\t\x20-\x7e]*+\r\n){0,32}+" % TCHAR
ORDINARY = re.compile(
    rb"%s{1,32}+ %s HTTP/1\.1\r\n%s[Hh]ost:%s\r\n%s(?:[Cc]ontent-[Ll]ength:%s\r\n%s)?\r\n"
    % (TCHAR, TARGET, OTHERS, HOST.pattern, OTHERS, LENGTH.pattern, OTHERS)
)

REQUEST_LINE = re.compile(TCHAR + rb"+ ([!-~]+) HTTP/([0-9])\.([0-9])")
NEVER = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|\Z)")  # in no head, however it goes on
START = re.compile(TCHAR + rb"|\r?\Z")
CHUNK = re.compile(rb"\r\n([0-9A-Fa-f]{1,16})(?:[\t ]{0,8};[\t\x20-\x7e]{0,128})?\r\n")  # RFC 9112 7.1


def _error(message: str, status: int) -> SanicException:
    """An answer other than 400; quiet, because a client's mistake is no traceback in our log."""
    return SanicException(message, status_code=status, quiet=True)


def check_head(head: bytearray) -> None:
    """Raise unless `head` (with the CRLF of its last line, without the empty line) is a valid request head."""
    match = HEAD.fullmatch(head)
    if match is None:
        raise _diagnosis(head)
    if not head.isascii():
        _check_text(head)
    _check_framing(FRAMING.findall(head), http10=match[1] == b"0")


def _check_text(head: bytearray) -> None:
    """Sanic turns bytes that are not UTF-8 into lone surrogates, which no answer, log or database can take."""
    try:
        head.decode()
    except UnicodeDecodeError:
        raise BadRequest("The header fields are not UTF-8.") from None


def _check_framing(fields: list[tuple[bytes, bytes]], *, http10: bool) -> None:
    """Where the body ends must be said exactly once: RFC 9112 6.1 to 6.3, and 3.2 for Host."""
    values: dict[bytes, list[bytes]] = {b"host": [], b"content-length": [], b"transfer-encoding": []}
    for name, value in fields:
        values[name.lower()].append(value)
    hosts, lengths, encodings = values.values()
    if len(hosts) > 1 or not (hosts or http10):
        raise BadRequest("A request has exactly one Host.")
    if hosts and HOST.fullmatch(hosts[0]) is None:
        raise BadRequest("The Host is malformed.")
    if len(lengths) + len(encodings) > 1:
        raise BadRequest("A request has one Content-Length or one Transfer-Encoding.")
    if lengths and LENGTH.fullmatch(lengths[0]) is None:
        raise BadRequest("The Content-Length is not a number.")
    if encodings and http10:
        raise BadRequest("HTTP/1.0 has no Transfer-Encoding.")
    if encodings and CHUNKED.fullmatch(encodings[0]) is None:
        raise _error("The only Transfer-Encoding served is chunked.", 501)


def _diagnosis(head: bytearray) -> SanicException:
    """Say why a head was refused; off the hot path."""
    if head.count(CRLF) > MAX_LINES + 1:
        return _error(f"A request has at most {MAX_LINES} header lines.", 431)
    line = head[: head.find(CRLF)]
    match = REQUEST_LINE.fullmatch(line)
    if match is None or (match[1] == b"*" and not line.startswith(b"OPTIONS ")):
        return BadRequest("The request line is malformed.")
    if len(match[1]) > MAX_TARGET:
        return _error(f"The request target is longer than {MAX_TARGET} bytes.", 414)
    if match[2] != b"1" or match[3] not in (b"0", b"1"):
        return _error("The HTTP versions served are 1.1 and 1.0.", 505)
    return BadRequest("The request target or a header line is malformed.")


def _check_unfinished(buf: bytearray, start: int) -> None:
    """Refuse bytes that no further byte can turn into a head, such as a TLS handshake, without waiting for more."""
    if NEVER.search(buf, max(0, start - 1)) or not START.match(buf):
        raise BadRequest("This is no HTTP/1.1 request head.")
    if len(buf) > MAX_TARGET + 64 and CRLF not in buf[: MAX_TARGET + 64]:
        raise _error(f"The request target is longer than {MAX_TARGET} bytes.", 414)
    if len(buf) >= MAX_HEAD + len(END):
        raise _error(f"The request head is larger than {MAX_HEAD} bytes.", 431)


class StrictHttp(Http):
    """One connection's HTTP. It counts its heads, and remembers when its input cannot be trusted any more."""

    __slots__ = ("_chunks", "_framing", "heads", "refused")

    protocol: Any  # a GuardedProtocol; Sanic's annotation is narrower
    request_body: Any  # None, True or "chunked", whatever Sanic's annotation says

    HEADER_MAX_SIZE = MAX_HEAD + len(END)  # Sanic's own limit answers 413; ours has been checked before it

    def __init__(self, protocol: Any) -> None:
        super().__init__(protocol)  # type: ignore[no-untyped-call]  # Sanic's constructor is not annotated
        self.heads = 0
        self.refused = False
        self._framing = 0
        self._chunks = 0
        self.request_body = None  # the guard may look before the first request

    async def http1(self) -> None:
        """Serve the connection; after a refusal let the client read the answer before the socket is closed."""
        await super().http1()  # type: ignore[no-untyped-call]
        if self.refused or self.request_body:
            await self.protocol.linger()

    async def http1_request_header(self) -> None:
        """Check the raw head, then let Sanic parse it."""
        self.heads += 1
        try:
            match = ORDINARY.match(self.recv_buffer)
            if match is None or match.end() > MAX_HEAD + len(END):
                await self._check_head(self.recv_buffer)
            await super().http1_request_header()  # type: ignore[no-untyped-call]
        except SanicException:
            self.refused = True
            raise

    async def _check_head(self, buf: bytearray) -> None:
        """Wait for the whole head, and check it."""
        seen, skipped = 0, False
        while True:
            if not skipped and buf.startswith(CRLF):  # RFC 9112 2.2: one empty line before the request line is ignored
                del buf[:2]
                seen, skipped = 0, True
            end = buf.find(END, max(0, seen - 3), MAX_HEAD + len(END))
            if end >= 0:
                return check_head(buf[: end + 2])
            _check_unfinished(buf, seen)
            seen = len(buf)
            await self._receive_more()

    async def read(self) -> bytes | None:
        """Return the next piece of the body, None at its end. Chunk lines are read here, the data by Sanic."""
        if self.refused:  # also for a handler that caught the first exception: half a body is never a whole one
            raise BadRequest("The request body did not arrive.")
        if self.request_body == "chunked" and not self.request_bytes_left:
            if self.expecting_continue:
                self.expecting_continue = False
                await self._send(b"HTTP/1.1 100 Continue\r\n\r\n")
            if not await self._next_chunk(self.recv_buffer):
                self.request_body = None
                return None
        return await super().read()

    async def _next_chunk(self, buf: bytearray) -> int:
        """Take one chunk line, with the CRLF that ends the head or the chunk before it; return the chunk's size."""
        self._chunks += 1
        if not self._chunks % TURN:
            await sleep(0)
        while (match := CHUNK.match(buf)) is None:
            if buf[:2] != CRLF[: len(buf)] or b"\n" in buf[2:MAX_CHUNK_LINE] or len(buf) >= MAX_CHUNK_LINE:
                raise self._refusal("A chunk is malformed.")
            await self._receive_more()
        size = int(match[1], 16)
        line = match.end()
        del buf[:line]
        if not size:
            await self._last_chunk(buf)
            return 0
        received = self.request_bytes or 0
        # Tiny chunks with long extensions are work without a body; what Go's net/http allows is allowed here.
        self._framing = max(0, (self._framing if received else 0) + line - 16 - 2 * size)
        if self._framing > MAX_FRAMING:
            raise self._refusal("The chunks have too little data in them.")
        self.request_bytes = received + size
        self.request_bytes_left = size
        return size

    async def _last_chunk(self, buf: bytearray) -> None:
        """Take the empty line; a trailer (RFC 9112 7.1.2) would change a head that has been checked, and is refused."""
        while len(buf) < 2 and buf == CRLF[: len(buf)]:
            await self._receive_more()
        if buf[:2] != CRLF:
            raise self._refusal("Trailers are not accepted.")
        del buf[:2]

    def _refusal(self, message: str) -> BadRequest:
        """From here on nothing in the buffer can be trusted to begin a request."""
        self.keep_alive = False
        self.refused = True
        return BadRequest(message)
