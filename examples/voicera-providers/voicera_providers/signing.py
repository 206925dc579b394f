"""Is a message from whom it says it is?

Retell signs each message with an API key of the user's, which we must therefore keep as it is. Vapi only repeats a
secret, so it is ours to make, and what is kept of it is its hash.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import datetime

RETELL_HEADER, VAPI_HEADER = "x-retell-signature", "x-vapi-secret"
SIGNATURE = re.compile(r"v=(?P<time>[0-9]{1,15}),d=(?P<digest>[0-9a-f]{64})")
BEARER = "bearer "
PREFIX = "vapi_"
MOST_AGE_MS = 5 * 60 * 1000


def new_vapi_secret() -> str:
    """A new secret, of 32 random bytes."""
    return PREFIX + secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    """What is kept of a secret of Vapi's; it is random enough to need no salt and no slow hash."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def retell_signature(key: str, body: bytes, milliseconds: int) -> str:
    """The header that Retell sends: the time, and HMAC-SHA256 of the body with the time behind it."""
    return f"v={milliseconds},d={_digest(key, body, str(milliseconds))}"


def verified(provider: str, kept: str, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    """True if the message was sent by whoever has the secret of this connection of `provider`.

    Both checks are made whatever the connection is, and for none at all as well, so that the time tells nobody which
    connections there are.
    """
    signed, told = _retell(kept, headers.get(RETELL_HEADER, ""), body, now), _vapi(kept, headers)
    return {"retell": signed, "vapi": told}.get(provider, False)


def _retell(key: str, header: str, body: bytes, now: datetime) -> bool:
    sent = SIGNATURE.fullmatch(header)
    if sent is None or abs(int(now.timestamp() * 1000) - int(sent["time"])) > MOST_AGE_MS:
        return False
    return hmac.compare_digest(_digest(key, body, sent["time"]), sent["digest"])


def _vapi(kept: str, headers: Mapping[str, str]) -> bool:
    sent = headers.get(VAPI_HEADER) or ""
    authorization = headers.get("authorization") or ""
    if not sent and authorization.lower().startswith(BEARER):
        sent = authorization[len(BEARER) :].strip()
    return hmac.compare_digest(hashed(sent).encode(), kept.encode())


def _digest(key: str, body: bytes, milliseconds: str) -> str:
    return hmac.digest(key.encode(), body + milliseconds.encode(), "sha256").hex()
