"""The recordings' endpoints over a real socket and a real S3 server: upload, look at, list, delete."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.settings import Settings
from voicera.testing import Client, Running, running_app, settings_for_tests


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


kit = _load(Path(__file__).with_name("recordings_kit.py"))
roomy = kit.roomy
a_call, in_pieces, put, recorded, wav = kit.a_call, kit.in_pieces, kit.put, kit.recorded, kit.wav
only_what_is_recorded, stored_objects = kit.only_what_is_recorded, kit.stored_objects
BYTE_RATE, NOBODYS, WAV = kit.BYTE_RATE, kit.NOBODYS, kit.WAV
NO_CALL, NO_RECORDING = kit.NO_CALL, kit.NO_RECORDING
NewCall = Callable[..., dict[str, Any]]
CHANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=8)
CUT = st.integers(0, 400)
ROUTES = [
    ("GET", ""),
    ("GET", f"/{NOBODYS}"),
    ("GET", f"/{NOBODYS}/download"),
    ("PUT", f"/{NOBODYS}"),
    ("DELETE", f"/{NOBODYS}"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_anonymous_callers_get_401_on_every_route(anonymous: Client, method: str, path: str) -> None:
    body = wav() if method == "PUT" else None
    answer = await anonymous.request(method, "/call-recordings" + path, body=body)
    assert (answer.status, answer.code) == (401, "AUTH_003")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("HEAD", "/download"), ("GET", "/download"), ("DELETE", "")])
async def test_a_neighbours_an_unknown_and_a_malformed_id_answer_the_same(
    user: Client, neighbour: Client, call: NewCall, method: str, path: str
) -> None:
    theirs = await recorded(neighbour, call, wav())
    without = await a_call(user, call)
    for identifier in (theirs, without, NOBODYS, "nonsense", "%00", "..%2f"):
        answer = await user.request(method, f"/call-recordings/{identifier}{path}")
        assert answer.status == 404, identifier
        assert method == "HEAD" or answer.error == NO_RECORDING, identifier
    assert (await neighbour.get(f"/call-recordings/{theirs}/download")).content == wav()


async def test_an_upload_to_a_call_that_is_not_the_owners_is_refused_before_it_is_read(
    running: Running, user: Client, neighbour: Client, call: NewCall
) -> None:
    theirs = await recorded(neighbour, call, wav(fill=b"\7\7"))
    for identifier in (theirs, NOBODYS):
        answer = await put(user, identifier, b"what this is, nobody looks at")
        assert (answer.status, answer.error) == (404, NO_CALL)
    assert (await put(user, "nonsense", wav())).error == NO_CALL
    assert await stored_objects(running, user) == ([], [])
    assert (await neighbour.get(f"/call-recordings/{theirs}/download")).content == wav(fill=b"\7\7")


class TestUpload:
    async def test_a_recording_is_stored_and_shown_as_the_reference_says(self, user: Client, call: NewCall) -> None:
        file = wav(2.4)
        call_id = await a_call(user, call, transcript="Whole " * 100)
        made = await put(user, call_id, file)
        shown = await user.get(f"/call-recordings/{call_id}")
        assert (made.status, shown.status) == (201, 200)
        assert made.data.keys() == shown.data.keys()
        assert shown.data.pop("download_url").startswith("http")
        assert shown.data.pop("created_at") == made.data["created_at"]
        data = {name: value for name, value in shown.data.items() if name not in ("download_url", "created_at")}
        assert data == {
            "call_id": call_id,
            "duration_seconds": 2,
            "duration_ms": 2400,
            "format": "wav",
            "codec": "pcm",
            "channels": 1,
            "sample_rate": 8000,
            "bits_per_sample": 16,
            "size_bytes": len(file),
            "sha256": hashlib.sha256(file).hexdigest(),
            "transcript": "Whole " * 100,
            "metadata": {"agent_id": None, "campaign_id": None, "phone_number": "+1234567890"},
        }

    @pytest.mark.parametrize("announced", [True, False])
    async def test_sizes_around_the_parts_come_back_byte_for_byte(
        self, roomy: Running, call: NewCall, *, announced: bool
    ) -> None:
        user = await roomy.client.new_user()
        part = 8 << 20
        for size in (46, part - 1, part, part + 1, 2 * part, 2 * part + 12_345):
            file = bytearray(wav(size / BYTE_RATE + 1)[:size])
            file[-2:] = b"\x42\x43"
            call_id = await a_call(user, call)

            async def pieces(file: bytes = bytes(file)) -> AsyncIterator[bytes]:
                for at in range(0, len(file), 700_001):
                    yield file[at : at + 700_001]

            answer = await (put(user, call_id, bytes(file)) if announced else in_pieces(user, call_id, pieces()))
            assert answer.status == 201, answer.content
            assert (answer.data["size_bytes"], answer.data["sha256"]) == (size, hashlib.sha256(file).hexdigest())
            assert (await user.get(f"/call-recordings/{call_id}/download")).content == file
        await only_what_is_recorded(roomy, user, 6)

    async def test_another_takes_the_place_of_the_first_and_its_object_goes(
        self, running: Running, user: Client, call: NewCall
    ) -> None:
        call_id = await recorded(user, call, wav(1))
        answer = await put(user, call_id, wav(3, b"\3\4"))
        assert (answer.status, answer.data["duration_seconds"]) == (200, 3)
        assert (await user.get(f"/call-recordings/{call_id}/download")).content == wav(3, b"\3\4")
        assert (await user.get("/call-recordings")).data["total"] == 1
        await only_what_is_recorded(running, user, 1)

    async def test_of_uploads_at_once_one_stays_whole_and_nothing_is_left_of_the_others(
        self, running: Running, user: Client, call: NewCall
    ) -> None:
        call_id = await a_call(user, call)
        files = [wav(1 + number / 8, bytes([number, number])) for number in range(1, 9)]
        answers = await asyncio.gather(*[put(user, call_id, file) for file in files])
        assert sorted(answer.status for answer in answers) == [200] * 7 + [201]
        kept = (await user.get(f"/call-recordings/{call_id}/download")).content
        assert kept in files
        shown = (await user.get(f"/call-recordings/{call_id}")).data
        assert shown["sha256"] == hashlib.sha256(kept).hexdigest()
        await only_what_is_recorded(running, user, 1)

    @pytest.mark.parametrize(
        ("file", "status"),
        [
            (b"", 422),
            (b"R", 422),
            (b"x", 415),
            (b"ID3" + bytes(5000), 415),
            (b"PK\3\4" + bytes(100), 415),
            (wav(0), 422),
            (wav()[:40], 422),
            (wav()[:44], 422),
        ],
    )
    async def test_what_is_no_wav_file_is_refused_and_the_earlier_recording_stays(
        self, running: Running, user: Client, call: NewCall, file: bytes, status: int
    ) -> None:
        call_id = await recorded(user, call, wav())
        answer = await put(user, call_id, file)
        assert (answer.status, answer.code) == (status, "RECORDING_002")
        assert (await user.get(f"/call-recordings/{call_id}/download")).content == wav()
        await only_what_is_recorded(running, user, 1)

    async def test_a_streamed_file_whose_header_knows_no_length_is_measured(self, user: Client, call: NewCall) -> None:
        for length in (0, 0xFFFFFFFF, 12, 1_000_000):
            answer = await put(user, await a_call(user, call), wav(1.5, length=length))
            assert (answer.status, answer.data["duration_ms"]) == (201, 1500)

    async def test_other_content_types_and_encodings_are_415(self, user: Client, call: NewCall) -> None:
        call_id = await a_call(user, call)
        for headers in ({"Content-Type": "audio/mpeg"}, {"Content-Type": "application/json"}):
            answer = await put(user, call_id, wav(), headers=headers)
            assert (answer.status, answer.code) == (415, "RECORDING_002")
        answer = await put(user, call_id, wav(), headers={**WAV, "Content-Encoding": "gzip"})
        assert (answer.status, answer.code) == (415, "RECORDING_002")
        for media in ("audio/x-wav", "audio/wave; codec=1", "Audio/VND.Wave", "application/octet-stream"):
            assert (await put(user, call_id, wav(), headers={"Content-Type": media})).status in (200, 201)

    async def test_a_file_over_the_limit_is_413_whether_announced_or_not(self, stack: Settings, call: NewCall) -> None:
        environ = settings_for_tests(stack, {"VOICERA_MAX_RECORDING_BYTES": "20000"})
        async with running_app(environ, migrated=True) as app:
            user = await app.client.new_user()
            call_id = await recorded(user, call, wav(1))

            async def pieces() -> AsyncIterator[bytes]:
                for _ in range(10):
                    yield wav(0.5)

            for answer in (await put(user, call_id, wav(2)), await in_pieces(user, call_id, pieces())):
                assert (answer.status, answer.code) == (413, "REQUEST_003")
            assert (await user.get(f"/call-recordings/{call_id}")).data["duration_ms"] == 1000
            await only_what_is_recorded(app, user, 1)

    @settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(changes=CHANGES, cut=CUT)
    async def test_mutated_files_are_taken_or_refused_in_the_one_shape(
        self, roomy: Running, call: NewCall, changes: list[tuple[int, int]], cut: int
    ) -> None:
        await check_mutated(*await _fuzzed(roomy, call), changes, cut)

    @pytest.mark.chaos
    @settings(max_examples=5_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(changes=CHANGES, cut=CUT)
    async def test_five_thousand_mutated_files_are_taken_or_refused(
        self, roomy: Running, call: NewCall, changes: list[tuple[int, int]], cut: int
    ) -> None:
        await check_mutated(*await _fuzzed(roomy, call), changes, cut)


async def check_mutated(user: Client, call_id: str, changes: list[tuple[int, int]], cut: int) -> None:
    file = bytearray(wav(0.02))
    for at, value in changes:
        file[at] = value
    answer = await put(user, call_id, bytes(file[:cut]))
    assert answer.status in (200, 201, 415, 422), answer.content
    assert answer.status < 300 or answer.code == "RECORDING_002"
    assert answer.json.keys() == {"success", "data", "error", "timestamp"}


_FUZZED: dict[str, tuple[Client, str]] = {}


async def _fuzzed(app: Running, call: NewCall) -> tuple[Client, str]:
    if app.url not in _FUZZED:
        user = await app.client.new_user()
        _FUZZED[app.url] = user, await a_call(user, call)
    return _FUZZED[app.url]


class TestList:
    async def test_a_neighbours_recordings_are_not_listed(self, user: Client, neighbour: Client, call: NewCall) -> None:
        await recorded(neighbour, call, wav())
        assert (await user.get("/call-recordings")).data == {"total": 0, "skip": 0, "limit": 50, "items": []}

    async def test_recordings_are_listed_by_call_the_newest_first(self, user: Client, call: NewCall) -> None:
        days = ("03", "01", "05", "02", "04")
        calls = {day: await a_call(user, call, created_at=f"2024-01-{day}T00:00:00Z") for day in days}
        for day in days:
            await put(user, calls[day], wav(int(day)))
        first = (await user.get("/call-recordings?limit=2")).data
        assert (first["total"], first["skip"], first["limit"]) == (5, 0, 2)
        assert [item["duration_seconds"] for item in first["items"]] == [5, 4]
        rest = (await user.get("/call-recordings?limit=10&skip=2")).data
        assert [item["call_id"] for item in rest["items"]] == [calls[day] for day in ("03", "02", "01")]
        shown = (await user.get(f"/call-recordings/{calls['05']}")).data
        assert first["items"][0] == {
            name: value for name, value in shown.items() if name not in ("download_url", "transcript")
        }

    async def test_unknown_parameters_are_refused(self, user: Client) -> None:
        assert (await user.get("/call-recordings?sort=size")).code == "REQUEST_001"
        assert (await user.get("/call-recordings?limit=1001")).code == "REQUEST_001"


async def test_a_deleted_recording_is_gone_from_everywhere(running: Running, user: Client, call: NewCall) -> None:
    call_id = await recorded(user, call, wav())
    assert (await user.delete(f"/call-recordings/{call_id}")).status == 204
    for answer in (await user.get(f"/call-recordings/{call_id}"), await user.delete(f"/call-recordings/{call_id}")):
        assert (answer.status, answer.error) == (404, NO_RECORDING)
    assert (await user.get("/call-recordings")).data["total"] == 0
    assert (await user.get(f"/call-logs/{call_id}")).status == 200
    await only_what_is_recorded(running, user, 0)
    assert (await put(user, call_id, wav())).status == 201


async def test_a_deleted_call_takes_its_recording_along(running: Running, user: Client, call: NewCall) -> None:
    call_id, other = await recorded(user, call, wav()), await recorded(user, call, wav(2))
    url = (await user.get(f"/call-logs/{call_id}")).data["recording_url"]
    async with user.session.get(url) as response:
        assert (response.status, await response.read()) == (200, wav())
    assert (await user.delete(f"/call-logs/{call_id}")).status == 204
    assert (await user.get(f"/call-recordings/{call_id}")).error == NO_RECORDING
    assert (await put(user, call_id, wav())).error == NO_CALL
    assert [item["call_id"] for item in (await user.get("/call-recordings")).data["items"]] == [other]
    await only_what_is_recorded(running, user, 1)
