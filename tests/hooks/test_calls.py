"""The examples of the hooks around call logs do what docs/hooks.md says, in a running application."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4, uuid5

from voicera.testing import Client, Running, a_call, statements_of

Installed = Callable[..., dict[str, str]]


def owner_of(client: Client) -> UUID:
    return UUID(client.user["user"]["id"])


async def total(client: Client, **params: str) -> int:
    found: int = (await client.get("/call-logs", params=params)).data["total"]
    return found


async def export(environ: dict[str, str], folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run `voicera export calls`."""
    done = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voicera.testing", "export", "calls", *arguments),
        env=environ,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(done.communicate(), 60)
    return done.returncode or 0, out.decode(), err.decode()


async def test_calls_recording(user: Client) -> None:
    """A batch with one call to a country that is not served is refused, and nothing of it is recorded."""
    refused = await user.post("/call-logs/batch", [a_call(), a_call(phone_number="+33123456789")])
    assert (refused.status, refused.code) == (409, "SERVED_001")
    assert await total(user) == 0
    assert (await user.post("/call-logs/batch", [a_call(), a_call(phone_number="+49123456789")])).status == 201
    assert await total(user) == 2


async def test_calls_recorded(app: Running, user: Client, neighbour: Client) -> None:
    """The counter in the cache follows the calls, each once, for each owner apart."""
    known = a_call()
    assert (await user.post("/call-logs", known)).status == 201
    assert (await user.post("/call-logs/batch", [known, a_call(), a_call()])).data["duplicates"] == 1
    assert (await neighbour.post("/call-logs", a_call())).status == 201
    await app.settled()
    assert [(await client.get("/calls-today")).data for client in (user, neighbour)] == [3, 1]


async def test_calls_changing(user: Client) -> None:
    """A call under a legal hold is neither changed nor deleted."""
    held = (await user.post("/call-logs", a_call(metadata={"hold": True}))).data
    free = (await user.post("/call-logs", a_call(metadata={"hold": False}))).data
    for answer in (
        await user.patch(f"/call-logs/{held['id']}", {"summary": "Nothing was said."}),
        await user.delete(f"/call-logs/{held['id']}"),
    ):
        assert (answer.status, answer.code) == (409, "HOLD_001")
    assert (await user.get(f"/call-logs/{held['id']}")).data["summary"] == held["summary"]
    assert (await user.delete(f"/call-logs/{free['id']}")).status == 204


async def test_calls_changed(app: Running, user: Client, neighbour: Client) -> None:
    """A call goes on the list when its caller turns out to be unhappy, and leaves it with the next change."""
    call = (await user.post("/call-logs", a_call(sentiment=None))).data
    for sentiment, expected in (("negative", [call["id"]]), ("neutral", []), ("negative", [call["id"]])):
        assert (await user.patch(f"/call-logs/{call['id']}", {"sentiment": sentiment})).status == 200
        await app.settled()
        assert (await user.get("/unhappy-calls")).data == expected
        assert (await neighbour.get("/unhappy-calls")).data == []
    assert (await user.delete(f"/call-logs/{call['id']}")).status == 204
    await app.settled()
    assert (await user.get("/unhappy-calls")).data == []


async def test_count_calls(app: Running, user: Client, neighbour: Client) -> None:
    """The total of a list without filters comes from the plugin's row, and is exact after every write."""
    calls = [(await user.post("/call-logs", a_call())).data for _ in range(3)]
    async with statements_of(app) as statements:
        assert await total(user) == 3
        assert any("call_totals" in statement for statement in statements)
    assert (await user.delete(f"/call-logs/{calls[0]['id']}")).status == 204
    refused = await user.post("/call-logs/batch", [a_call(), a_call(phone_number="+33123456789")])
    assert refused.status == 409
    assert [await total(user), await total(neighbour)] == [2, 0]
    async with statements_of(app) as statements:
        assert await total(user, status="completed") == 2
        assert not any("call_totals" in statement for statement in statements)


async def test_seek_calls(app: Running, user: Client) -> None:
    """A campaign's calls are found where the plugin says, and the analytics are not asked any more."""
    agent = (await user.post("/agents", {"name": "Reception"})).data
    campaign = (await user.post("/campaigns", {"name": "Spring", "agent_id": agent["id"]})).data
    ours = {"campaign_id": campaign["id"], "agent_id": agent["id"]}
    calls = [(await user.post("/call-logs", a_call(**ours))).data["id"] for _ in range(3)]
    early = (await user.post("/call-logs", a_call(**ours, created_at="2020-01-01T00:00:00Z"))).data["id"]
    plugins = ("example_seek_calls", "analytics")
    figures = [app.resources.hooks.figures.of(plugin, "seek_calls") for plugin in plugins]
    before = [figure.calls for figure in figures]
    page = (await user.get("/call-logs", params={**ours, "limit": "2"})).data
    assert ([call["id"] for call in page["items"]], page["total"]) == ([calls[2], calls[1]], 4)
    assert [figure.calls - earlier for figure, earlier in zip(figures, before, strict=True)] == [1, 0]
    page = (await user.get("/call-logs", params=ours)).data
    assert [call["id"] for call in page["items"]] == [*reversed(calls), early]


