"""What a load test needs before it begins: accounts with agents, campaigns, calls and recordings, made through the API.

A few owners get most calls. The service is told nothing that its users could not tell it, so the same works on a
deployment; where its rate limits say so, it waits.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import chain, zip_longest
from typing import Any

import orjson

from loadtests.accounts import Owner
from loadtests.traffic import Crowd, moments, shares
from voicera.client import ApiClient

DAYS = 90
BATCH = 2_000
AT_ONCE = 4
RECORDINGS = 5  # of an owner
PATIENCE = 600.0  # seconds to wait for a rate limit
SCOPES = ["calls:read", "calls:write", "recordings:read", "recordings:write", "analytics:read"]
MODELS = {"llm_provider": "openai", "llm_model": "gpt-4", "stt_provider": "deepgram", "tts_provider": "cartesia"}
NDJSON = {"Content-Type": "application/x-ndjson"}
Advance = Callable[[int], None]


async def seed(url: str, *, owners: int, calls: int, audio: bytes, advance: Advance) -> list[Owner]:
    """Make so many owners with so many calls in all; the busiest first. `advance` hears of calls recorded."""
    run = secrets.token_hex(4)
    made = [await _owner(url, run, number, count) for number, count in enumerate(shares(calls, owners))]
    jobs = _in_turns([_batches(owner, calls) for owner, calls in zip(made, shares(calls, owners), strict=True)])

    async def push() -> None:
        for owner, lines in jobs:
            async with ApiClient.open(url, owner.key, patience=PATIENCE) as client:
                body = b"\n".join(lines)
                report = await client.request("POST", "/call-logs/batch", body=body, headers=NDJSON, repeatable=True)
            if report.data["created"] != len(lines):
                raise SystemExit(f"of {len(lines)} new calls {report.data['created']} were created")
            owner.calls += len(lines)
            advance(len(lines))

    await asyncio.gather(*(push() for _ in range(AT_ONCE)))
    for owner in made:
        await _record(url, owner, audio)
    return made


async def log_in(url: str, email: str, password: str) -> Owner:
    """Use an account that exists, with what it has; machines act with its token, too."""
    async with ApiClient.open(url, patience=PATIENCE) as client:
        who = {"email": email, "password": password}
        client.token = (await client.request("POST", "/auth/login", json=who)).data["token"]
        return await _known(client, Owner(email=email, password=password, token=client.token, key=client.token))


async def total_of(url: str, owner: Owner) -> int:
    """How many calls an owner has."""
    async with ApiClient.open(url, owner.token, patience=PATIENCE) as client:
        total: int = (await client.request("GET", "/call-logs", params={"limit": 1})).data["total"]
        return total


async def _known(client: ApiClient, owner: Owner) -> Owner:
    async def items(path: str, **given: Any) -> Any:
        return (await client.request("GET", path, params={"limit": 200, **given})).data["items"]

    owner.agents = [agent["id"] for agent in await items("/agents", status="active")]
    owner.campaigns = [(campaign["id"], campaign["agent_id"]) for campaign in await items("/campaigns")]
    owner.calls = (await client.request("GET", "/call-logs", params={"limit": 1})).data["total"]
    owner.recordings = [recording["call_id"] for recording in await items("/call-recordings")]
    return owner


async def _owner(url: str, run: str, number: int, calls: int) -> Owner:
    """Register somebody with a key for machines, and with more agents and campaigns the more calls there are."""
    who = {"email": f"load-{run}-{number}@example.com", "password": secrets.token_urlsafe(12)}
    async with ApiClient.open(url, patience=PATIENCE) as client:

        async def post(path: str, **body: Any) -> Any:
            return (await client.request("POST", path, json=body)).data

        await post("/auth/register", **who, first_name="Load", last_name=f"Test {number}")
        client.token = (await post("/auth/login", **who))["token"]
        key = (await post("/auth/api-keys", name="voice server", scopes=SCOPES))["key"]
        owner = Owner(**who, token=client.token, key=key)
        size = 2 + min(10, calls // 2_000)
        for each in range(size):
            owner.agents.append((await post("/agents", name=f"Agent {each}", language="en", **MODELS))["id"])
        for each in range(2 * size):
            agent = owner.agents[each % size]
            made = await post("/campaigns", name=f"Campaign {each}", agent_id=agent, phone_numbers=["+12025550100"])
            owner.campaigns.append((made["id"], agent))
        return owner


def _batches(owner: Owner, count: int) -> Any:
    """The owner's calls as lines of JSON, oldest first; yields the owner and so many lines at a time."""
    chance = random.Random(owner.email)
    crowd = Crowd(owner.email, owner.agents, owner.campaigns)
    lines: list[bytes] = []
    recent = datetime.now(UTC) - timedelta(hours=1)
    for moment in moments(chance, count, DAYS):
        call = crowd.call(chance, moment)
        if call["status"] == "in_progress" and moment < recent:
            call["status"] = "failed"  # no call lasts for days
        lines.append(orjson.dumps(call))
        if len(lines) == BATCH:
            yield owner, lines
            lines = []
    if lines:
        yield owner, lines


def _in_turns(many: list[Any]) -> Any:
    """One of each, then the next of each."""
    return (one for one in chain.from_iterable(zip_longest(*many)) if one is not None)


async def _record(url: str, owner: Owner, audio: bytes) -> None:
    """Give the newest completed calls a recording."""
    async with ApiClient.open(url, owner.key, patience=PATIENCE) as client:
        wanted = {"status": "completed", "limit": RECORDINGS, "total": "false"}
        for call in (await client.request("GET", "/call-logs", params=wanted)).data["items"]:
            path, wav = f"/call-recordings/{call['id']}", {"Content-Type": "audio/wav"}
            await client.request("PUT", path, body=audio, headers=wav)
            owner.recordings.append(call["id"])
