"""The settings of this plugin."""

from __future__ import annotations

from pydantic import Field, SecretStr

from voicera import Limit, SettingsSection


class CallsSettings(SettingsSection):
    """How much may come in."""

    rate_limit_ingest: Limit = Field(Limit(6000, 60), description="Ingestion requests a user may make.")
    rate_limit_upload: Limit = Field(
        Limit(10_000_000, 60), description="Bytes of recordings a user may upload, such as 10MB/minute."
    )
    max_recording_bytes: int = Field(2 << 30, ge=1024, description="Largest recording, in bytes.")
    api_key: SecretStr | None = Field(
        None, description="The API key that `voicera import` and `voicera export` send; the service needs none."
    )