async def test_known_agents(without_agents: Running) -> None:
    """Calls may name the agents that the plugin knows, and no others."""
    user = await without_agents.client.new_user()
    sales = str(uuid5(owner_of(user), "sales"))
    made = await user.post("/call-logs", a_call(agent_id=sales))
    assert (made.status, made.data["agent_id"]) == (201, sales)
    refused = await user.post("/call-logs", a_call(agent_id=str(uuid4())))
    assert (refused.status, refused.error["details"]) == (422, [{"field": "agent_id", "message": "does not exist"}])


async def test_known_campaigns(without_cache: Running) -> None:
    """Calls may name the campaigns that the plugin knows, and no others."""
    user = await without_cache.client.new_user()
    dialed = str(uuid5(owner_of(user), "2026"))
    made = await user.post("/call-logs", a_call(campaign_id=dialed))
    assert (made.status, made.data["campaign_id"]) == (201, dialed)
    refused = await user.post("/call-logs", a_call(campaign_id=str(uuid4())))
    assert (refused.status, refused.error["details"]) == (422, [{"field": "campaign_id", "message": "does not exist"}])


async def test_find_owner(app: Running, user: Client, installed: Installed, tmp_path: Path) -> None:
    """`voicera export calls --owner` takes a customer number, and says so where there is none."""
    call = (await user.post("/call-logs", a_call())).data
    (tmp_path / "customers.csv").write_text(f"customer,owner_id\nC-4711,{owner_of(user)}\n")
    environ = installed("find_owner", app)
    code, out, _ = await export(environ, tmp_path, "--owner", "C-4711")
    assert (code, call["id"] in out, len(out.splitlines())) == (0, True, 1)
    code, out, err = await export(environ, tmp_path, "--owner", "C-1")
    assert (code, out, err) == (1, "", "voicera: no account has the e-mail C-1\n")


async def test_calls_receiving(user: Client) -> None:
    """The dialer's message becomes call logs, once; other sources are not the plugin's."""
    message = [
        {"ref": "7", "to": "0049301234567", "secs": 31, "result": "ANSWER"},
        {"ref": "8", "to": "0049301234568", "secs": 0, "result": "BUSY"},
    ]
    for status, created in ((201, 2), (200, 0)):
        sent = await user.post("/call-logs/from/dialer", message)
        assert (sent.status, sent.data["created"]) == (status, created)
    found = (await user.get("/call-logs")).data["items"]
    assert {(call["external_id"], call["phone_number"], call["status"]) for call in found} == {
        ("dialer-7", "+49301234567", "completed"),
        ("dialer-8", "+49301234568", "busy"),
    }
    assert (await user.post("/call-logs/from/dialer", {"ping": 1})).code == "REQUEST_002"
    assert (await user.post("/call-logs/from/another", message)).code == "CALL_004"


async def test_record_calls(user: Client) -> None:
    """The route records what stands in the CSV, all or nothing, by the rules that hold for call logs."""
    csv = {"Content-Type": "text/csv"}
    lines = b"phone_number,status,summary\n+4930123456,completed,Sold\n+4930123457,busy,\n"
    made = await user.post("/calls.csv", body=lines, headers=csv)
    assert (made.status, made.data) == (201, 2)
    refused = await user.post("/calls.csv", body=lines + b"+4930123458,asleep,\n", headers=csv)
    assert (refused.code, [each["field"] for each in refused.error["details"]]) == ("REQUEST_002", ["[2].status"])
    assert await total(user) == 2


async def test_read_call(user: Client, neighbour: Client) -> None:
    """The route tells of the caller's own calls, and of no others."""
    call = (await user.post("/call-logs", a_call(summary="Wants a refund."))).data
    path = f"/call-headlines/{call['id']}"
    assert (await user.get(path)).data == "+1234567890, completed: Wants a refund."
    assert (await neighbour.get(path)).status == 404
    assert (await user.get(path, token="")).status == 401


async def test_register_call_filters(user: Client, neighbour: Client) -> None:
    """The filter works in the list, in the export and in the analytics, for the caller's calls alone."""
    transcripts = ["I want a REFUND.", "Hello.", None]
    calls = [(await user.post("/call-logs", a_call(transcript=text))).data for text in transcripts]
    assert (await neighbour.post("/call-logs", a_call(transcript="A refund!"))).status == 201
    said = {"said": "refund"}
    page = (await user.get("/call-logs", params=said)).data
    assert (page["total"], [call["id"] for call in page["items"]]) == (1, [calls[0]["id"]])
    assert (await user.get("/call-logs/export", params=said)).content.count(b"\n") == 1
    assert (await user.get("/analytics/calls", params=said)).data["total_calls"] == 1
    refused = await user.get("/call-logs", params={"said": "x"})
    assert (refused.code, refused.error["details"][0]["field"]) == ("REQUEST_001", "said")


async def test_register_export_formats(app: Running, user: Client, installed: Installed, tmp_path: Path) -> None:
    """`voicera export calls` writes the format that the file's ending names."""
    call = (await user.post("/call-logs", a_call(transcript="Agent: Hello."))).data
    environ = installed("register_export_formats", app)
    code, _, err = await export(environ, tmp_path, "--owner", str(owner_of(user)), "-o", "calls.txt")
    assert (code, "exported 1 calls" in err) == (0, True)
    assert (tmp_path / "calls.txt").read_text() == f"# {call['created_at']} +1234567890\n\nAgent: Hello.\n\n"
