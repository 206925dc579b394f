"""A client of a running application, for tests: it reads every answer whole and raises at none."""

from __future__ import annotations

import io
import itertools
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

PASSWORD = "Correct-Horse-7"  # noqa: S105  # of the users that tests make
_names = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read whole."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return orjson.loads(self.content)

    @property
    def data(self) -> Any:
        """What stands under `data` of the envelope."""
        return self.json["data"]

    @property
    def error(self) -> Any:
        """What stands under `error` of the envelope."""
        return self.json["error"]

    @property
    def code(self) -> str | None:
        """The error code, None for a good answer."""
        error = self.json["error"]
        return error["code"] if error else None


OnAnswer = Callable[[str, str, Answer], None]


@dataclass
class Client:
    """An HTTP client of a running application; `token` (or an API key) is sent with every request.

    `on_answer` sees every answer, with the method and the path that were asked.
    """

    url: str
    session: aiohttp.ClientSession
    token: str | None = None
    user: dict[str, Any] = field(default_factory=dict)
    on_answer: OnAnswer | None = None

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        token: str | None = None,
    ) -> Answer:
        """Send a request and read the whole answer; `token=""` sends none."""
        sent = dict(headers or {})
        bearer = self.token if token is None else token
        if bearer:
            sent.setdefault("Authorization", f"Bearer {bearer}")
        if json is not None:
            body = orjson.dumps(json)
            sent.setdefault("Content-Type", "application/json")
        async with self.session.request(
            method,
            self.url + path,
            data=None if body is None else io.BytesIO(body),
            headers=sent,
            params=params,
            allow_redirects=False,
        ) as response:
            answer = Answer(response.status, response.headers, await response.read())
        if self.on_answer is not None:
            self.on_answer(method, path, answer)
        return answer

    async def get(self, path: str, **options: Any) -> Answer:
        """Send a GET."""
        return await self.request("GET", path, **options)

    async def post(self, path: str, json: Any = None, **options: Any) -> Answer:
        """Send a POST."""
        return await self.request("POST", path, json=json, **options)

    async def put(self, path: str, json: Any = None, **options: Any) -> Answer:
        """Send a PUT."""
        return await self.request("PUT", path, json=json, **options)

    async def patch(self, path: str, json: Any = None, **options: Any) -> Answer:
        """Send a PATCH."""
        return await self.request("PATCH", path, json=json, **options)

    async def delete(self, path: str, **options: Any) -> Answer:
        """Send a DELETE."""
        return await self.request("DELETE", path, **options)

    async def new_user(self, email: str | None = None) -> Client:
        """Register a user, log in, and return a client of theirs."""
        address = email or f"user{next(_names)}-{secrets.token_hex(4)}@example.com"
        names = {"first_name": "Ada", "last_name": "Byron"}
        made = await self.post("/auth/register", {"email": address, "password": PASSWORD, **names}, token="")
        assert made.status == 201, made.content
        login = await self.post("/auth/login", {"email": address, "password": PASSWORD}, token="")
        assert login.status == 200, login.content
        return Client(self.url, self.session, login.data["token"], {**made.data, **login.data}, self.on_answer)
