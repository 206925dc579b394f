"""A client of a running service, for commands: it waits where it is told to, and asks again what was not answered."""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from core import __version__
from core.commands import with_running_stack
from core.settings import ConfigurationError, load_settings

ANSWER_SECONDS = 60.0
PATIENCE = 120.0
AWAY = frozenset({502, 503, 504})
REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
IDEMPOTENCY_KEY = "Idempotency-Key"


class ApiFailed(Exception):
    """The service refused a request; `code` is one of its error codes, or empty where something else answered."""

    def __init__(
        self, status: int, code: str, message: str, details: Any = None, retry_after: float | None = None
    ) -> None:
        self.status, self.code, self.details, self.retry_after = status, code, details, retry_after
        fields = [each for each in details if isinstance(each, dict)] if isinstance(details, list) else []
        said = (
            details if isinstance(details, str) else "; ".join(f"{e.get('field')} {e.get('message')}" for e in fields)
        )
        super().__init__(f"{message} ({code or status})" + (f": {said}" if said else ""))


class Unanswered(Exception):
    """The service has not answered for longer than the client's patience."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A good answer: `data` as it stands in the envelope, None where the body is no JSON."""

    status: int
    headers: Mapping[str, str]
    data: Any


def running_url(data_dir: Path | None = None) -> str:
    """Give the address of the service that runs in the data directory; raises ConfigurationError if none does."""
    try:
        settings = with_running_stack(load_settings(flags={"data_dir": data_dir}, check_unknown=False))
    except ConfigurationError as error:
        raise ConfigurationError(f"{error}; or name a service by --url") from None
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104  # compared, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


class ApiClient:
    """Requests to one service, with one token or API key (`token` may be set later, after a log-in).

    A 429 is waited out as `Retry-After` says. A request that was not answered (no connection, 502 to 504) is sent
    again with growing pauses, for `patience` seconds at most, if that can do no harm: GET, PUT, DELETE, and what
    carries an `Idempotency-Key` or is called `repeatable`. Make one with `ApiClient.open`.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str | None, patience: float) -> None:
        self._session, self.url, self.token, self._patience = session, url.rstrip("/"), token, patience
        self.waited = 0.0

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, token: str | None = None, *, patience: float = PATIENCE, connections: int = 8
    ) -> AsyncIterator[ApiClient]:
        """Open a client of the service at `url`; raises ConfigurationError for what is no URL."""
        if not url.startswith(("http://", "https://")):
            raise ConfigurationError(f"{url} is no address of a service: write it as http://127.0.0.1:8000")
        limits = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=ANSWER_SECONDS)
        async with aiohttp.ClientSession(
            timeout=limits,
            connector=aiohttp.TCPConnector(limit=connections),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"voicera/{__version__}"},
        ) as session:
            yield cls(session, url, token, patience)

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        body: bytes | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
    ) -> Answered:
        """Send a request until it is answered; return the answer, or raise ApiFailed or Unanswered."""
        sent = dict(headers or {})
        if json is not None:
            body = orjson.dumps(json)
            sent["Content-Type"] = "application/json"
        if repeatable is None:
            repeatable = method in REPEATABLE or IDEMPOTENCY_KEY in sent
        pauses = Pauses(self._patience)
        while True:
            try:
                async with self._send(method, path, body, sent, params) as response:
                    return await _read(response)
            except (aiohttp.ClientError, TimeoutError, ApiFailed) as error:
                self.waited += await pauses.after(error, repeatable=repeatable)

    @asynccontextmanager
    async def stream(self, path: str, params: Mapping[str, Any] | None = None) -> AsyncIterator[AsyncIterator[bytes]]:
        """Send a GET and give the lines of the answer as they come, without their line ends.

        Raises ApiFailed, or what aiohttp raises where the connection breaks: nothing is asked again.
        """
        async with self._send("GET", path, None, {}, params) as response:
            if response.status >= 400:
                await _read(response)
            yield _lines(response)

    def _send(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], params: Mapping[str, Any] | None
    ) -> Any:
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        data = None if body is None else io.BytesIO(body)
        return self._session.request(
            method, self.url + path, data=data, headers=headers, params=params, allow_redirects=False
        )


class Pauses:
    """How long to wait before a request is sent again: as the service says, else 0.2 s, doubling to 10 s."""

    def __init__(self, patience: float) -> None:
        self._patience, self._next, self._waited = patience, 0.2, 0.0

    async def after(self, error: Exception, *, repeatable: bool = True) -> float:
        """Wait after an error and return the seconds waited; raises it, or Unanswered, where waiting is no use."""
        said = getattr(error, "retry_after", None)
        if isinstance(error, ApiFailed):
            if error.status == 429:
                seconds = 1.0 if said is None else said
                await asyncio.sleep(seconds)
                return float(seconds)
            if error.status not in AWAY:
                raise error
        if not repeatable or self._waited > self._patience:
            raise Unanswered(f"the service does not answer ({_named(error)})") from error
        seconds = max(said or 0.0, self._next * random.uniform(0.8, 1.2))  # noqa: S311  # spreads clients, no secret
        self._next = min(self._next * 2, 10.0)
        self._waited += seconds
        await asyncio.sleep(seconds)
        return seconds


def _named(error: Exception) -> str:
    return str(error) if isinstance(error, ApiFailed | aiohttp.ClientConnectorError) else type(error).__name__


async def _read(response: aiohttp.ClientResponse) -> Answered:
    content = await response.read()
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        body = None
    if response.status < 400:
        data = body["data"] if isinstance(body, dict) and "data" in body else body
        return Answered(response.status, response.headers, data)
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        error = {"code": "", "message": response.reason or "the service refused"}
    raise ApiFailed(
        response.status,
        error.get("code", ""),
        error.get("message", ""),
        error.get("details"),
        _seconds(response.headers.get("Retry-After")),
    )


def _seconds(text: str | None) -> float | None:
    """`Retry-After` in seconds (RFC 9110, section 10.2.3); the form with a date is not used here."""
    return float(text) if text and text.isdecimal() else None


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in response.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line:
                yield line
    if rest:
        yield rest


__all__ = [
    "AWAY",
    "IDEMPOTENCY_KEY",
    "PATIENCE",
    "Answered",
    "ApiClient",
    "ApiFailed",
    "Pauses",
    "Unanswered",
    "running_url",
]
