"""What the tests of recordings share: WAV files, uploads, and a look into storage."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from core.settings import Settings
from voicera.testing import Answer, Client, Running, eventually, running_app, settings_for_tests

NewCall = Callable[..., dict[str, Any]]
NOBODYS = "018d54f1-2d40-7c11-8f5e-0242ac120002"
NO_RECORDING = {"code": "RECORDING_001", "message": "No recording for this call", "details": None}
NO_CALL = {"code": "CALL_001", "message": "Call log not found", "details": None}
WAV = {"Content-Type": "audio/wav"}
BYTE_RATE = 16_000


def wav(seconds: float = 1.0, fill: bytes = b"\1\2", *, length: int | None = None) -> bytes:
    data = fill * int(seconds * BYTE_RATE / len(fill))
    header = struct.pack("<HHIIHH", 1, 1, 8000, BYTE_RATE, 2, 16)
    size = len(data) if length is None else length
    head = b"RIFF" + struct.pack("<I", len(data) + 36) + b"WAVEfmt " + struct.pack("<I", 16) + header
    return head + b"data" + struct.pack("<I", size) + data


async def a_call(client: Client, call: NewCall, **given: Any) -> str:
    answer = await client.post("/call-logs", call(**given))
    assert answer.status == 201, answer.content
    identifier: str = answer.data["id"]
    return identifier


async def put(client: Client, call_id: str, file: bytes, **options: Any) -> Answer:
    return await client.put(f"/call-recordings/{call_id}", body=file, **{"headers": WAV, **options})


async def recorded(client: Client, call: NewCall, file: bytes) -> str:
    call_id = await a_call(client, call)
    answer = await put(client, call_id, file)
    assert answer.status == 201, answer.content
    return call_id


async def in_pieces(client: Client, call_id: str, pieces: AsyncIterator[bytes], **headers: str) -> Answer:
    """Upload chunked, so that no length is announced."""
    sent = {"Authorization": f"Bearer {client.token}", **WAV, **headers}
    url = f"{client.url}/call-recordings/{call_id}"
    async with client.session.put(url, data=pieces, headers=sent) as response:
        return Answer(response.status, response.headers, await response.read())


async def stored_objects(running: Running, client: Client) -> tuple[list[str], list[str]]:
    """The keys of the user's objects in storage, and of those that are being written in parts."""
    s3, bucket = await running.resources.storage.client(), running.resources.storage.bucket
    prefix = f"{client.user['id']}/"
    objects = await s3.list_objects_v2(Bucket=bucket, Prefix=prefix)
    begun = await s3.list_multipart_uploads(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for item in objects.get("Contents", [])], [item["Key"] for item in begun.get("Uploads", [])]


async def noted(running: Running, client: Client) -> int:
    """How many of the user's objects are written down as being written, or to be taken away."""
    statement = "SELECT count(*) FROM recording_uploads WHERE owner_id = $1"
    return int(await running.resources.db.pool.fetchval(statement, client.user["id"]))


async def only_what_is_recorded(running: Running, client: Client, count: int) -> None:
    """Wait until the user has so many objects, no parts, and nothing that is still to be done."""

    async def settled() -> bool:
        objects, parts = await stored_objects(running, client)
        return (len(objects), parts, await noted(running, client)) == (count, [], 0)

    await eventually(settled)


@pytest.fixture(scope="session")
async def roomy(stack: Settings) -> AsyncIterator[Running]:
    """An application that takes as many bytes as come."""
    environ = settings_for_tests(stack, {"VOICERA_RATE_LIMIT_UPLOAD": "1000GB/second"})
    async with running_app(environ, migrated=True) as app:
        yield app
