"""The feed against a running service: what is told, to whom, for how long, and what is said where it cannot be."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from voicera.testing import Answer, Client, Clock, Running, a_call, check_plugin, eventually

import voicera_activity
from voicera_activity import keeping, queries, tally

MINUTES = 6  # for which entries are kept here
TestConformance = check_plugin(voicera_activity)


@pytest.fixture
def voicera_environ() -> dict[str, str]:
    """Campaigns end soon after their time has come, and entries are old before the tokens of the tests are."""
    return {"VOICERA_CAMPAIGN_SCHEDULE_SECONDS": "0.1", "VOICERA_ACTIVITY_DAYS": str(MINUTES / (24 * 60))}


async def feed(app: Running, client: Client, query: str = "") -> list[dict[str, Any]]:
    """The entries of a client's feed, newest first, when all events have been heard."""
    await app.settled()
    return list((await client.get(f"/activity{query}")).data["items"])


async def told(app: Running, client: Client) -> list[tuple[str, str | None]]:
    """What the feed tells: the kinds and the names."""
    return [(entry["kind"], entry["name"]) for entry in await feed(app, client)]


async def counted(app: Running, client: Client, kind: str) -> dict[str, Any]:
    """The entry of a kind of calls, once all that was counted is written, be it by the loop of the worker."""
    await app.settled()
    await tally.write(app.resources)
    (entry,) = await eventually(lambda: feed(app, client, f"?kind={kind}"))
    return dict(entry)


async def done(clock: Clock, answer: Answer) -> Any:
    """What an answer that succeeded holds, and a second goes by."""
    assert answer.status < 300, answer.content
    clock.move(seconds=1)
    return answer.data if answer.content else None


async def campaign(client: Client, clock: Clock, **fields: Any) -> str:
    """Make a campaign that can be launched; its path."""
    agent = await done(clock, await client.post("/agents", {"name": "Ada"}))
    end = (clock.now + timedelta(days=2)).isoformat()
    wanted = {"name": "Spring", "agent_id": agent["id"], "phone_numbers": ["+1234567890"], "end_time": end, **fields}
    return f"/campaigns/{(await done(clock, await client.post('/campaigns', wanted)))['id']}"


