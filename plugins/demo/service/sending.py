"""Sends the demonstration to a service, part by part; what a service does not have is left out."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

import orjson

from plugins.demo.service import sound
from plugins.demo.service.calls import DAYS, numbers_of
from plugins.demo.service.scenes import AGENTS, CAMPAIGNS, Agent, Campaign
from voicera.client import ApiClient, ApiFailed

Item = TypeVar("Item")
NO_ROUTE, TAKEN = "REQUEST_004", "AUTH_005"
EMAIL = "demo@example.com"
BATCH = 1_000
UNDER_WAY = 3
Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Account:
    """Who the demonstration belongs to; `password` as it was given or made."""

    email: str
    password: str
    token: str


async def open_account(client: ApiClient, email: str | None, password: str | None) -> Account:
    """Register an account, or log in to the one that there is; the client has its token from then on.

    Without an e-mail, and with `demo@example.com` taken, another one is made up. Raises ApiFailed.
    """
    address, secret = email or EMAIL, password or f"demo-{secrets.token_urlsafe(9)}"
    names = {"first_name": "Dana", "last_name": "Demo"}
    try:
        await client.request("POST", "/auth/register", json={"email": address, "password": secret, **names})
    except ApiFailed as error:
        if error.code != TAKEN or (email and not password):
            raise
        if not password:
            return await open_account(client, f"demo-{secrets.token_hex(3)}@example.com", secret)
    answer = await client.request("POST", "/auth/login", json={"email": address, "password": secret}, repeatable=True)
    client.token = answer.data["token"]
    return Account(address, secret, answer.data["token"])


@asynccontextmanager
async def optional(note: Note, what: str) -> AsyncIterator[None]:
    """A part that this service may not have: then a note says so."""
    try:
        yield
    except ApiFailed as error:
        if error.code != NO_ROUTE:
            raise
        note(f"{what}: this service has none, left out")


async def make_agents(client: ApiClient) -> dict[str, str]:
    """Make the agents that are not there yet; return the ids of all by name."""
    known = await _known(client, "/agents")
    for agent in AGENTS:
        if agent.name not in known:
            known[agent.name] = (await client.request("POST", "/agents", json=_agent(agent))).data["id"]
    return known


async def make_campaigns(client: ApiClient, agents: dict[str, str], now: datetime) -> dict[str, str]:
    """Make the campaigns that are not there yet, launch them, pause one; return the ids of all by name."""
    known = await _known(client, "/campaigns")
    for campaign in CAMPAIGNS:
        if campaign.name in known:
            continue
        made = await client.request("POST", "/campaigns", json=_campaign(campaign, agents[campaign.agent], now))
        known[campaign.name] = made.data["id"]
        for step in {"active": ("launch",), "paused": ("launch", "pause")}.get(campaign.state, ()):
            await client.request("POST", f"/campaigns/{made.data['id']}/{step}")
    return known


async def _known(client: ApiClient, path: str) -> dict[str, str]:
    answer = await client.request("GET", path, params={"limit": 1000})
    return {item["name"]: item["id"] for item in answer.data["items"]}


def _agent(agent: Agent) -> dict[str, Any]:
    return {
        "name": agent.name,
        "description": agent.description,
        "llm_provider": agent.provider,
        "llm_model": agent.model,
        "stt_provider": "deepgram",
        "tts_provider": "cartesia",
        "system_prompt": f"You are {agent.first_name}. {agent.description}. Be brief and friendly.",
        "language": agent.language,
        "voice_parameters": {"voice_id": agent.voice, "speed": 1.0, "tone": "professional"},
    }


def _campaign(campaign: Campaign, agent_id: str, now: datetime) -> dict[str, Any]:
    draft = campaign.state == "draft"
    return {
        "name": campaign.name,
        "agent_id": agent_id,
        "phone_numbers": numbers_of(campaign),
        "start_time": (now + timedelta(days=14 if draft else -DAYS)).isoformat(),
        "end_time": (now + timedelta(days=60)).isoformat(),
        "max_concurrent_calls": 50,
    }


async def send_calls(
    client: ApiClient, calls: Iterable[dict[str, Any]], done: Callable[[int], None]
) -> tuple[int, int]:
    """Send call logs in batches, a few under way at a time; return how many are new, and how many were there."""
    created = duplicates = 0

    async def send(batch: list[dict[str, Any]]) -> None:
        nonlocal created, duplicates
        body = b"\n".join(map(orjson.dumps, batch))
        headers = {"Content-Type": "application/x-ndjson"}
        # Each call has its external id, so that it does no harm to send a batch again.
        answer = await client.request("POST", "/call-logs/batch", body=body, headers=headers, repeatable=True)
        created += answer.data["created"]
        duplicates += answer.data["duplicates"]
        done(len(batch))

    await _together(_batches(calls), send)
    return created, duplicates


async def send_recordings(
    client: ApiClient, count: int, begin: Callable[[int], None], done: Callable[[int], None]
) -> int:
    """Upload recordings for the newest completed calls that have none; return how many calls have one then."""
    heard = await client.request("GET", "/call-recordings", params={"limit": 1000})
    there = {item["call_id"] for item in heard.data["items"]}
    wanted = {"status": "completed", "limit": min(count, 1000)}
    page = await client.request("GET", "/call-logs", params=wanted)
    missing = [(number, item["id"]) for number, item in enumerate(page.data["items"]) if item["id"] not in there]
    begin(len(missing))

    async def send(each: tuple[int, str]) -> None:
        number, call_id = each
        headers = {"Content-Type": "audio/wav"}
        await client.request("PUT", f"/call-recordings/{call_id}", body=sound.recording(number), headers=headers)
        done(1)

    await _together(missing, send)
    return len(page.data["items"])


async def answers(client: ApiClient, path: str) -> bool:
    """Whether the service has something at a path."""
    try:
        await client.request("GET", path)
    except ApiFailed:
        return False
    return True


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch


async def _together(items: Iterable[Item], work: Callable[[Item], Awaitable[None]]) -> None:
    """Work on items, a few at a time; the first error ends all of it."""
    iterator = iter(items)

    async def worker() -> None:
        for item in iterator:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(UNDER_WAY):
                group.create_task(worker())
    except ExceptionGroup as group_error:
        raise group_error.exceptions[0] from None
