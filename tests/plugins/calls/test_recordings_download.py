"""Downloading recordings: whole, in ranges, by a presigned address; each byte as it was sent, to nobody else."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from core.settings import Settings
from voicera.testing import Answer, Client, Running, eventually, running_app, settings_for_tests


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


kit = _load(Path(__file__).with_name("recordings_kit.py"))
a_call, put, recorded, wav = kit.a_call, kit.put, kit.recorded, kit.wav
NewCall = Callable[..., dict[str, Any]]
FILE = bytes(wav(1)[:44]) + bytes(number % 251 for number in range(16_000))
SIZE = len(FILE)


async def download(client: Client, call_id: str, method: str = "GET", **headers: str) -> Answer:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.request(method, f"/call-recordings/{call_id}/download", headers=sent)


class TestDownload:
    async def test_the_whole_file_comes_with_all_that_players_and_caches_ask(self, user: Client, call: NewCall) -> None:
        call_id = await recorded(user, call, FILE)
        answer = await download(user, call_id)
        assert (answer.status, answer.content) == (200, FILE)
        sha256 = (await user.get(f"/call-recordings/{call_id}")).data["sha256"]
        expected = {
            "Content-Type": "audio/wav",
            "Content-Length": str(SIZE),
            "Accept-Ranges": "bytes",
            "ETag": f'"{sha256}"',
            "Cache-Control": "private, no-cache",
            "X-Content-Type-Options": "nosniff",
            "Content-Disposition": f'attachment; filename="{call_id}.wav"',
        }
        assert {name: answer.headers.get(name) for name in expected} == expected
        assert "Transfer-Encoding" not in answer.headers
        head = await download(user, call_id, "HEAD")
        assert (head.status, head.content) == (200, b"")
        assert {name: head.headers.get(name) for name in expected} == expected

    @pytest.mark.parametrize(
        ("asked", "first", "last"),
        [
            ("bytes=0-0", 0, 0),
            ("bytes=0-", 0, SIZE - 1),
            ("bytes=100-199", 100, 199),
            ("Bytes=100-", 100, SIZE - 1),
            ("bytes=-1", SIZE - 1, SIZE - 1),
            ("bytes=-500", SIZE - 500, SIZE - 1),
            (f"bytes=-{SIZE * 9}", 0, SIZE - 1),
            (f"bytes={SIZE - 1}-", SIZE - 1, SIZE - 1),
            (f"bytes=5-{SIZE * 10**9}", 5, SIZE - 1),
        ],
    )
    async def test_a_range_gives_just_these_bytes(
        self, user: Client, call: NewCall, asked: str, first: int, last: int
    ) -> None:
        call_id = await recorded(user, call, FILE)
        answer = await download(user, call_id, Range=asked)
        assert (answer.status, answer.content) == (206, FILE[first : last + 1])
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{SIZE}"
        assert answer.headers["Content-Length"] == str(last - first + 1)

    @pytest.mark.parametrize(
        "asked", [f"bytes={SIZE}-", f"bytes={SIZE + 5}-{SIZE + 9}", "bytes=-0", f"bytes={10**17}-"]
    )
    async def test_a_range_beyond_the_end_is_416_and_says_how_long_the_file_is(
        self, user: Client, call: NewCall, asked: str
    ) -> None:
        answer = await download(user, await recorded(user, call, FILE), Range=asked)
        assert (answer.status, answer.code) == (416, "REQUEST_001")
        assert answer.headers["Content-Range"] == f"bytes */{SIZE}"

    @pytest.mark.parametrize(
        "asked",
        ["bytes=", "bytes=-", "bytes=9-1", "bytes=a-b", "items=0-1", "0-1", "bytes=0-1,5-9", f"bytes=0-{10**30}"],
    )
    async def test_a_range_that_is_not_served_is_answered_with_the_whole(
        self, user: Client, call: NewCall, asked: str
    ) -> None:
        answer = await download(user, await recorded(user, call, FILE), Range=asked)
        assert (answer.status, answer.content) == (200, FILE)

    async def test_if_range_keeps_a_resumed_download_from_mixing_two_files(self, user: Client, call: NewCall) -> None:
        call_id = await recorded(user, call, FILE)
        tag = (await download(user, call_id)).headers["ETag"]
        assert (await download(user, call_id, Range="bytes=9-", If_Range=tag)).status == 206
        await put(user, call_id, wav(2))
        changed = await download(user, call_id, Range="bytes=9-", If_Range=tag)
        assert (changed.status, changed.content) == (200, wav(2))
        for other in ("W/" + tag, "Mon, 29 Jan 2024 10:30:00 GMT", '""'):
            assert (await download(user, call_id, Range="bytes=9-", If_Range=other)).status == 200

    async def test_who_has_it_already_gets_304(self, user: Client, call: NewCall) -> None:
        call_id = await recorded(user, call, FILE)
        tag = (await download(user, call_id)).headers["ETag"]
        for names in (tag, f"W/{tag}", f'"x", {tag}', "*"):
            answer = await download(user, call_id, If_None_Match=names, Range="bytes=0-1")
            assert (answer.status, answer.content, answer.headers["ETag"]) == (304, b"", tag)
        assert (await download(user, call_id, If_None_Match='"x"')).status == 200
        assert (await download(user, call_id, If_None_Match="nonsense")).status == 400

    async def test_a_file_of_several_windows_comes_in_order_from_any_place(self, user: Client, call: NewCall) -> None:
        file = FILE + bytes(number * 7 % 256 for number in range(3_500_000))
        call_id = await recorded(user, call, file)
        assert (await download(user, call_id)).content == file
        assert (await download(user, call_id, Range="bytes=1048575-3145729")).content == file[1048575:3145730]


class TestPresigned:
    async def test_the_address_works_without_a_token_and_for_nothing_else(self, user: Client, call: NewCall) -> None:
        call_id, other = await recorded(user, call, FILE), await recorded(user, call, wav(2))
        url = (await user.get(f"/call-recordings/{call_id}")).data["download_url"]
        second = (await user.get(f"/call-recordings/{other}")).data["download_url"]
        query = parse_qs(urlsplit(url).query)
        assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
        assert query["X-Amz-Expires"] == ["900"]
        assert await ask(user, url) == (200, FILE)
        refused = [
            ("GET", url.replace(urlsplit(url).path, urlsplit(second).path)),
            ("GET", url[:-1] + ("0" if url[-1] != "0" else "1")),
            ("GET", url.replace("X-Amz-Expires=900", "X-Amz-Expires=9000")),
            ("GET", url.partition("?")[0]),
            ("PUT", url),
            ("DELETE", url),
        ]
        for method, address in refused:
            assert (await ask(user, address, method))[0] == 403, (method, address)
        assert await ask(user, url) == (200, FILE)

    async def test_it_stops_working(self, running: Running, user: Client, call: NewCall) -> None:
        call_id = await recorded(user, call, FILE)
        key = urlsplit((await user.get(f"/call-recordings/{call_id}")).data["download_url"]).path.split("/", 2)[2]

        async def works() -> str | None:
            """An address of one second that has been used within it, which takes a few on a slow machine."""
            short: str = await running.resources.storage.presign("GET", key, 1)
            return short if (await ask(user, short))[0] == 200 else None

        short = await eventually(works)

        async def ended() -> bool:
            return (await ask(user, short))[0] == 403

        await eventually(ended)

    async def test_it_names_the_public_endpoint_and_is_signed_for_it(self, stack: Settings, call: NewCall) -> None:
        public = {"VOICERA_S3_PUBLIC_URL": "https://audio.example.com/s3/"}
        async with running_app(settings_for_tests(stack, public), migrated=True) as app:
            user = await app.client.new_user()
            call_id = await recorded(user, call, FILE)
            url = (await user.get(f"/call-recordings/{call_id}")).data["download_url"]
        assert url.startswith(f"https://audio.example.com/s3/recordings/{user.user['id']}/{call_id}/")
        assert parse_qs(urlsplit(url).query)["X-Amz-SignedHeaders"] == ["host"]


async def ask(client: Client, url: str, method: str = "GET") -> tuple[int, bytes]:
    """Ask the S3 server, as somebody without any token."""
    async with client.session.request(method, url) as response:
        return response.status, await response.read()
