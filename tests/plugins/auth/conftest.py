"""What the tests of accounts share: the account routes as methods, and the claims of a good token to spoil."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from voicera.testing import PASSWORD, Answer, Client, Running


@dataclass
class Auth:
    """The account routes of an application, for anybody."""

    client: Client

    def at(self, client: Client) -> Auth:
        """The same of another application."""
        return Auth(client)

    def email(self) -> str:
        """An address that nobody has."""
        return f"{secrets.token_hex(8)}@example.com"

    def person(self, **fields: Any) -> dict[str, Any]:
        """A body for `register`."""
        return {"email": self.email(), "password": PASSWORD, "first_name": "Ada", "last_name": "Byron", **fields}

    async def register(self, **fields: Any) -> Answer:
        return await self.client.post("/auth/register", self.person(**fields), token="")

    async def log_in(self, email: str, password: str = PASSWORD, **options: Any) -> Answer:
        return await self.client.post("/auth/login", {"email": email, "password": password}, token="", **options)

    async def me(self, token: str) -> Answer:
        return await self.client.get("/auth/me", token=token)

    async def refresh(self, refresh_token: str) -> Answer:
        return await self.client.post("/auth/refresh-token", token=refresh_token)


@pytest.fixture
def auth(anonymous: Client) -> Auth:
    return Auth(anonymous)


@pytest.fixture
def claims(running: Running, user: Client) -> Callable[..., dict[str, Any]]:
    """Make the claims of a good access token of `user`, with some changed (None leaves one out)."""
    access = running.resources.state["auth"].access

    def make(**changed: Any) -> dict[str, Any]:
        now = int(time.time())
        good = {
            "sub": user.user["id"],
            "role": "user",
            "sid": "018d5481-3240-7000-8000-000000000001",
            "iat": now,
            "exp": now + 3600,
            "iss": access.issuer,
            "aud": access.audience,
            "jti": secrets.token_hex(8),
            "typ": "access",
            **changed,
        }
        return {name: value for name, value in good.items() if value is not None}

    return make
