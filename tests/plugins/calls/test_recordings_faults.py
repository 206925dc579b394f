"""What goes wrong with recordings: clients that vanish, crashes, a storage that is away. Nothing is left behind."""

from __future__ import annotations

import asyncio
import importlib.util
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from botocore.exceptions import ClientError

from core.settings import Settings
from plugins.calls.errors import CallNotFound
from plugins.calls.service import recordings, sweep, uploads
from voicera import Resources, Unavailable
from voicera.testing import Client, Running, eventually, running_app, settings_for_tests
from voicera.testing.patience import PATIENCE


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


kit = _load(Path(__file__).with_name("recordings_kit.py"))
roomy = kit.roomy
a_call, put, recorded, wav = kit.a_call, kit.put, kit.recorded, kit.wav
noted, only_what_is_recorded, stored_objects = kit.noted, kit.only_what_is_recorded, kit.stored_objects
NewCall = Callable[..., dict[str, Any]]
PART = 8 << 20


async def of(file: bytes, then: Callable[[], Any] | None = None) -> AsyncIterator[bytes]:
    """A body, and what happens before its end is seen."""
    for at in range(0, len(file), 100_000):
        yield file[at : at + 100_000]
    if then is not None:
        await then()


def owner(client: Client) -> UUID:
    return UUID(client.user["id"])


def later(resources: Resources, **time: float) -> Resources:
    return replace(resources, now=lambda: resources.now() + timedelta(**time))


class Raw:
    """An upload over a bare socket, that stops whenever it likes."""

    def __init__(self, client: Client, call_id: str) -> None:
        self._client, self._call_id = client, call_id

    async def start(self, framing: str) -> asyncio.StreamWriter:
        address = urlsplit(self._client.url)
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        head = (
            f"PUT /call-recordings/{self._call_id} HTTP/1.1\r\nHost: x\r\nContent-Type: audio/wav\r\n"
            f"Authorization: Bearer {self._client.token}\r\n{framing}\r\n\r\n"
        )
        writer.write(head.encode())
        return writer


class TestClientsThatVanish:
    @pytest.mark.parametrize("chunked", [False, True])
    async def test_an_upload_that_breaks_off_leaves_the_earlier_recording_and_no_parts(
        self, roomy: Running, call: NewCall, *, chunked: bool
    ) -> None:
        user = await roomy.client.new_user()
        call_id = await recorded(user, call, wav())
        file = wav(3 * PART / 16_000)
        writer = await Raw(user, call_id).start(
            "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(file)}"
        )
        sent = file[: 2 * PART + 5]
        writer.write(b"%x\r\n%b" % (len(sent) + 9, sent) if chunked else sent)

        async def parts_are_there() -> bool:
            return (await stored_objects(roomy, user))[1] != []

        await eventually(parts_are_there)
        writer.transport.abort()
        await only_what_is_recorded(roomy, user, 1)
        assert (await user.get(f"/call-recordings/{call_id}/download")).content == wav()

    async def test_at_whatever_moment_a_client_goes_storage_and_database_agree(
        self, roomy: Running, call: NewCall
    ) -> None:
        user, chance = await roomy.client.new_user(), random.Random(5)
        calls = [await a_call(user, call) for _ in range(40)]
        file = wav(PART / 16_000 + 1)

        async def come_and_go(call_id: str, file: bytes) -> None:
            writer = await Raw(user, call_id).start(f"Content-Length: {len(file)}")
            writer.write(file)
            await asyncio.sleep(chance.random() * 0.2)
            writer.transport.abort()

        for at in range(0, len(calls), 4):
            together = calls[at : at + 4]
            await asyncio.gather(
                *[come_and_go(call_id, file if n < 2 else wav()) for n, call_id in enumerate(together)]
            )
        pool = roomy.resources.db.pool
        await eventually(lambda: not roomy.resources.background._work)
        listed = (await user.get("/call-recordings?limit=1000")).data
        await only_what_is_recorded(roomy, user, listed["total"])
        for item in listed["items"]:
            answer = await user.get(f"/call-recordings/{item['call_id']}/download")
            assert answer.content in (file, wav())
        assert pool.get_idle_size() == pool.get_size()

    async def test_once_the_last_byte_is_here_the_upload_ends_without_the_client(
        self, running: Running, user: Client, call: NewCall
    ) -> None:
        call_id, ended = await a_call(user, call), asyncio.Event()

        async def tell() -> None:
            ended.set()

        body = of(wav(), tell)
        receiving = asyncio.create_task(uploads.receive(running.resources, owner(user), UUID(call_id), body))
        await ended.wait()
        await asyncio.sleep(0)
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
        assert receiving.cancelled()

        async def there() -> bool:
            return (await user.get(f"/call-recordings/{call_id}")).status == 200

        await eventually(there)
        await only_what_is_recorded(running, user, 1)

    async def test_a_download_that_breaks_off_costs_nothing(self, roomy: Running, call: NewCall) -> None:
        user = await roomy.client.new_user()
        call_id = await recorded(user, call, wav(5 * PART / 16_000))
        headers = {"Authorization": f"Bearer {user.token}"}
        for _ in range(10):
            url = f"{user.url}/call-recordings/{call_id}/download"
            async with user.session.get(url, headers=headers) as response:
                assert await response.content.readexactly(100_000)
                response.close()
        assert (await user.get(f"/call-recordings/{call_id}/download")).content == wav(5 * PART / 16_000)


