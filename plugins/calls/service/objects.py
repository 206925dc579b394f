"""Recordings as objects of the S3 server: written in parts, read in windows, taken away with all that belongs to them.

Keys are made of UUIDs alone, a new one for each upload: an object never changes, and an earlier recording stays
whole until the new one is complete.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from voicera import Resources, uuid7

MEDIA = "audio/wav"
PART = 8 << 20  # bytes; S3 takes at most 10,000 parts, none but the last under 5 MiB
URL_SECONDS = 900


def new_key(owner_id: UUID, call_id: UUID) -> str:
    """A key that no object has had."""
    return f"{owner_id}/{call_id}/{uuid7()}.wav"


@dataclass(slots=True)
class Multipart:
    """An object that is being written in parts."""

    key: str
    upload_id: str
    parts: list[dict[str, Any]] = field(default_factory=list)


async def put(resources: Resources, key: str, body: bytearray) -> None:
    """Write a small object at once."""
    client = await resources.storage.client()
    await client.put_object(Bucket=resources.storage.bucket, Key=key, Body=io.BytesIO(body), ContentType=MEDIA)


async def begin(resources: Resources, key: str) -> Multipart:
    """Begin an object of several parts."""
    client = await resources.storage.client()
    begun = await client.create_multipart_upload(Bucket=resources.storage.bucket, Key=key, ContentType=MEDIA)
    return Multipart(key, begun["UploadId"])


async def add_part(resources: Resources, multipart: Multipart, body: bytearray) -> None:
    """Write the next part."""
    client, number = await resources.storage.client(), len(multipart.parts) + 1
    written = await client.upload_part(
        Bucket=resources.storage.bucket,
        Key=multipart.key,
        UploadId=multipart.upload_id,
        PartNumber=number,
        Body=io.BytesIO(body),
    )
    multipart.parts.append({"ETag": written["ETag"], "PartNumber": number})


async def complete(resources: Resources, multipart: Multipart) -> None:
    """Make the parts one object."""
    client = await resources.storage.client()
    await client.complete_multipart_upload(
        Bucket=resources.storage.bucket,
        Key=multipart.key,
        UploadId=multipart.upload_id,
        MultipartUpload={"Parts": multipart.parts},  # type: ignore[typeddict-item]  # made in `add_part`
    )


async def fetch(resources: Resources, key: str, first: int, last: int) -> bytes | None:
    """Read bytes of an object, both ends included; None if there is no such object."""
    client = await resources.storage.client()
    try:
        answer = await client.get_object(Bucket=resources.storage.bucket, Key=key, Range=f"bytes={first}-{last}")
    except client.exceptions.NoSuchKey:
        return None
    async with answer["Body"] as body:
        window: bytes = await body.read()
        return window


async def remove(resources: Resources, key: str) -> None:
    """Delete an object, whole or begun; nothing happens where there is none."""
    client, bucket = await resources.storage.client(), resources.storage.bucket
    begun = await client.list_multipart_uploads(Bucket=bucket, Prefix=key)
    for upload in begun.get("Uploads", []):
        if upload["Key"] == key:
            try:
                await client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload["UploadId"])
            except client.exceptions.NoSuchUpload:
                continue  # completed or aborted meanwhile
    await client.delete_object(Bucket=bucket, Key=key)


async def url(resources: Resources, key: str) -> str:
    """An address from which anyone may read the object for 15 minutes. Never log it: it is a credential."""
    return await resources.storage.presign("GET", key, URL_SECONDS)
