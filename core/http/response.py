"""Sanic's response, with headers that are encoded in one go."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Any

from sanic.exceptions import RequestCancelled
from sanic.response import HTTPResponse

log = logging.getLogger("voicera.requests")


class Response(HTTPResponse):
    """An answer whose headers are checked for line ends together, and not translated one by one.

    That was a tenth of a short answer. Where a line end is found, Sanic's own way takes them out.
    """

    __slots__ = ()

    @property
    def processed_headers(self) -> Iterable[tuple[bytes, bytes]]:  # type: ignore[override]  # all that Sanic needs
        """The headers as bytes, in their order."""
        headers = self.headers
        if self.content_type is not None:
            headers.setdefault("content-type", self.content_type)
        pairs = [(name, str(value)) for name, value in headers.items()]
        together = "".join([name + value for name, value in pairs])
        if "\n" in together or "\r" in together:
            return super().processed_headers
        return [(name.encode(), value.encode(errors="surrogateescape")) for name, value in pairs]


class StreamedResponse(Response):
    """An answer whose body is sent as it comes. If it breaks off, the connection does, so that the client sees it."""

    __slots__ = ("_pieces",)

    def __init__(self, pieces: AsyncIterator[bytes], status: int, headers: dict[str, str], content_type: str) -> None:
        super().__init__(None, status, headers, content_type)
        self._pieces: AsyncIterator[bytes] | None = pieces

    async def send(self, data: Any = None, end_stream: bool | None = None) -> None:  # noqa: ARG002, FBT001  # Sanic's
        """Send everything: Sanic calls this once, without data, to end the answer."""
        pieces, self._pieces = self._pieces, None
        if pieces is None:
            return
        try:
            async for piece in pieces:
                await super().send(piece, end_stream=False)
            await super().send(b"", end_stream=True)
        except RequestCancelled:
            return  # the client has gone
        except Exception as error:
            log.warning("an answer broke off", extra={"error": type(error).__name__})
            self._break_off()
        finally:
            close = getattr(pieces, "aclose", None)
            if close is not None:
                with suppress(RuntimeError):
                    await close()

    def _break_off(self) -> None:
        stream: Any = self.stream
        if stream is not None:
            stream.keep_alive = False
            stream.protocol.abort()
