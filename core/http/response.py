"""Sanic's response, with headers that are encoded in one go."""

from __future__ import annotations

from collections.abc import Iterable

from sanic.response import HTTPResponse


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
