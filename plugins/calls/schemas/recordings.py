"""What goes out about recordings; what comes in is the audio itself."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from voicera import Meta, Paging, Struct

MEDIA = ("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave", "application/octet-stream")
Codec = Annotated[
    Literal["pcm", "float", "alaw", "mulaw"], Meta(description="How samples are written: G.711 is alaw or mulaw.")
]


class RecordingPaging(Paging, frozen=True, kw_only=True):
    """Which page of the recordings to list."""


class RecordingMetadata(Struct):
    """What the call log says."""

    agent_id: UUID | None
    campaign_id: UUID | None
    phone_number: str


class RecordingItem(Struct, kw_only=True):
    """A recording in a list."""

    call_id: UUID
    duration_seconds: Annotated[int, Meta(description="How long it plays, rounded.")]
    duration_ms: int
    format: Literal["wav"]
    codec: Codec
    channels: int
    sample_rate: Annotated[int, Meta(description="Samples a second.")]
    bits_per_sample: int
    size_bytes: int
    sha256: Annotated[str, Meta(description="Of the file, in hexadecimal; the ETag of the download, too.")]
    metadata: RecordingMetadata
    created_at: Annotated[datetime, Meta(description="When it was uploaded.")]


class RecordingView(RecordingItem, kw_only=True):
    """A recording."""

    download_url: Annotated[str, Meta(description="Works for 15 minutes, without a token. Keep it to yourself.")]
    transcript: str | None


EXAMPLE_ITEM = {
    "call_id": "018d5480-6ec0-7b7e-9f3a-2b1c0d9e8f70",
    "duration_seconds": 120,
    "duration_ms": 119995,
    "format": "wav",
    "codec": "pcm",
    "channels": 1,
    "sample_rate": 4000,
    "bits_per_sample": 16,
    "size_bytes": 960004,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "metadata": {
        "agent_id": "018d54f1-2d40-7c11-8f5e-0242ac120002",
        "campaign_id": "018d54f1-2d40-7c11-8f5e-0242ac120003",
        "phone_number": "+1234567890",
    },
    "created_at": "2024-01-29T10:35:00.000Z",
}
EXAMPLE_RECORDING = {
    **EXAMPLE_ITEM,
    "download_url": "https://signed-url-with-expiry",
    "transcript": "Full transcript...",
}
EXAMPLE_RECORDINGS = {"total": 1, "skip": 0, "limit": 50, "items": [EXAMPLE_ITEM]}
