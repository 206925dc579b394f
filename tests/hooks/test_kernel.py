"""The examples of the kernel's hooks do what docs/hooks.md says, in a running application."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from uuid import UUID

import pytest

from voicera import hookimpl
from voicera.testing import Client, Clock, Running, a_call, clock_of

Example = Callable[[str], ModuleType]
SILENCE = bytes(16_000)
WAV = struct.pack(
    "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(SILENCE), b"WAVE", b"fmt ", 16, 1, 1, 8000, 16_000, 2, 16, b"data", 16_000
)


async def test_register_hookspecs(app: Running, user: Client) -> None:
    """What a plugin asks by a hook of its own, another plugin answers."""
    call = (await user.post("/call-logs", a_call())).data
    assert (await user.get(f"/call-prices/{call['id']}")).data is None
    tariff = ModuleType("tariff")

    @hookimpl
    async def price_of_call(call_id: UUID) -> float | None:
        return 0.25 if str(call_id) == call["id"] else None

    vars(tariff)["price_of_call"] = price_of_call
    manager = app.app.ctx.plugins._manager
    manager.register(tariff)
    app.resources.hooks.forget()
    try:
        assert (await user.get(f"/call-prices/{call['id']}")).data == 0.25
    finally:
        manager.unregister(tariff)
        app.resources.hooks.forget()


async def test_register_settings(app: Running) -> None:
    """The plugin reads its setting from the environment, here VOICERA_OFFICE_OPENS=10."""
    with clock_of(app.resources, Clock(datetime.now(UTC).replace(hour=9, minute=59))) as clock:
        assert (await app.client.get("/office/open")).data is False
        clock.move(minutes=1)
        assert (await app.client.get("/office/open")).data is True


async def test_register_blueprints(user: Client, neighbour: Client) -> None:
    """The route answers about the caller's own calls, and no others."""
    assert (await user.get("/callers/+491", token="")).status == 401
    calls = [(await user.post("/call-logs", a_call(phone_number="+4930123456"))).data for _ in range(2)]
    found = (await user.get("/callers/+4930123456")).data
    assert found == {"calls": 2, "last": max(call["created_at"] for call in calls)}
    assert (await neighbour.get("/callers/+4930123456")).data == {"calls": 0, "last": None}


async def test_register_piccolo_apps(user: Client, neighbour: Client) -> None:
    """The plugin's migration has run, and its table keeps what the route is given."""
    assert (await user.post("/callbacks", {"phone_number": "+4930111111"})).data == ["+4930111111"]
    assert (await user.post("/callbacks", {"phone_number": "+4930222222"})).data == ["+4930111111", "+4930222222"]
    assert (await neighbour.post("/callbacks", {"phone_number": "+4930333333"})).data == ["+4930333333"]


async def test_register_errors(app: Running) -> None:
    """The route answers with the plugin's error, and the list of errors names the plugin."""
    assert (await app.client.get("/country-codes/49")).data == "Germany"
    refused = await app.client.get("/country-codes/999")
    assert (refused.status, refused.error) == (
        404,
        {"code": "COUNTRY_001", "message": "No country has this code", "details": "there are 1, 33, 44, 49"},
    )
    listed = {entry["code"]: entry["plugin"] for entry in (await app.client.get("/errors")).data}
    assert listed["COUNTRY_001"] == "example_register_errors"


async def test_register_rate_limits(user: Client, neighbour: Client) -> None:
    """The bucket is the route's own: it empties for one user, while other routes and users go on."""
    answers = [await user.get("/lookups/+4915112345") for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert (answers[0].data, answers[0].headers["X-RateLimit-Limit"], answers[3].code) == ("mobile", "3", "RATE_001")
    assert (await user.get("/call-logs")).status == 200
    assert (await neighbour.get("/lookups/+4930")).data == "unknown"


async def test_register_commands(
    app: Running, user: Client, installed: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    """`voicera unanswered` is a command then, and reads the database of the service."""
    assert (await user.post("/call-logs", a_call(status="no_answer"))).status == 201
    done = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voicera.testing", "unanswered"),
        env=installed("register_commands", app),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(done.communicate(), 60)
    async with app.resources.db.connection() as connection:
        calls = await connection.fetchval("SELECT count(*) FROM call_logs WHERE status = 'no_answer'")
    assert (done.returncode, out.decode(), err.decode()) == (0, f"{calls} calls were not answered\n", "")


async def test_open_storage(app: Running, user: Client, data_dir: Path) -> None:
    """Recordings are kept in the directory: uploaded, read in ranges, and gone when they are deleted."""
    assert (await app.client.get("/readiness")).data["storage"] == "ok"
    call = (await user.post("/call-logs", a_call())).data
    path = f"/call-recordings/{call['id']}"
    made = await user.put(path, body=WAV + SILENCE, headers={"Content-Type": "audio/wav"})
    assert (made.status, made.data["duration_seconds"]) == (201, 1)
    assert made.data["download_url"].startswith("https://recordings.example.com/recordings/")
    (kept,) = (data_dir / "recordings").iterdir()
    assert kept.read_bytes() == WAV + SILENCE
    assert (await user.get(f"{path}/download", headers={"Range": "bytes=0-3"})).content == b"RIFF"
    assert (await user.delete(path)).status == 204
    await app.settled()
    assert not kept.exists()


async def test_readiness_checks(app: Running, named_example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    """`/readiness` says whether the CRM answers, and is 503 while it does not."""
    with socket.create_server(("127.0.0.1", 0)) as crm:
        monkeypatch.setattr(named_example("readiness_checks"), "CRM", crm.getsockname())
        answer = await app.client.get("/readiness")
        assert (answer.status, answer.data["crm"]) == (200, "ok")
    answer = await app.client.get("/readiness")
    assert (answer.status, answer.data["crm"], answer.data["database"]) == (503, "unavailable", "ok")


async def test_lifespan(app: Running) -> None:
    """What was read when the worker started is there while it runs."""
    assert (await app.client.get("/holidays")).data == ["2026-12-25", "2027-01-01"]


async def test_authenticate(app: Running, user: Client) -> None:
    """A certificate is as good as a token for what its scopes allow, and a token works as before."""
    owner_id = user.user["user"]["id"]
    certificate = {"X-Client-Cert-Serial": "4711", "X-Client-Cert-CN": owner_id}
    assert (await app.client.post("/call-logs", a_call(), headers=certificate)).status == 201
    assert (await user.get("/call-logs")).data["total"] == 1
    assert (await app.client.get("/agents", headers=certificate)).code == "AUTH_004"
    refused = await app.client.get("/call-logs", headers={**certificate, "X-Client-Cert-CN": "nobody"})
    assert (refused.status, refused.error["details"]) == (401, "the certificate names no owner")
    assert (await app.client.get("/call-logs")).code == "AUTH_003"


async def test_session_ended(without_cache: Running, named_example: Example) -> None:
    """While the cache is down, a certificate is refused once it stands in the file, and others are not."""
    owner_id = (await without_cache.client.new_user()).user["user"]["id"]
    revoked = named_example("session_ended").REVOKED
    revoked.write_text("")
    held = [{"X-Client-Cert-Serial": serial, "X-Client-Cert-CN": owner_id} for serial in ("1", "2")]
    for headers in held:
        assert (await without_cache.client.get("/call-logs", headers=headers)).status == 200
    revoked.write_text(f"{owner_id} 1\n")
    answers = [await without_cache.client.get("/call-logs", headers=headers) for headers in held]
    assert [answer.status for answer in answers] == [401, 200]
    assert answers[0].error["details"] == "the session has ended"
