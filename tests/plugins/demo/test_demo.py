"""`voicera demo`: the story that it tells, and what it leaves in a service."""

from __future__ import annotations

import asyncio
import os
import re
import struct
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.settings import Settings
from plugins.demo.service import sound
from plugins.demo.service.calls import CALLING, DAYS, Known, Story, numbers_of
from plugins.demo.service.scenes import AGENTS, CAMPAIGNS
from voicera.testing import PASSWORD, Client, Running, running_app, settings_for_tests

NOW = datetime(2026, 3, 18, 15, tzinfo=UTC)
NOBODY = Known({}, {})


async def demo(url: str, *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "voicera",
        "demo",
        "--url",
        url,
        *arguments,
        cwd=Path(__file__).parents[3],
        env=dict(os.environ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode or 0, out.decode(), err.decode()


class TestStory:
    def test_the_same_seed_tells_the_same_story(self) -> None:
        once, again = (list(Story(7, NOW, NOBODY).calls(500)) for _ in range(2))
        assert once == again
        assert list(Story(8, NOW, NOBODY).calls(500)) != once
        assert len({call["external_id"] for call in once}) == 500

    def test_it_is_as_skewed_as_life(self) -> None:
        agents = {agent.name: agent.name for agent in AGENTS}
        campaigns = {campaign.name: campaign.name for campaign in CAMPAIGNS}
        calls = list(Story(1, NOW, Known(agents, campaigns)).calls(8_000))
        moments = [datetime.fromisoformat(call["created_at"]) for call in calls]
        assert moments == sorted(moments)
        assert NOW - timedelta(days=DAYS, hours=1) <= moments[0]
        assert moments[-1] < NOW
        weekdays = Counter(moment.weekday() for moment in moments)
        assert weekdays[1] > 3 * weekdays[6]
        by_campaign = Counter(call.get("campaign_id") for call in calls)
        names = [campaign.name for campaign in CALLING]
        assert [name for name, _ in by_campaign.most_common() if name] == names
        phrases = Counter(phrase for call in calls for phrase in call.get("key_phrases", ()))
        assert phrases.most_common(1)[0][1] > 10 * phrases.most_common()[-1][1]

    def test_moods_and_costs_have_their_reasons(self) -> None:
        calls = [call for call in Story(1, NOW, NOBODY).calls(8_000) if call["status"] == "completed"]
        by_mood: dict[str, list[int]] = {}
        for call in calls:
            assert call["transcript"].startswith("Agent: ")
            assert call["cost"] > 0
            if "sentiment" in call:
                by_mood.setdefault(call["sentiment"], []).append(call["duration_seconds"])
        means = {mood: sum(seconds) / len(seconds) for mood, seconds in by_mood.items()}
        assert means["positive"] < means["neutral"] < means["negative"]

    def test_numbers_are_in_the_form_that_the_service_takes_and_none_stands_twice(self) -> None:
        for campaign in CAMPAIGNS:
            numbers = numbers_of(campaign)
            assert len(set(numbers)) == len(numbers) == campaign.numbers
            assert all(re.fullmatch(r"\+[0-9]{7,15}", number) for number in numbers)


class TestSound:
    def test_a_recording_is_two_to_three_seconds_of_ulaw(self) -> None:
        file = sound.recording(3)
        assert (file[:4], struct.unpack("<I", file[4:8])[0]) == (b"RIFF", len(file) - 8)
        assert struct.unpack("<HHIIHHH", file[20:38]) == (7, 1, 8_000, 8_000, 1, 8, 0)
        assert 2 <= (len(file) - 58) / 8_000 <= 3.1
        assert sound.recording(3) == file != sound.recording(4)

    @pytest.mark.parametrize(
        ("sample", "byte"), [(0, 0xFF), (-1, 0x7F), (32_767, 0x80), (-32_767, 0x00), (1_000, 0xCE)]
    )
    def test_ulaw_is_as_g711_says(self, sample: int, byte: int) -> None:
        assert sound._ulaw(sample) == byte


class TestDemo:
    async def test_it_fills_an_account_and_prints_what_works(self, running: Running, anonymous: Client) -> None:
        options = ("--calls", "1500", "--recordings", "4", "--email", "dana@example.com", "--password", PASSWORD)
        code, out, err = await demo(running.url, *options)
        assert code == 0, err
        client = Client(running.url, running.client.session, re.findall(r"^TOKEN=(\S+)$", out, re.MULTILINE)[0])
        assert (await client.get("/call-logs")).data["total"] == 1_500
        assert (await client.get("/agents")).data["total"] == len(AGENTS)
        campaigns = (await client.get("/campaigns")).data["items"]
        states = {campaign["name"]: campaign["status"] for campaign in campaigns}
        assert states == {campaign.name: campaign.state for campaign in CAMPAIGNS}
        recordings = await client.get("/call-recordings")
        assert (recordings.data["total"], recordings.data["items"][0]["format"]) == (4, "wav")
        tried = re.findall(rf"^curl -s '{re.escape(running.url)}(\S+)' -H", out, re.MULTILINE)
        assert len(tried) >= 4
        for path in tried:
            assert (await client.get(path)).status == 200, path

        code, out, err = await demo(running.url, *options)
        assert code == 0, err
        assert "0 calls, 1,500 were there" in err
        assert (await client.get("/call-recordings")).data["total"] == 4

    async def test_an_account_that_is_there_wants_its_password(self, running: Running, user: Client) -> None:
        code, _, err = await demo(running.url, "--calls", "0", "--email", user.user["email"])
        assert (code, "AUTH_005" in err, "--password" in err) == (1, True, True)
        code, _, err = await demo(
            running.url, "--calls", "0", "--email", user.user["email"], "--password", "Wrong-Horse-7"
        )
        assert (code, "AUTH_001" in err) == (1, True)

    async def test_without_an_email_a_free_account_is_made(self, running: Running) -> None:
        for _ in range(2):
            code, out, err = await demo(running.url, "--calls", "10", "--recordings", "0")
            assert code == 0, err
            assert re.search(r"e-mail    demo\S*@example.com\n  password  demo-\S{12}", out)

    async def test_what_a_service_does_not_have_is_left_out(self, stack: Settings) -> None:
        environ = settings_for_tests(stack, {"VOICERA_PLUGINS_DISABLED": "campaigns"})
        async with running_app(environ, migrated=True) as app:
            code, _, err = await demo(app.url, "--calls", "100", "--recordings", "0", "--email", "less@example.com")
            assert code == 0, err
        assert "campaigns: this service has none, left out" in err
        assert "100 calls" in err
