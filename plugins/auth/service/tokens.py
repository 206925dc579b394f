"""The tokens themselves: signed access tokens (JWT, RFC 7519 and 9068), opaque refresh tokens and API keys."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt

from plugins.auth.errors import TokenExpired
from plugins.auth.service.keys import KeyRing
from voicera import Principal, Unauthenticated, uuid7

HEADER_TYPE = "at+jwt"  # RFC 9068, section 2.1
HEADER_NAMES = {"alg", "typ", "kid"}
ACCESS = "access"
REQUIRED = ["sub", "role", "iat", "exp", "iss", "aud", "jti", "typ", "sid"]
CLOCK_SKEW = timedelta(seconds=30)
LONGEST = 4096
COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)")
EVERYTHING = frozenset({"*"})

REFRESH, API_KEY = "vr_", "vk_"
SECRET_BYTES = 32
OPAQUE = re.compile(r"v[rk]_[A-Za-z0-9_-]{43}[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class AccessTokens:
    """Signs and verifies access tokens of one issuer for one audience; `lifetime` in seconds."""

    keys: KeyRing
    issuer: str
    audience: str
    lifetime: int

    def sign(self, owner_id: UUID, role: str, session_id: UUID, now: datetime) -> str:
        """Make a token."""
        issued = int(now.timestamp())
        claims = {
            "sub": str(owner_id),
            "role": role,
            "sid": str(session_id),
            "iat": issued,
            "exp": issued + self.lifetime,
            "iss": self.issuer,
            "aud": self.audience,
            "jti": str(uuid7()),
            "typ": ACCESS,
        }
        headers = {"kid": self.keys.kid, "typ": HEADER_TYPE}
        return jwt.encode(claims, self.keys.signing, self.keys.algorithm, headers)

    def verify(self, token: str, now: datetime) -> tuple[Principal, datetime]:
        """Return whose token it is, and when it expires.

        Raises TokenExpired, or Unauthenticated for whatever else is wrong. The clock is ours, not PyJWT's.
        """
        match = COMPACT.fullmatch(token) if len(token) <= LONGEST else None
        if match is None or not _canonical(match[1]):
            raise Unauthenticated("this is not an access token")
        claims = self._claims(token)
        try:
            principal = Principal(UUID(claims["sub"]), claims["role"], EVERYTHING, UUID(claims["sid"]))
            expires, *begins = (_moment(claims[name]) for name in ("exp", "iat", "nbf") if name in claims)
        except (ValueError, TypeError, AttributeError, OverflowError, OSError):
            raise Unauthenticated("the claims are not ours") from None
        if claims["typ"] != ACCESS or max(begins) > now + CLOCK_SKEW:
            raise Unauthenticated("this is not an access token, or not valid yet")
        if expires <= now:
            raise TokenExpired("refresh it, or log in again")
        return principal, expires

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            key = self.keys.verifying.get(header.get("kid", ""))
            if header.keys() != HEADER_NAMES or header["typ"] != HEADER_TYPE or key is None:
                raise Unauthenticated("the token's header is not ours")
            return jwt.decode(
                token,
                key,
                algorithms=[self.keys.algorithm],
                issuer=self.issuer,
                audience=self.audience,
                options={
                    "require": REQUIRED,
                    "strict_aud": True,
                    "enforce_minimum_key_length": True,
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except (jwt.InvalidTokenError, TypeError, ValueError, RecursionError):  # what a broken payload may cause
            raise Unauthenticated("the token cannot be verified") from None


def _moment(claim: Any) -> datetime:
    if type(claim) is not int:
        raise TypeError("a NumericDate of ours is a whole number")
    return datetime.fromtimestamp(claim, UTC)


def new_opaque(prefix: str) -> str:
    """A token of 256 random bits, with a checksum, so that a mistyped one never reaches the database."""
    body = prefix + secrets.token_urlsafe(SECRET_BYTES)
    return body + _checksum(body)


def is_opaque(token: str, prefix: str) -> bool:
    """True if a token of this kind could have been made by us."""
    return token.startswith(prefix) and OPAQUE.fullmatch(token) is not None and _checksum(token[:-8]) == token[-8:]


def digest(token: str) -> bytes:
    """What is stored of an opaque token: with 256 random bits a plain SHA-256 cannot be reversed."""
    return hashlib.sha256(token.encode()).digest()


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _canonical(part: str) -> bool:
    """False if other text decodes to the same signature: one token has one spelling."""
    try:
        decoded = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        return False
    return base64.urlsafe_b64encode(decoded).decode().rstrip("=") == part
