"""The request as handlers see it: Sanic's, with a principal, an id, typed decoding and the client's address."""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import sanic

from core.errors import BadRequest, Unauthenticated
from core.http.body import pieces, too_large
from core.http.many import Many, ManyReader
from core.http.query import Extra, decode_with_extra
from core.http.validation import decode

if TYPE_CHECKING:
    from core.http.blueprint import Route
    from core.ratelimit import Verdict
    from core.resources import Resources
    from core.security import Principal

Schema = TypeVar("Schema")
QuerySchema = TypeVar("QuerySchema", bound=msgspec.Struct)
SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
UNKNOWN_CLIENT = "unknown"
NDJSON = "application/x-ndjson"
_prefix = os.urandom(5).hex()
_count = itertools.count(1)


class Request(sanic.Request):
    """One request. `principal` is None on public routes; everything else is there when a handler runs."""

    __slots__ = (
        "_address",
        "_request_id",
        "clock",
        "code",
        "declared",
        "extra",
        "id_is_ours",
        "identity",
        "started",
        "verdict",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._request_id: str | None = None
        self._address: str | None = None
        self.code: str | None = None
        self.id_is_ours = True
        self.declared: Route | None = None
        self.identity: Principal | None = None
        self.verdict: Verdict | None = None
        self.started = 0.0
        self.clock: asyncio.Timeout | None = None
        self.extra: Extra = ()

    @property
    def resources(self) -> Resources:
        """What the worker holds open."""
        resources: Resources = self.app.ctx.resources
        return resources

    @property
    def principal(self) -> Principal:
        """Who calls; raises Unauthenticated where nobody is known (on a public route)."""
        if self.identity is None:
            raise Unauthenticated("a token is needed")
        return self.identity

    @property
    def request_id(self) -> str:
        """`X-Request-Id` as the client sent it when it is sane (to 128 characters of a few kinds), else a new one."""
        if self._request_id is None:
            sent = self.headers.getone("x-request-id", None)
            self.id_is_ours = sent is None or SANE_ID.fullmatch(sent) is None
            self._request_id = f"{_prefix}-{next(_count):x}" if sent is None or self.id_is_ours else sent
        return self._request_id

    @property
    def client_address(self) -> str:
        """The client's address: the peer's, or what a trusted proxy says in X-Forwarded-For.

        An IPv6 address is cut to its /64, since one client usually has a whole one.
        """
        if self._address is None:
            proxies = _networks(self.resources.settings.trusted_proxies)
            self._address = _client(self.ip, self.headers.getall("x-forwarded-for", []), proxies)
        return self._address

    def decode(self, schema: type[Schema]) -> Schema:
        """Decode and validate the JSON body into the Struct that the route declares.

        Raises BadRequest (not JSON), InvalidFields (every failing field).
        """
        assert self.declared is not None
        if self.declared.body is not schema:
            raise TypeError(f"{self.declared.name} decodes {schema!r}, and declares body={self.declared.body!r}")
        _check_content_type(self.headers.getone("content-type", None), self.declared.media)
        if self.headers.getone("content-encoding", "identity").strip().lower() != "identity":
            raise BadRequest("the body must not be encoded: no Content-Encoding is taken here")
        value: Schema = decode(self.body, schema)
        return value

    def query(self, schema: type[QuerySchema]) -> QuerySchema:
        """Decode the query string into the Struct that the route declares; raises BadRequest naming every wrong one.

        What was given of the parameters that other plugins add to the route stands in `extra` then: pairs of the
        parameter, as its plugin made it, and the value.
        """
        assert self.declared is not None
        if self.declared.query is not schema:
            raise TypeError(f"{self.declared.name} reads {schema!r}, and declares query={self.declared.query!r}")
        value, self.extra = decode_with_extra(self.query_string, schema, self.declared.extra)
        return value

    async def read_body(self, limit: int) -> None:
        """Read the whole body, at most `limit` bytes; raises BodyTooLarge before buffering more."""
        stream: Any = self.stream  # StrictHttp; Sanic's annotation is the base class
        if stream is None or not stream.request_body:
            return
        if (announced := stream.request_bytes_left) and announced > limit:
            raise too_large(limit)
        parts: list[bytes] = []
        left = limit
        with self.clock_stopped():
            while stream.request_body:
                data = await stream.read()
                if data:
                    left -= len(data)
                    if left < 0:
                        raise too_large(limit)
                    parts.append(data)
        self.body = b"".join(parts)

    async def read_many(self, schema: type[list[Schema]], *, most: int, limit: int, skip: bool = False) -> Many[Schema]:
        """Read a JSON array, or NDJSON as it comes, into the Structs that the route declares as `streamed_body`.

        The body may be gzip or zstd encoded; `limit` bytes, encoded and decoded, are allowed. Of a key that stands
        twice the last one counts. With `skip`, items that do not fit are left out and listed in the answer's
        `errors`; without, they raise InvalidFields. Raises BodyTooLarge for more than `most` items, and BadRequest.
        """
        assert self.declared is not None
        if self.declared.streamed_body is not schema:
            raise TypeError(f"{self.declared.name} reads {schema!r}; it declares {self.declared.streamed_body!r}")
        media = _check_content_type(self.headers.getone("content-type", None), self.declared.media)
        reader: ManyReader[Schema] = ManyReader(schema, most=most, skip=skip, lines=media == NDJSON)
        async for piece in pieces(self, limit):
            reader.feed(piece)
        return reader.finish()

    @contextmanager
    def clock_stopped(self) -> Iterator[None]:
        """Stop the clock of the route's deadline: how fast a body must come is the slow-client guard's affair."""
        clock = self.clock
        if clock is None or (at := clock.when()) is None:
            yield
            return
        time = asyncio.get_running_loop().time
        left = at - time()
        clock.reschedule(None)
        yield
        clock.reschedule(time() + left)


def _check_content_type(sent: str | None, allowed: tuple[str, ...]) -> str:
    media = sent.partition(";")[0].strip().lower() if sent else allowed[0]
    if media not in allowed:
        raise BadRequest(f"the content type must be {' or '.join(allowed)}")
    return media


@lru_cache(maxsize=8)
def _networks(names: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(name, strict=False) for name in names)


def _client(peer: str, forwarded: list[str], proxies: tuple[Any, ...]) -> str:
    """Walk X-Forwarded-For from its end, past trusted proxies: the first that is not one is the client."""
    address = peer
    if proxies:
        chain = [part.strip() for value in forwarded for part in value.split(",")]
        while chain and _within(address, proxies):
            address = chain.pop()
    return _group(address)


def _within(address: str, networks: tuple[Any, ...]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


@lru_cache(maxsize=4096)
def _group(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return UNKNOWN_CLIENT
    if parsed.version == 4:
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False).network_address)
