"""Bodies that are read as they come, piece by piece, with gzip (RFC 1952) and zstd (RFC 8878) undone."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import zstandard

from core.errors import BadRequest, BodyTooLarge

if TYPE_CHECKING:
    from core.http.request import Request

PIECE = 256 << 10
SLICE = 512
GZIP = 16 + zlib.MAX_WBITS
MOST_WINDOW = 8 << 20  # what RFC 8878 asks every decoder to accept; more would be memory that the sender chooses


async def pieces(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body, decoded, piece by piece; at most `limit` bytes before and after decoding.

    The time that the client takes does not count against the route's deadline. Raises BodyTooLarge, and BadRequest
    for an encoding that is not known here or data that does not keep to it.
    """
    encoding = request.headers.getone("content-encoding", "identity").strip().lower()
    if encoding not in DECODERS:
        raise BadRequest(f"the content encoding must be {', '.join(DECODERS)}")
    decoder = DECODERS[encoding]()
    came = gave = 0
    async for data in _raw(request, limit):
        came += len(data)
        if came > limit:
            raise too_large(limit)
        for piece in decoder.feed(data):
            gave += len(piece)
            if gave > limit:
                raise too_large(limit)
            yield piece
    decoder.finish()


def too_large(limit: int) -> BodyTooLarge:
    """The error for a body of more than `limit` bytes."""
    return BodyTooLarge(f"the limit is {limit} bytes")


async def _raw(request: Request, limit: int) -> AsyncIterator[bytes]:
    stream: Any = request.stream  # StrictHttp; Sanic's annotation is the base class
    if stream is None or not stream.request_body:
        if request.body:  # read before, for its fingerprint
            yield request.body
        return
    if (announced := stream.request_bytes_left) and announced > limit:
        raise too_large(limit)
    while stream.request_body:
        with request.clock_stopped():
            data = await stream.read()
        if data:
            yield data


class Decoder(Protocol):
    """Undoes a content encoding."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give what these bytes decode to, piece by piece; raises BadRequest where they cannot be decoded."""
        ...

    def finish(self) -> None:
        """Raise BadRequest if the data ended too early."""
        ...


class Identity:
    """No encoding."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give the bytes as they are."""
        yield data

    def finish(self) -> None:
        """Nothing can be missing."""


class Gzip:
    """Members of gzip, one after the other; it never gives more than PIECE at once, however much they blow up."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(GZIP)
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give what these bytes decode to."""
        while data:
            if self._member.eof:
                self._member = zlib.decompressobj(GZIP)
            try:
                piece = self._member.decompress(data, PIECE)
            except zlib.error:
                raise BadRequest("the body is not gzip") from None
            self._begun = True
            if piece:
                yield piece
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail

    def finish(self) -> None:
        """Raise BadRequest if the last member is not whole."""
        if self._begun and not self._member.eof:
            raise BadRequest("the gzip data ends too early")


class Zstd:
    """Frames of zstd, one after the other.

    The library has no limit on what one call gives. A block of 128 KiB takes at least 4 bytes, so it is fed in
    slices that cannot become more than 16 MiB.
    """

    def __init__(self) -> None:
        self._library = zstandard.ZstdDecompressor(max_window_size=MOST_WINDOW)
        self._frame = self._library.decompressobj()
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give what these bytes decode to."""
        for at in range(0, len(data), SLICE):
            rest = data[at : at + SLICE]
            while rest:
                if self._frame.eof:
                    self._frame = self._library.decompressobj()
                try:
                    piece = self._frame.decompress(rest)
                except zstandard.ZstdError:
                    raise BadRequest("the body is not zstd") from None
                self._begun = True
                if piece:
                    yield piece
                rest = self._frame.unused_data if self._frame.eof else b""

    def finish(self) -> None:
        """Raise BadRequest if the last frame is not whole."""
        if self._begun and not self._frame.eof:
            raise BadRequest("the zstd data ends too early")


DECODERS: dict[str, Callable[[], Decoder]] = {"identity": Identity, "gzip": Gzip, "zstd": Zstd}
