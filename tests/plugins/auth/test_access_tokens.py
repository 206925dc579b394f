"""Access tokens and how they are sent: what is believed, and all that is not."""

from __future__ import annotations

import base64
import json
import time
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from core.settings import Settings
from plugins.auth.service.tokens import new_opaque
from voicera.testing import Client, Running, eventually, running_app, settings_for_tests

Claims = Callable[..., dict[str, Any]]
MEBIBYTE = 1 << 20


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def pem_of(key: Any) -> str:
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


def public_pem_of(key: Any) -> str:
    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


@dataclass
class Forge:
    """Makes tokens that are wrong in one way; with nothing changed, they are good."""

    keys: Any
    claims: Claims

    def signed(self, key: Any = None, alg: str = "HS256", header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A signed token with other claims or header fields (None leaves one out)."""
        fields = {"kid": self.keys.kid, "typ": "at+jwt", **(header or {})}
        named = {name: value for name, value in fields.items() if value is not None}
        return jwt.encode(self.claims(**claims), key or self.keys.signing, alg, named)

    def headed(self, **header: Any) -> str:
        """A good token with another header before it."""
        _, body, signature = self.signed().split(".")
        return f"{part({'alg': 'HS256', 'typ': 'at+jwt', 'kid': self.keys.kid, **header})}.{body}.{signature}"


def wrong_signatures(forge: Forge) -> dict[str, str]:
    secret: bytes = forge.keys.signing
    unsigned = {spelling: forge.headed(alg=spelling) for spelling in ("none", "None", "NONE", "nOnE", "")}
    return {
        **{f"alg {spelling!r} with the signature": token for spelling, token in unsigned.items()},
        **{f"alg {spelling!r}": token.rpartition(".")[0] + "." for spelling, token in unsigned.items()},
        "HS384": forge.signed(secret.ljust(64, b"."), "HS384"),
        "HS512": forge.signed(secret.ljust(64, b"."), "HS512"),
        "RS256": forge.signed(rsa.generate_private_key(65537, 2048), "RS256"),
        "EdDSA": forge.signed(ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
        "another key": forge.signed(b"k" * 48),
    }


def wrong_headers(forge: Forge) -> dict[str, str]:
    return {
        "no key id": forge.signed(header={"kid": None}),
        "another key id": forge.signed(header={"kid": "0" * 16}),
        "a key id that is a path": forge.signed(header={"kid": "../../dev/null"}),
        "a key id that is no string": forge.headed(kid=7),
        "a key id that is a list": forge.headed(kid=[]),
        "header typ JWT": forge.signed(header={"typ": "JWT"}),
        "crit": forge.signed(header={"crit": ["b64"]}),
        "crit with b64": forge.signed(header={"crit": ["b64"], "b64": True}),
        "jwk in the header": forge.signed(header={"jwk": {"kty": "oct", "k": "AAAA"}}),
        "jku in the header": forge.signed(header={"jku": "http://127.0.0.1/keys"}),
    }


def wrong_claims(forge: Forge) -> dict[str, str]:
    now = int(time.time())
    missing = ("exp", "iat", "sub", "jti", "iss", "aud", "typ", "role", "sid")
    return {
        **{f"no {name}": forge.signed(None, "HS256", None, **{name: None}) for name in missing},
        "issued in the future": forge.signed(iat=now + 120),
        "not valid yet": forge.signed(nbf=now + 120),
        "another audience": forge.signed(aud="elsewhere"),
        "several audiences": forge.signed(aud=["voicera", "elsewhere"]),
        "another issuer": forge.signed(iss="elsewhere"),
        "typ refresh": forge.signed(typ="refresh"),
        "an expiry in words": forge.signed(exp="tomorrow"),
        "an expiry that is true": forge.signed(exp=True),
        "an endless expiry": forge.signed(exp=1e400),
        "an expiry that no calendar has": forge.signed(exp=10**18),
        "a subject that is no id": forge.signed(sub="admin"),
        "a session that is no id": forge.signed(sid=7),
    }


def wrong_forms(forge: Forge) -> dict[str, str]:
    good = forge.signed()
    head, body, signature = good.split(".")
    deep = base64.urlsafe_b64encode(b"[" * 2500).decode().rstrip("=")
    return {
        "claims that are a list": f"{head}.{part([])}.{signature}",
        "trailing =": good + "=",
        "trailing ==": good + "==",
        "the signature spelt otherwise": f"{head}.{body}.{otherwise(signature)}",
        "another character in the body": f"{head}.{body[:-2]}{'B' if body[-2] == 'A' else 'A'}{body[-1]}.{signature}",
        "no signature": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "four parts": f"{good}.{signature}",
        "five parts (JWE)": f"{good}.{signature}.{signature}",
        "no JSON in the header": f"!!!!.{body}.{signature}",
        "deep JSON in the header": f"{deep}.{body}.{signature}",
        "8 KiB": "a" * 8192,
        "a word": "admin",
        "SQL": "' OR 1=1 --",
        "Latin-1": "t\xf6ken",
        "a refresh token of ours": new_opaque("vr_"),
        "an API key that is none": new_opaque("vk_"),
        "an API key with a wrong checksum": new_opaque("vk_")[:-8] + "00000000",
    }


def bad_tokens(forge: Forge) -> dict[str, str]:
    """All of them, by what is wrong."""
    return {**wrong_signatures(forge), **wrong_headers(forge), **wrong_claims(forge), **wrong_forms(forge)}


def otherwise(signature: str) -> str:
    """The same bytes in base64url, with other unused bits at the end."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return signature[:-1] + alphabet[alphabet.index(signature[-1]) ^ 1]


@pytest.fixture
def forge(running: Running, claims: Claims) -> Forge:
    return Forge(running.resources.state["auth"].access.keys, claims)


class TestBadTokens:
    async def test_each_is_refused_and_none_is_remembered(
        self, running: Running, anonymous: Client, forge: Forge
    ) -> None:
        remembered, cases, wrong = running.resources.state["auth"].remembered, bad_tokens(forge), []
        before = len(remembered)
        assert len(cases) >= 40
        for name, token in cases.items():
            answer = await anonymous.get("/auth/me", token=token)
            if (answer.status, answer.code, answer.headers.get("WWW-Authenticate")) != (401, "AUTH_003", "Bearer"):
                wrong.append((name, answer.status, answer.content))
        assert not wrong
        assert len(remembered) == before

    async def test_the_token_they_are_made_from_is_good(self, anonymous: Client, forge: Forge) -> None:
        assert (await anonymous.get("/auth/me", token=forge.signed())).status == 200

    @pytest.mark.parametrize("seconds", [1, 3600])
    async def test_an_expired_one_is_told_apart(self, anonymous: Client, forge: Forge, seconds: int) -> None:
        now = int(time.time())
        answer = await anonymous.get("/auth/me", token=forge.signed(iat=now - 7200, exp=now - seconds))
        assert (answer.status, answer.code) == (401, "AUTH_002")
        assert answer.headers["WWW-Authenticate"] == "Bearer"

    async def test_a_mebibyte_is_refused_before_it_is_read(self, anonymous: Client) -> None:
        client = Client(anonymous.url, anonymous.session)  # 431 is of no route, so the document does not name it
        try:
            answer = await client.get("/auth/me", token="a" * MEBIBYTE)
        except aiohttp.ClientError:  # closed while we still send
            return
        assert answer.status in {400, 401, 431}

    async def test_a_remembered_token_expires_on_time(self, anonymous: Client, forge: Forge) -> None:
        async def remembered() -> tuple[int, str] | None:
            """A token that is about to expire and has been used; None if the machine was too slow for that."""
            expires = int(time.time()) + 2
            token = forge.signed(exp=expires)
            return (expires, token) if (await anonymous.get("/auth/me", token=token)).status == 200 else None

        expires, token = await eventually(remembered)
        asked = time.time()
        while (answer := await anonymous.get("/auth/me", token=token)).status == 200:
            assert asked < expires
            asked = time.time()
        assert answer.code == "AUTH_002"
        assert time.time() >= expires


class TestHowTokensAreSent:
    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
    async def test_the_scheme_is_case_insensitive(self, user: Client, scheme: str) -> None:
        headers = {"Authorization": f"{scheme} {user.token}"}
        assert (await user.get("/auth/me", token="", headers=headers)).status == 200

    @pytest.mark.parametrize("value", ["Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Token x", "Bearer a b", ""])
    async def test_another_form_is_refused(self, user: Client, value: str) -> None:
        answer = await user.get("/auth/me", token="", headers={"Authorization": value})
        assert (answer.status, answer.code) == (401, "AUTH_003")

    async def test_of_two_credentials_none_is_believed(self, user: Client) -> None:
        token = ("Authorization", f"Bearer {user.token}")
        for second in (token, ("Authorization", "Bearer x"), ("X-API-Key", "vk_x")):
            async with user.session.get(user.url + "/auth/me", headers=[token, second]) as response:
                assert response.status == 401
                assert (await response.json())["error"]["code"] == "AUTH_003"

    async def test_a_token_in_the_query_is_not_looked_at(self, user: Client) -> None:
        answer = await user.get("/auth/me", token="", params={"access_token": user.token})
        assert answer.status == 401

    async def test_a_public_route_ignores_a_bad_token(self, anonymous: Client) -> None:
        assert (await anonymous.get("/health", headers={"Authorization": "nonsense"})).status == 200


async def test_a_remembered_token_costs_microseconds(running: Running, user: Client) -> None:
    from plugins.auth.service.callers import identify

    def again() -> None:
        with pytest.raises(StopIteration):
            identify(running.resources, user.token or "").send(None)

    await identify(running.resources, user.token or "")
    assert min(timeit.repeat(again, number=1000, repeat=5, timer=time.thread_time)) / 1000 < 50e-6


class TestKeys:
    @pytest.mark.parametrize("algorithm", ["EdDSA", "RS256"])
    async def test_other_algorithms_sign_and_rotate_by_key_id(
        self, stack: Settings, auth: Any, tmp_path: Path, algorithm: str
    ) -> None:
        old, new = (
            ed25519.Ed25519PrivateKey.generate() if algorithm == "EdDSA" else rsa.generate_private_key(65537, 2048)
            for _ in range(2)
        )
        (tmp_path / "new.pem").write_text(pem_of(new))
        (tmp_path / "old.pub.pem").write_text(public_pem_of(old))
        before = {"VOICERA_JWT_ALGORITHM": algorithm, "VOICERA_JWT_PRIVATE_KEY": pem_of(old).replace("\n", "\\n")}
        after = {
            "VOICERA_JWT_ALGORITHM": algorithm,
            "VOICERA_JWT_PRIVATE_KEY": str(tmp_path / "new.pem"),
            "VOICERA_JWT_PUBLIC_KEYS": str(tmp_path / "old.pub.pem"),
        }
        async with running_app(settings_for_tests(stack, before), migrated=True) as app:
            user = await app.client.new_user()
            assert user.token
            assert jwt.get_unverified_header(user.token or "")["alg"] == algorithm
            assert (await user.get("/auth/me")).status == 200
        async with running_app(settings_for_tests(stack, after), migrated=True) as app:
            here = auth.at(app.client)
            assert (await here.me(user.token)).status == 200
            fresh = (await here.refresh(user.user["refresh_token"])).data["token"]
            assert (await here.me(fresh)).status == 200
            claims = jwt.decode(fresh, options={"verify_signature": False})
            header = jwt.get_unverified_header(fresh)
            for key in (public_pem_of(new), public_pem_of(old)):
                swapped = hmac_with_public_key(claims, key, header["kid"])
                assert (await here.me(swapped)).code == "AUTH_003"

    async def test_an_hs256_secret_is_rotated_by_key_id(self, stack: Settings, auth: Any) -> None:
        old, new = "o" * 40, "n" * 40
        async with running_app(settings_for_tests(stack, {"VOICERA_JWT_SECRET": old}), migrated=True) as app:
            user = await app.client.new_user()
            assert user.token
        rotated = {"VOICERA_JWT_SECRET": new, "VOICERA_JWT_PREVIOUS_SECRETS": old}
        async with running_app(settings_for_tests(stack, rotated), migrated=True) as app:
            here = auth.at(app.client)
            assert (await here.me(user.token)).status == 200
            fresh = (await here.log_in(user.user["email"])).data["token"]
            kids = {jwt.get_unverified_header(token)["kid"] for token in (fresh, user.token)}
            assert len(kids) == 2
        async with running_app(settings_for_tests(stack, {"VOICERA_JWT_SECRET": new}), migrated=True) as app:
            here = auth.at(app.client)
            assert (await here.me(fresh)).status == 200
            assert (await here.me(user.token)).code == "AUTH_003"


def hmac_with_public_key(claims: dict[str, Any], pem: str, kid: str) -> str:
    """The old trick: HS256 with the public key as the secret. PyJWT will not sign so; hmac does."""
    import hashlib
    import hmac

    text = f"{part({'alg': 'HS256', 'typ': 'at+jwt', 'kid': kid})}.{part(claims)}"
    signature = hmac.digest(pem.encode(), text.encode(), hashlib.sha256)
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