class TestFeed:
    @pytest.mark.parametrize("path", ["/activity", "/activity/card"])
    async def test_anonymous_callers_get_401(self, anonymous: Client, path: str) -> None:
        answer = await anonymous.get(path)
        assert (answer.status, answer.code) == (401, "AUTH_003")

    async def test_a_neighbours_activity_is_not_seen(
        self, voicera_app: Running, user: Client, neighbour: Client, clock: Clock
    ) -> None:
        await campaign(neighbour, clock)
        assert [entry["kind"] for entry in await feed(voicera_app, user)] == ["account.created"]
        assert (await user.get("/activity")).data["total"] == 1
        assert [row["what"] for row in (await user.get("/activity/card")).data] == ["Account created"]

    async def test_it_begins_with_the_account(self, voicera_app: Running, user: Client) -> None:
        account = user.user["user"]
        (entry,) = await feed(voicera_app, user)
        assert (entry["kind"], entry["subject_id"]) == ("account.created", account["id"])
        assert entry["name"] == f"{account['first_name']} {account['last_name']}"

    async def test_agents_are_told_of_with_their_names(self, voicera_app: Running, user: Client, clock: Clock) -> None:
        """One that was deleted is called as it was last."""
        agent = await done(clock, await user.post("/agents", {"name": "Ada"}))
        path = f"/agents/{agent['id']}"
        await voicera_app.settled()
        changed = await done(clock, await user.patch(path, {"name": "Grace"}))
        await voicera_app.settled()
        await done(clock, await user.delete(path))
        entries = (await feed(voicera_app, user))[:3]
        kinds = [("agent.deleted", "Grace"), ("agent.changed", "Grace"), ("agent.created", "Ada")]
        assert [(entry["kind"], entry["name"]) for entry in entries] == kinds
        assert {entry["subject_id"] for entry in entries} == {agent["id"]}
        assert [entry["at"] for entry in entries[1:]] == [changed["updated_at"], agent["created_at"]]

    async def test_a_campaign_is_told_of_from_its_beginning_to_its_end(
        self, voicera_app: Running, user: Client, clock: Clock
    ) -> None:
        path = await campaign(user, clock, start_time=(clock.now + timedelta(days=1)).isoformat())
        await done(clock, await user.patch(path, {"name": "Summer"}))
        for action in ("schedule", "launch", "pause", "resume", "stop"):
            await done(clock, await user.post(f"{path}/{action}"))
        await voicera_app.settled()
        await done(clock, await user.delete(path))
        moved = [f"campaign.{each}" for each in ("scheduled", "launched", "paused", "resumed", "stopped")]
        later = [(kind, "Summer") for kind in ("campaign.changed", *moved, "campaign.deleted")]
        assert (await told(voicera_app, user))[:-1] == [
            *reversed(later),
            ("campaign.created", "Spring"),
            ("agent.created", "Ada"),
        ]

    async def test_what_the_clock_does_is_told_too(self, voicera_app: Running, user: Client, clock: Clock) -> None:
        end = clock.now + timedelta(minutes=2)
        path = await campaign(user, clock, end_time=end.isoformat())
        await done(clock, await user.post(f"{path}/launch"))
        clock.set(end)

        async def completed() -> list[dict[str, Any]]:
            return await feed(voicera_app, user, "?kind=campaign.completed")

        (entry,) = await eventually(completed)
        assert (path, entry["name"]) == (f"/campaigns/{entry['subject_id']}", "Spring")
        assert entry["at"] == end.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    async def test_calls_are_counted_by_the_hour(
        self, voicera_app: Running, user: Client, neighbour: Client, clock: Clock
    ) -> None:
        began = clock.set(clock.now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1))
        for count in (2, 3):  # one entry, however often it is written
            made = await user.post("/call-logs/batch", [a_call(status="in_progress") for _ in range(count)])
            assert made.status == 201
            await counted(voicera_app, user, "calls.recorded")
            clock.move(minutes=1)
        calls = (await user.get("/call-logs")).data["items"]
        await user.patch(f"/call-logs/{calls[0]['id']}", {"status": "completed"})
        await user.delete(f"/call-logs/{calls[1]['id']}")
        wanted = {"calls.recorded": 5, "calls.changed": 1, "calls.deleted": 1}
        entries = [await counted(voicera_app, user, kind) for kind in wanted]
        assert {entry["kind"]: entry["calls"] for entry in entries} == wanted
        hour = began.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        assert {(entry["at"], entry["name"]) for entry in entries} == {(hour, None)}
        assert {entry["subject_id"] for entry in entries} == {user.user["user"]["id"]}
        rows = {row["what"] for row in (await user.get("/activity/card")).data}
        assert rows == {"5 calls recorded", "1 call changed", "1 call deleted", "Account created"}
        assert (await neighbour.get("/activity?kind=calls.recorded")).data["total"] == 0

    async def test_calls_that_cannot_be_written_wait(
        self, voicera_app: Running, user: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fails(*_: object) -> None:
            raise OSError

        with monkeypatch.context() as patched:
            patched.setattr(queries, "add_calls", fails)
            assert (await user.post("/call-logs", a_call())).status == 201
            await voicera_app.settled()
            with pytest.raises(OSError):
                await tally.write(voicera_app.resources)
        assert (await counted(voicera_app, user, "calls.recorded"))["calls"] == 1

    async def test_it_is_paged_and_filtered(self, voicera_app: Running, user: Client, clock: Clock) -> None:
        for number in range(3):
            await done(clock, await user.post("/agents", {"name": f"Agent {number}"}))
        await voicera_app.settled()
        page = (await user.get("/activity?kind=agent.created&skip=1&limit=1")).data
        assert (page["total"], page["skip"], page["limit"]) == (3, 1, 1)
        assert [entry["name"] for entry in page["items"]] == ["Agent 1"]
        assert (await user.get("/activity")).data["total"] == 4
        wrong = await user.get("/activity?kind=nonsense")
        assert (wrong.status, wrong.code, wrong.error["details"][0]["field"]) == (400, "REQUEST_001", "kind")

    async def test_the_dashboard_shows_the_newest(self, voicera_app: Running, user: Client, clock: Clock) -> None:
        card = {"key": "activity", "title": "Activity", "path": "/activity/card", "kind": "table", "filters": []}
        assert card in (await user.get("/dashboard/cards")).data
        when = f"{clock.now:%Y-%m-%d %H:%M} UTC"
        for number in range(21):
            await done(clock, await user.post("/agents", {"name": f"Agent {number}"}))
        await voicera_app.settled()
        rows = (await user.get(card["path"])).data
        assert [row["name"] for row in rows] == [f"Agent {number}" for number in range(20, 0, -1)]
        assert list(rows[0]) == ["when", "what", "name"]
        assert rows[0]["what"] == "Agent created"
        assert rows[-1]["when"] >= when


class TestKeeping:
    async def test_old_entries_are_deleted_in_batches(
        self, voicera_app: Running, user: Client, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(keeping, "FORGET_AT_ONCE", 2)
        for number in range(3):
            await done(clock, await user.post("/agents", {"name": f"Agent {number}"}))
        assert len(await feed(voicera_app, user)) == 4
        clock.move(minutes=4)
        await done(clock, await user.post("/agents", {"name": "Young"}))
        await voicera_app.settled()
        clock.move(minutes=3)
        assert await keeping.forget_old(voicera_app.resources) >= 4
        assert await told(voicera_app, user) == [("agent.created", "Young")]

    async def test_the_service_is_not_ready_while_the_feed_cannot_be_written(
        self, voicera_app: Running, anonymous: Client
    ) -> None:
        async def state() -> tuple[int, str]:
            answer = await anonymous.get("/readiness")
            return answer.status, answer.data["activity"]

        assert await state() == (200, "ok")
        async with voicera_app.resources.db.connection() as connection:
            await connection.execute("ALTER TABLE activity_entries RENAME TO elsewhere")
        try:
            assert await state() == (503, "unavailable")
        finally:
            async with voicera_app.resources.db.connection() as connection:
                await connection.execute("ALTER TABLE elsewhere RENAME TO activity_entries")
        assert await state() == (200, "ok")

    async def test_what_is_missed_harms_nobody_and_is_counted(
        self, voicera_app: Running, user: Client, voicera_log: Any
    ) -> None:
        """The agent is there, though the feed could not tell of it."""
        await voicera_app.settled()
        async with voicera_app.resources.db.connection() as connection:
            await connection.execute("ALTER TABLE activity_entries RENAME TO elsewhere")
        try:
            assert (await user.post("/agents", {"name": "Untold"})).status == 201
            await voicera_app.settled()
        finally:
            async with voicera_app.resources.db.connection() as connection:
                await connection.execute("ALTER TABLE elsewhere RENAME TO activity_entries")
        assert [entry["kind"] for entry in await feed(voicera_app, user)] == ["account.created"]
        assert voicera_log.find("hook failed", plugin="activity")
