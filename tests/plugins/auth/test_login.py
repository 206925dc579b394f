"""Log-in: one answer for whatever is wrong, in one time, and no way to stall the rest of the service."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from argon2 import PasswordHasher

from core.settings import Settings
from plugins.auth.queries import sessions
from plugins.auth.service.passwords import PasswordHashing
from plugins.auth.settings import AuthSettings
from voicera import uuid7
from voicera.testing import PASSWORD, Client, Running, running_app, settings_for_tests

PARAMETERS = re.compile(r"\$argon2id\$(v=\d+)\$(m=\d+,t=\d+,p=\d+)\$[\w+/]{22}\$[\w+/]{43}$")


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Every hash that a password is compared with from here on, and the thread that does it."""
    seen: list[tuple[str, int]] = []
    verify = PasswordHasher.verify

    def noting(self: PasswordHasher, stored: str, password: bytes) -> bool:
        seen.append((stored, threading.get_ident()))
        return verify(self, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", noting)
    return seen


class TestLogin:
    async def test_it_answers_as_the_reference_shows(self, auth: Any, user: Client) -> None:
        answer = await auth.log_in(user.user["email"])
        assert answer.status == 200
        assert answer.data.keys() == {"token", "refresh_token", "expires_in", "user"}
        assert answer.data["expires_in"] == 86_400
        assert answer.data["user"]["id"] == user.user["id"]
        assert answer.data["user"]["email"] == user.user["email"]
        assert answer.data["user"]["role"] == "user"
        assert answer.data["refresh_token"].startswith("vr_")
        assert answer.headers["Cache-Control"] == "no-store"

    async def test_the_token_carries_the_claims_that_are_promised(self, user: Client) -> None:
        claims = jwt.decode(user.token or "", options={"verify_signature": False})
        assert claims.keys() == {"sub", "role", "sid", "iat", "exp", "iss", "aud", "jti", "typ"}
        assert claims["exp"] - claims["iat"] == 86_400
        assert jwt.get_unverified_header(user.token or "")["typ"] == "at+jwt"

    async def test_an_unknown_email_and_a_wrong_password_get_the_same_answer(self, auth: Any, user: Client) -> None:
        unknown = await auth.log_in(auth.email())
        wrong = await auth.log_in(user.user["email"], "something else")
        for answer in (unknown, wrong):
            assert (answer.status, answer.code) == (401, "AUTH_001")
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert answer.error["message"] == "Invalid credentials"
        assert unknown.error == wrong.error

    async def test_an_unknown_email_costs_the_work_of_a_wrong_password(
        self, auth: Any, user: Client, verified: list[tuple[str, int]]
    ) -> None:
        for email in (auth.email(), user.user["email"]):
            assert (await auth.log_in(email, "something else")).status == 401
        unknown, wrong = [PARAMETERS.match(stored) for stored, _ in verified]
        assert unknown is not None
        assert wrong is not None
        assert unknown.groups() == wrong.groups(), "of one cost, on salts and tags of one length"

    async def test_no_session_begins_with_a_password_that_was_changed_since_it_was_verified(
        self, running: Running, user: Client
    ) -> None:
        now = running.resources.now()
        async with running.resources.db.tx() as connection:
            assert not await sessions.start(
                connection,
                uuid7(),
                owner_id=user.user["id"],
                password_hash="the one before",  # noqa: S106  # no password
                now=now,
                expires_at=now,
                token_hash=b"",
            )

    async def test_unknown_fields_are_refused(self, auth: Any, user: Client) -> None:
        body = {"email": user.user["email"], "password": PASSWORD, "role": "admin"}
        assert (await auth.client.post("/auth/login", body)).code == "REQUEST_002"

    @pytest.mark.parametrize(
        "stored",
        [PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD), "no hash at all"],
        ids=["cheap", "broken"],
    )
    async def test_a_hash_of_another_cost_is_renewed_and_a_broken_one_fits_nothing(
        self, running: Running, auth: Any, user: Client, stored: str
    ) -> None:
        pool, email = running.resources.db.pool, user.user["email"]
        await pool.execute("UPDATE users SET password_hash = $1 WHERE email = $2", stored, email)
        answer = await auth.log_in(email)
        kept = await pool.fetchval("SELECT password_hash FROM users WHERE email = $1", email)
        if stored.startswith("$"):
            assert answer.status == 200
            assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
            assert (await auth.log_in(email)).status == 200
        else:
            assert answer.code == "AUTH_001"
            assert kept == stored

    async def test_a_burst_of_logins_does_not_stall_the_rest(
        self, auth: Any, user: Client, verified: list[tuple[str, int]]
    ) -> None:
        answers = await asyncio.gather(*[auth.log_in(user.user["email"], "something else") for _ in range(80)])
        assert threading.get_ident() not in {thread for _, thread in verified}, "the event loop never hashes"
        assert {answer.status for answer in answers} == {401, 503}
        refused = next(answer for answer in answers if answer.status == 503)
        assert refused.code == "SERVER_002"
        assert "Retry-After" in refused.headers


