"""Keys and secrets at the start: what is made, what is refused, and who may read it."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from core.app import assemble, discover
from core.settings import ConfigurationError, Settings, load_settings
from plugins.auth.service.keys import SECRET_FILE, load_keys
from plugins.auth.settings import AuthSettings

TOO_SHORT = 1024


def settings(**values: Any) -> Settings:
    environ = {f"VOICERA_{name.upper()}": str(value) for name, value in values.items()}
    return load_settings([AuthSettings], environ=environ, dotenv=Path(os.devnull))


def pem(key: Any) -> str:
    text: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return text.decode()


def test_production_without_a_secret_refuses_to_start() -> None:
    with pytest.raises(ConfigurationError, match="VOICERA_JWT_SECRET is needed in production"):
        assemble(*discover(environ={"VOICERA_ENV": "production"}))


def test_production_with_a_secret_starts() -> None:
    assemble(*discover(environ={"VOICERA_ENV": "production", "VOICERA_JWT_SECRET": "s" * 32}))


@pytest.mark.parametrize(
    "values",
    [
        {"jwt_secret": "s" * 31},
        {"jwt_secret": "s" * 32, "jwt_previous_secrets": f"{'o' * 32},short"},
        {"jwt_algorithm": "none"},
        {"jwt_algorithm": "HS512"},
        {"jwt_algorithm": "EdDSA"},
        {"rate_limit_auth": "often"},
        {"access_token_seconds": "0"},
    ],
)
def test_settings_that_are_not_safe_are_refused_without_being_shown(values: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="VOICERA_") as refused:
        settings(**values)
    assert "sss" not in str(refused.value)


@pytest.mark.parametrize(
    "values",
    [
        {"jwt_algorithm": "EdDSA", "jwt_private_key": "/nowhere/key.pem"},
        {"jwt_algorithm": "EdDSA", "jwt_private_key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"},
        {"jwt_algorithm": "EdDSA", "jwt_private_key": pem(rsa.generate_private_key(65537, 2048))},
        {"jwt_algorithm": "RS256", "jwt_private_key": pem(ed25519.Ed25519PrivateKey.generate())},
        {"jwt_algorithm": "RS256", "jwt_private_key": pem(rsa.generate_private_key(65537, TOO_SHORT))},
    ],
)
def test_a_private_key_that_does_not_fit_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="VOICERA_JWT_PRIVATE_KEY"):
        load_keys(settings(**values))


@pytest.mark.parametrize("kept", [b"\xff\xfe", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", None])
def test_a_public_key_that_is_none_is_refused(tmp_path: Path, kept: bytes | None) -> None:
    path = tmp_path / "old.pem"
    if kept is not None:
        path.write_bytes(kept)
    private = pem(ed25519.Ed25519PrivateKey.generate())
    with pytest.raises(ConfigurationError, match="VOICERA_JWT_PUBLIC_KEYS"):
        load_keys(settings(jwt_algorithm="EdDSA", jwt_private_key=private, jwt_public_keys=path))


def test_development_makes_a_secret_and_keeps_it_for_the_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    first = load_keys(settings(data_dir=folder))
    assert stat.S_IMODE((folder / SECRET_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {each.name for each in folder.iterdir()} == {SECRET_FILE, "lock"}  # marked, so that a stack may move in
    assert load_keys(settings(data_dir=folder)) == first
    assert load_keys(settings(data_dir=tmp_path / "another")).kid != first.kid


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    load_keys(settings(data_dir=tmp_path))
    (tmp_path / SECRET_FILE).chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_keys(settings(data_dir=tmp_path))


def test_a_secret_file_that_is_empty_is_refused(tmp_path: Path) -> None:
    load_keys(settings(data_dir=tmp_path))
    (tmp_path / SECRET_FILE).write_text("")
    with pytest.raises(ConfigurationError, match="delete it"):
        load_keys(settings(data_dir=tmp_path))


def kid_of(folder: Path, start: Barrier) -> str:
    start.wait()
    return load_keys(settings(data_dir=folder)).kid


def test_workers_that_start_together_end_with_the_same_secret(tmp_path: Path) -> None:
    for turn in range(20):
        barrier = Barrier(8)
        with ThreadPoolExecutor(8) as threads:
            kids = {job.result() for job in [threads.submit(kid_of, tmp_path / str(turn), barrier) for _ in range(8)]}
        assert len(kids) == 1
