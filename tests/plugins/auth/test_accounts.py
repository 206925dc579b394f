"""Registration, the caller's account, another password, and what administrators see."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from plugins.auth.service import operators
from plugins.auth.service.passwords import common_passwords
from voicera.testing import PASSWORD, Client, Running


class TestRegister:
    async def test_anybody_may_register_and_gets_what_the_reference_shows(self, auth: Any) -> None:
        body = auth.person(first_name="John", last_name="Doe", password="SecurePass123!")  # noqa: S106  # the reference's
        answer = await auth.client.post("/auth/register", body)
        assert answer.status == 201
        assert answer.json["success"] is True
        assert answer.data == {
            "id": answer.data["id"],
            "email": body["email"],
            "first_name": "John",
            "last_name": "Doe",
            "role": "user",
            "created_at": answer.data["created_at"],
        }
        assert UUID(answer.data["id"]).version == 7
        assert answer.data["created_at"].endswith("Z")

    async def test_an_email_is_taken_whatever_its_case_or_unicode_form(self, auth: Any) -> None:
        name = auth.email().partition("@")[0]
        assert (await auth.register(email=f"é{name}@Example.com")).status == 201
        for again in (f"É{name}@example.COM", f"e\u0301{name}@example.com", f"é{name}@\uff45xample.com"):
            answer = await auth.register(email=again)
            assert (answer.status, answer.code) == (409, "AUTH_005")
        assert (await auth.log_in(f"É{name.upper()}@EXAMPLE.com")).status == 200

    async def test_of_64_registrations_of_one_email_at_once_one_succeeds(self, auth: Any) -> None:
        email = auth.email()
        answers = await asyncio.gather(
            *(auth.register(email=email.upper() if turn % 2 else email) for turn in range(64))
        )
        statuses = [answer.status for answer in answers]
        assert statuses.count(201) == 1
        assert set(statuses) <= {201, 409, 503}
        assert (await auth.log_in(email)).status == 200

    @pytest.mark.parametrize(
        "email",
        [
            "plain",
            "@example.com",
            "a@b",
            "a@@example.com",
            "a b@example.com",
            ".a@example.com",
            "a..b@example.com",
            "a@-example.com",
            "a@example..com",
            "a\u0000@example.com",
            "a\u0085@example.com",
            "<a>@example.com",
            "a" * 65 + "@example.com",
            "a@" + "b" * 64 + ".com",
            "a@" + "b." * 130 + "com",
            "",
        ],
    )
    async def test_what_is_no_email_is_refused(self, auth: Any, email: str) -> None:
        answer = await auth.register(email=email)
        assert (answer.status, answer.code) == (422, "REQUEST_002")
        assert [each["field"] for each in answer.error["details"]] == ["email"]
        if len(email) <= 254:
            assert answer.error["details"][0]["message"] in ("is not an e-mail address", "must not contain U+0000")

    @pytest.mark.parametrize(
        "password", ["Short-7", "x" * 129, "password123", "PASSWORD123", "qwertyuiop", "iloveyou1", "12345678"]
    )
    async def test_a_password_that_is_short_long_or_common_is_refused(self, auth: Any, password: str) -> None:
        answer = await auth.register(password=password)
        assert (answer.status, answer.code) == (422, "REQUEST_002")
        assert [each["field"] for each in answer.error["details"]] == ["password"]
        assert password not in answer.content.decode()

    async def test_a_password_that_is_the_email_is_refused(self, auth: Any) -> None:
        email = auth.email()
        for password in (email, email.upper(), email.partition("@")[0]):
            answer = await auth.register(email=email, password=password)
            assert answer.error["details"] == [{"field": "password", "message": "must not be the e-mail"}]

    async def test_passwords_of_8_and_of_128_characters_are_accepted(self, auth: Any) -> None:
        for password in ("Tr0ub4d&", "é" * 128):
            email = auth.email()
            assert (await auth.register(email=email, password=password)).status == 201
            assert (await auth.log_in(email, password)).status == 200

    async def test_every_failing_field_is_named(self, auth: Any) -> None:
        answer = await auth.client.post("/auth/register", {"email": "no", "password": "short", "first_name": ""})
        fields = [each["field"] for each in answer.error["details"]]
        assert sorted(fields) == ["email", "first_name", "last_name", "password"]

    @pytest.mark.parametrize("field", ["id", "role", "created_at", "email_key", "password_hash", "disabled_at"])
    async def test_fields_that_are_not_the_clients_are_refused(self, auth: Any, field: str) -> None:
        answer = await auth.register(**{field: "admin"})
        assert (answer.status, answer.code) == (422, "REQUEST_002")
        assert answer.error["details"] == [{"field": field, "message": "is not a known field"}]

    def test_the_list_holds_the_10_000_most_common_that_are_long_enough(self) -> None:
        assert len(common_passwords()) == 10_000
        assert min(map(len, common_passwords())) == 8
        assert {"password", "12345678", "1q2w3e4r"} <= common_passwords()


class TestMe:
    async def test_without_a_token_it_is_refused(self, anonymous: Client) -> None:
        answer = await anonymous.get("/auth/me")
        assert (answer.status, answer.code) == (401, "AUTH_003")
        assert answer.headers["WWW-Authenticate"] == "Bearer"

    async def test_each_sees_their_own(self, user: Client, neighbour: Client) -> None:
        mine, theirs = await user.get("/auth/me"), await neighbour.get("/auth/me")
        assert mine.data["id"] == user.user["id"]
        assert theirs.data["id"] == neighbour.user["id"] != mine.data["id"]

    async def test_it_answers_as_the_reference_shows(self, user: Client) -> None:
        answer = await user.get("/auth/me")
        assert answer.status == 200
        assert answer.data == {
            name: user.user[name] for name in ("id", "email", "first_name", "last_name", "role", "created_at")
        }
        assert answer.headers["Cache-Control"] == "no-store"


class TestChangePassword:
    BODY = {"current_password": PASSWORD, "new_password": "Another-Secure-456"}  # read only

    async def test_without_a_token_it_is_refused(self, anonymous: Client) -> None:
        assert (await anonymous.post("/auth/change-password", self.BODY)).code == "AUTH_003"

    async def test_the_present_password_is_needed(self, user: Client) -> None:
        answer = await user.post("/auth/change-password", {**self.BODY, "current_password": "something else"})
        assert (answer.status, answer.code) == (401, "AUTH_001")

    async def test_the_new_one_follows_the_rules(self, user: Client) -> None:
        for weak in ("password123", user.user["email"]):
            answer = await user.post("/auth/change-password", {**self.BODY, "new_password": weak})
            assert [each["field"] for each in answer.error["details"]] == ["new_password"]

    async def test_other_sessions_end_at_once_and_this_one_stays(self, auth: Any, user: Client) -> None:
        other = (await auth.log_in(user.user["email"])).data
        assert (await auth.me(other["token"])).status == 200
        assert (await user.post("/auth/change-password", self.BODY)).status == 204
        assert (await auth.me(other["token"])).code == "AUTH_003"
        assert (await auth.refresh(other["refresh_token"])).code == "AUTH_003"
        assert (await user.get("/auth/me")).status == 200
        assert (await auth.log_in(user.user["email"])).code == "AUTH_001"
        assert (await auth.log_in(user.user["email"], "Another-Secure-456")).status == 200


class TestUsers:
    async def test_without_a_token_it_is_refused(self, anonymous: Client) -> None:
        assert (await anonymous.get("/auth/users")).code == "AUTH_003"

    async def test_a_user_is_denied(self, user: Client) -> None:
        answer = await user.get("/auth/users")
        assert (answer.status, answer.code) == (403, "AUTH_004")

    async def test_an_administrator_sees_all_newest_first(self, running: Running, auth: Any, user: Client) -> None:
        body = auth.person()
        made = await operators.create_user(running.resources, body, admin=True)
        assert made.role == "admin"
        token = (await auth.log_in(body["email"])).data["token"]
        answer = await auth.client.get("/auth/users", token=token, params={"limit": 2})
        assert answer.status == 200
        assert [each["id"] for each in answer.data["items"]] == [str(made.id), user.user["id"]]
        assert answer.data["total"] >= 2
        assert b"hash" not in answer.content