async def test_hashing_takes_a_bounded_number_of_jobs_and_gives_their_places_back() -> None:
    passwords = PasswordHashing(AuthSettings(password_threads=1, password_queue=2))
    jobs = [asyncio.ensure_future(passwords.hash("secret")) for _ in range(4)]
    await asyncio.wait(jobs)
    assert [type(job.exception()).__name__ for job in jobs] == ["NoneType"] * 3 + ["Unavailable"]
    assert (await passwords.verify("secret", await passwords.hash("secret"))) == (True, None)
    assert (await passwords.verify("secret", None)) == (False, None)
    passwords.close()


@pytest.fixture(scope="module")
async def limited(stack: Settings) -> AsyncIterator[Running]:
    """An application with the limit of the reference, but for its period, behind a proxy that it trusts.

    A bucket of ten a minute gets a unit back every six seconds, which eleven log-ins may take on a busy machine.
    """
    ours = {"VOICERA_RATE_LIMIT_AUTH": "10/day", "VOICERA_TRUSTED_PROXIES": "127.0.0.1"}
    async with running_app(settings_for_tests(stack, ours), migrated=True) as app:
        yield app


class TestLimits:
    def test_they_are_those_of_the_reference(self) -> None:
        assert str(AuthSettings().rate_limit_auth) == "10/minute"

    async def test_as_many_as_that_from_one_address(self, limited: Running, auth: Any) -> None:
        here = auth.at(limited.client)
        address = {"X-Forwarded-For": "192.0.2.1"}
        answers = [await here.log_in(here.email(), headers=address) for _ in range(11)]
        assert [answer.status for answer in answers] == [401] * 10 + [429]
        assert answers[-1].code == "RATE_001"
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 8640
        assert answers[0].headers["X-RateLimit-Limit"] == "10"
        for path in ("/auth/register", "/auth/refresh-token"):
            assert (await limited.client.post(path, {}, headers=address)).status == 429
        assert (await here.log_in(here.email(), headers={"X-Forwarded-For": "192.0.2.2"})).status == 401

    async def test_as_many_as_that_on_one_account_wherever_they_come_from(
        self, limited: Running, auth: Any, user: Client
    ) -> None:
        here, email = auth.at(limited.client), user.user["email"]
        answers = [
            await here.log_in(
                email.upper() if turn % 2 else email, "no", headers={"X-Forwarded-For": f"198.51.100.{turn}"}
            )
            for turn in range(11)
        ]
        assert [answer.status for answer in answers] == [401] * 10 + [429]
        assert answers[-1].code == "RATE_001"
        assert "Retry-After" in answers[-1].headers
        right = await here.log_in(email, headers={"X-Forwarded-For": "203.0.113.1"})
        assert right.status == 429
        assert (await here.me(user.token)).status == 200
