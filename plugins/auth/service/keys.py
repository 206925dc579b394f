"""The keys that sign and verify access tokens, each with the `kid` that is derived from it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from plugins.auth.settings import SHORTEST_SECRET, AuthSettings
from voicera import ConfigurationError, Settings, own_dir

SECRET_FILE = "jwt-secret"  # noqa: S105  # its name
PEM = re.compile(r"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----", re.DOTALL)
PRIVATE: dict[str, type[Any]] = {"EdDSA": Ed25519PrivateKey, "RS256": RSAPrivateKey}
PUBLIC: dict[str, type[Any]] = {"EdDSA": Ed25519PublicKey, "RS256": RSAPublicKey}
SHORTEST_RSA = 2048


@dataclass(frozen=True, slots=True)
class KeyRing:
    """One algorithm, the key that signs, and all that verify, by `kid`."""

    algorithm: str
    kid: str
    signing: Any
    verifying: Mapping[str, Any]


def check_keys(settings: Settings) -> None:
    """Raise ConfigurationError where these settings cannot sign; reads key files, makes nothing."""
    ours = settings.of(AuthSettings)
    if ours.jwt_algorithm != "HS256":
        _asymmetric(ours)
    elif ours.jwt_secret is None and settings.production:
        raise ConfigurationError(
            "VOICERA_JWT_SECRET is needed in production (make one: `openssl rand -base64 48`), "
            "or VOICERA_JWT_ALGORITHM=EdDSA with VOICERA_JWT_PRIVATE_KEY"
        )


def load_keys(settings: Settings) -> KeyRing:
    """Load the keys; in development a missing secret is made and kept in the data directory."""
    check_keys(settings)
    ours = settings.of(AuthSettings)
    if ours.jwt_algorithm != "HS256":
        return _asymmetric(ours)
    secret = ours.jwt_secret.get_secret_value() if ours.jwt_secret else _kept_secret(settings.data_dir)
    earlier = ours.jwt_previous_secrets.get_secret_value().split(",") if ours.jwt_previous_secrets else []
    keys = {_kid_of_secret(key): key for key in (each.strip().encode() for each in (*earlier, secret))}
    current = secret.strip().encode()
    return KeyRing("HS256", _kid_of_secret(current), current, keys)


def _kid_of_secret(secret: bytes) -> str:
    return hmac.digest(secret, b"voicera kid", "sha256").hex()[:16]


def _kept_secret(data_dir: Path) -> str:
    """Read the secret of this data directory, or make it. Workers that start together end with the same one."""
    data_dir = own_dir(data_dir)
    path = data_dir / SECRET_FILE
    if not path.exists():
        draft = data_dir / f".{SECRET_FILE}.{secrets.token_hex(8)}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)  # whole or not at all, and only for the first
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigurationError(f"{path} can be read by others: chmod 600 {path}")
    secret = path.read_text().strip()
    if len(secret.encode()) < SHORTEST_SECRET:
        raise ConfigurationError(f"{path} holds less than {SHORTEST_SECRET} bytes: delete it, and a new one is made")
    return secret


def _asymmetric(ours: AuthSettings) -> KeyRing:
    assert ours.jwt_private_key is not None  # the settings were checked
    private = _private(ours.jwt_algorithm, ours.jwt_private_key.get_secret_value())
    publics = [_public(ours.jwt_algorithm, pem) for pem in _pems("JWT_PUBLIC_KEYS", ours.jwt_public_keys or "")]
    own = private.public_key()
    keys = {_kid_of_public(key): key for key in (*publics, own)}
    return KeyRing(ours.jwt_algorithm, _kid_of_public(own), private, keys)


def _kid_of_public(key: Any) -> str:
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).decode()[:16]


def _private(algorithm: str, text: str) -> Any:
    pems = list(_pems("JWT_PRIVATE_KEY", text))
    try:
        (pem,) = pems
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigurationError("VOICERA_JWT_PRIVATE_KEY is not one unencrypted PEM private key") from None
    return _fitting("VOICERA_JWT_PRIVATE_KEY", algorithm, key, PRIVATE)


def _public(algorithm: str, pem: str) -> Any:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigurationError("VOICERA_JWT_PUBLIC_KEYS holds something that is no PEM public key") from None
    return _fitting("VOICERA_JWT_PUBLIC_KEYS", algorithm, key, PUBLIC)


def _fitting(name: str, algorithm: str, key: Any, kinds: Mapping[str, type[Any]]) -> Any:
    if not isinstance(key, kinds[algorithm]):
        raise ConfigurationError(f"{name} is no key for {algorithm}")
    if algorithm == "RS256" and key.key_size < SHORTEST_RSA:
        raise ConfigurationError(f"{name}: RSA keys of at least {SHORTEST_RSA} bits are needed")
    return key


def _pems(name: str, text: str) -> Iterable[str]:
    """The PEM blocks in a setting, or in the files that it names. In `.env`, a backslash and an n end a line."""
    if "-----BEGIN" in text:
        yield from PEM.findall(text.replace("\\n", "\n"))
        return
    for path in filter(None, (part.strip() for part in text.split(","))):
        try:
            yield from PEM.findall(Path(path).read_text())
        except OSError as error:
            raise ConfigurationError(f"VOICERA_{name}: {path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ConfigurationError(f"VOICERA_{name}: {path} is not PEM") from None