class TestSlowClients:
    async def test_big_transfers_that_make_progress_outlive_the_grace(self, stack: Settings, call: NewCall) -> None:
        """The grace is half a second, and both transfers take several times as long, with pauses."""
        environ = settings_for_tests(
            stack, {"VOICERA_SLOW_CLIENT_GRACE": "0.5", "VOICERA_RATE_LIMIT_UPLOAD": "1GB/second"}
        )
        async with running_app(environ, migrated=True) as app:
            user = await app.client.new_user()
            call_id, file = await a_call(user, call), wav(2 * PART / 16_000)

            async def slowly() -> AsyncIterator[bytes]:
                for at in range(0, len(file), len(file) // 24):
                    await asyncio.sleep(0.1)
                    yield file[at : at + len(file) // 24]

            assert (await kit.in_pieces(user, call_id, slowly())).status == 201
            headers, got = {"Authorization": f"Bearer {user.token}"}, bytearray()
            async with user.session.get(f"{user.url}/call-recordings/{call_id}/download", headers=headers) as response:
                while piece := await response.content.read(len(file) // 24):
                    before, got = len(got) // 500_000, got + piece
                    if len(got) // 500_000 > before:
                        await asyncio.sleep(0.07)
            assert got == file

    async def test_an_upload_that_stands_still_is_ended_with_408_and_leaves_nothing(
        self, stack: Settings, call: NewCall
    ) -> None:
        environ = settings_for_tests(
            stack, {"VOICERA_SLOW_CLIENT_GRACE": "0.5", "VOICERA_RATE_LIMIT_UPLOAD": "1GB/second"}
        )
        async with running_app(environ, migrated=True) as app:
            user = await app.client.new_user()
            writer = await Raw(user, await a_call(user, call)).start("Content-Length: 50000000")
            writer.write(wav(2 * PART / 16_000))
            reader = asyncio.StreamReader()
            writer.transport.set_protocol(asyncio.StreamReaderProtocol(reader))
            async with asyncio.timeout(PATIENCE):
                assert b" 408 " in await reader.readline()
            writer.transport.abort()
            await only_what_is_recorded(app, user, 0)


class TestStorageAway:
    async def test_everything_that_needs_it_is_503_and_the_recording_is_served_again_later(
        self, stack: Settings, running: Running, user: Client, call: NewCall
    ) -> None:
        call_id = await recorded(user, call, wav())
        environ = settings_for_tests(stack, {"VOICERA_S3_ENDPOINT_URL": "http://127.0.0.1:1"})
        async with running_app(environ, migrated=True) as app:
            without = Client(app.url, app.client.session, user.token)
            for answer in (
                await put(without, call_id, wav(2)),
                await without.get(f"/call-recordings/{call_id}/download"),
            ):
                assert (answer.status, answer.code) == (503, "SERVER_002")
                assert "Retry-After" in answer.headers
            assert (await without.get(f"/call-recordings/{call_id}")).data["duration_seconds"] == 1
            assert (await without.get("/call-recordings")).data["total"] == 1
            assert (await without.delete(f"/call-recordings/{call_id}")).status == 204
        assert (await user.get(f"/call-recordings/{call_id}")).status == 404
        assert await noted(running, user) == 2  # the upload that failed, and the deleted one
        await sweep.sweep(later(running.resources, hours=2))
        await only_what_is_recorded(running, user, 0)


class TestSweep:
    async def test_what_a_crashed_upload_left_goes_after_an_hour(self, roomy: Running, call: NewCall) -> None:
        user = await roomy.client.new_user()
        resources, call_id = roomy.resources, await recorded(user, call, wav())
        crashed = uploads.Upload(resources, owner(user), UUID(call_id))
        await crashed.feed(wav(2 * PART / 16_000))
        await crashed._written()
        assert [len(found) for found in await stored_objects(roomy, user)] == [1, 1]
        await sweep.sweep(later(resources, minutes=55))
        assert [len(found) for found in await stored_objects(roomy, user)] == [1, 1]
        await sweep.sweep(later(resources, minutes=65))
        await only_what_is_recorded(roomy, user, 1)
        with pytest.raises(ClientError):  # it comes back to life, too late
            await crashed.complete(crashed.ended())
        await only_what_is_recorded(roomy, user, 1)
        assert (await user.get(f"/call-recordings/{call_id}/download")).content == wav()

    async def test_an_upload_that_was_given_up_cannot_become_the_recording(
        self, running: Running, user: Client, call: NewCall
    ) -> None:
        call_id = UUID(await a_call(user, call))
        late = uploads.Upload(running.resources, owner(user), call_id)
        await late.feed(wav())
        await late._note()
        await sweep.sweep(later(running.resources, minutes=65))
        with pytest.raises(Unavailable):
            await late._save(late.ended())
        assert (await user.get(f"/call-recordings/{call_id}")).status == 404

    async def test_a_crash_between_commit_and_deletion_leaves_nothing(
        self, running: Running, user: Client, call: NewCall
    ) -> None:
        call_id = await recorded(user, call, wav())
        async with running.resources.db.tx() as connection:
            await recordings.forget(connection, owner(user), UUID(call_id), running.resources.now())
        assert [len(found) for found in await stored_objects(running, user)] == [1, 0]
        await sweep.sweep(running.resources)
        await only_what_is_recorded(running, user, 0)

    async def test_it_takes_no_recording_and_one_worker_does_it(
        self, running: Running, user: Client, call: NewCall
    ) -> None:
        call_id = await recorded(user, call, wav())
        await sweep.sweep(later(running.resources, days=365))
        sweep.remove_soon(running.resources, owner(user), (await stored_objects(running, user))[0][0])
        await eventually(lambda: not running.resources.background._work)
        assert (await user.get(f"/call-recordings/{call_id}/download")).content == wav()
        async with running.resources.db.tx() as connection:
            await recordings.forget(connection, owner(user), UUID(call_id), running.resources.now())
        async with running.resources.db.tx() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('voicera recordings sweep'))")
            assert await sweep.sweep(running.resources) == 0
        await sweep.sweep(running.resources)
        await only_what_is_recorded(running, user, 0)


class TestCallsThatAreDeleted:
    async def test_a_call_that_goes_during_the_upload_gets_no_recording(
        self, running: Running, user: Client, call: NewCall
    ) -> None:
        call_id = UUID(await a_call(user, call))

        async def delete() -> None:
            statement = "DELETE FROM call_logs WHERE owner_id = $1 AND id = $2"
            await running.resources.db.pool.execute(statement, owner(user), call_id)

        with pytest.raises(CallNotFound):
            await uploads.receive(running.resources, owner(user), call_id, of(wav(), delete))
        await only_what_is_recorded(running, user, 0)

    async def test_the_recording_goes_in_the_transaction_of_the_call(
        self, running: Running, user: Client, call: NewCall
    ) -> None:
        call_id, without = UUID(await recorded(user, call, wav())), UUID(await a_call(user, call))
        resources = running.resources

        async def forget_and_fail() -> None:
            async with resources.db.tx() as connection:
                assert await recordings.forget(connection, owner(user), call_id, resources.now())
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await forget_and_fail()
        assert (await user.get(f"/call-recordings/{call_id}/download")).content == wav()
        async with resources.db.tx() as connection:
            key = await recordings.forget(connection, owner(user), call_id, resources.now())
            assert await recordings.forget(connection, owner(user), without, resources.now()) is None
        recordings.discard(resources, owner(user), key)
        recordings.discard(resources, owner(user), None)
        await only_what_is_recorded(running, user, 0)
