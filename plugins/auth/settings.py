"""The settings of the accounts: signing keys, lifetimes, and what a password hash costs."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from voicera import Limit, SettingsSection

SHORTEST_SECRET = 32


class AuthSettings(SettingsSection):
    """Read with `settings.of(AuthSettings)`."""

    jwt_secret: SecretStr | None = Field(
        None, description="Key that signs access tokens with HS256, 32 bytes or more; made by itself in development."
    )
    jwt_previous_secrets: SecretStr | None = Field(
        None, description="Earlier HS256 keys, comma-separated, whose tokens are still believed (rotation)."
    )
    jwt_algorithm: Literal["HS256", "EdDSA", "RS256"] = Field("HS256", description="How access tokens are signed.")
    jwt_private_key: SecretStr | None = Field(
        None, description="Private key for EdDSA or RS256: PEM, or the path of a PEM file."
    )
    jwt_public_keys: str | None = Field(
        None, description="Further public keys whose tokens are believed: PEM blocks, or file paths, comma-separated."
    )
    jwt_issuer: str = Field("voicera", min_length=1, description="The `iss` of access tokens.")
    jwt_audience: str = Field("voicera", min_length=1, description="The `aud` of access tokens.")
    access_token_seconds: int = Field(86_400, ge=1, le=2_592_000, description="How long an access token is valid.")
    refresh_token_days: int = Field(30, ge=1, le=3650, description="How long a refresh token is valid.")
    rate_limit_auth: Limit = Field(
        Limit(10, 60),
        description="Attempts to register, log in or refresh, a client address; and to log in, an account.",
    )
    password_memory_kib: int = Field(19_456, ge=8, description="argon2id: memory a hash takes, in KiB.")
    password_passes: int = Field(2, ge=1, description="argon2id: passes over the memory.")
    password_lanes: int = Field(1, ge=1, description="argon2id: lanes.")
    password_threads: int = Field(2, ge=1, le=64, description="Threads of a worker that hash passwords.")
    password_queue: int = Field(32, ge=0, description="Hashes that may wait for a thread; more are answered 503.")

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        for name in ("jwt_secret", "jwt_previous_secrets"):
            value: SecretStr | None = getattr(self, name)
            for secret in value.get_secret_value().split(",") if value else ():
                if len(secret.encode()) < SHORTEST_SECRET and self.jwt_algorithm == "HS256":
                    raise ValueError(f"VOICERA_{name.upper()}: a key of at least {SHORTEST_SECRET} bytes is needed")
        if self.jwt_algorithm != "HS256" and self.jwt_private_key is None:
            raise ValueError(f"VOICERA_JWT_ALGORITHM={self.jwt_algorithm} needs VOICERA_JWT_PRIVATE_KEY")
        return self
