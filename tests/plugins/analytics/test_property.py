"""Whatever is written, by whom and at the same time as what: every figure is what the acknowledged calls say.

Four writers of one owner, and one of another, work over the API at once: batches, single calls, changes, deletions.
Right after each acknowledged write its writer compares a figure that only its own calls are in; after each round,
when all stand still, every figure of random filters is compared; and a reader compares the total all the time with
what it may be, given which writes were acknowledged before and which had begun. Calls are folded at random moments.
"""

from __future__ import annotations

import asyncio
import random
import sys
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec
import pytest

from plugins.analytics.service import rollups, upkeep
from plugins.calls.hookspecs import CallStatus, RecordedCall
from voicera import milliseconds_of, uuid7
from voicera.testing import Client, Running

brute_force: Any = sys.modules["brute_force"]
AGENT = {
    "llm_provider": "openai",
    "llm_model": "gpt-4",
    "stt_provider": "deepgram",
    "tts_provider": "cartesia",
    "system_prompt": "Help.",
}
CAMPAIGN = {
    "phone_numbers": ["+1234567890"],
    "max_concurrent_calls": 5,
    "start_time": "2024-04-01T00:00:00Z",
    "end_time": "2024-06-30T23:59:59Z",
}
UNFINISHED = (CallStatus.queued, CallStatus.in_progress)


@dataclass
class Account:
    """An owner with agents and campaigns, and what is known of the number of calls while writes are under way."""

    client: Client
    ledger: Any
    begun: int = 0  # calls that were sent
    made: int = 0  # and acknowledged
    leaving: int = 0  # deletions that were sent
    left: int = 0  # and acknowledged

    async def bounds_hold(self) -> None:
        """The totals of the figures and of the list lie between what they must and what they can be."""
        for path, name in (("/analytics/calls", "total_calls"), ("/call-logs?limit=1", "total")):
            made, left = self.made, self.left
            answer = await self.client.get(path)
            assert made - self.leaving <= answer.data[name] <= self.begun - left, path


@dataclass
class Writer:
    """One of several clients of an owner; nobody else's calls have its agent or its campaign."""

    account: Account
    number: int
    dice: random.Random
    agent_id: UUID
    campaign_id: UUID
    calls: dict[str, RecordedCall] = field(default_factory=dict)

    def log(self) -> Any:
        ledger = self.account.ledger
        log = ledger.log()
        others = {"agent_id": self.agent_id, "campaign_id": self.dice.choice([None, *ledger.campaigns[:2]])}
        if self.dice.random() < 0.5:
            others = {"campaign_id": self.campaign_id, "agent_id": self.dice.choice([None, *ledger.agents[:2]])}
        at = log.created_at.replace(microsecond=log.created_at.microsecond // 1000 * 1000)
        name = f"{self.number}-{self.account.begun}-{self.dice.getrandbits(60)}"
        return msgspec.structs.replace(log, external_id=name, created_at=at, **others)

    async def record(self, count: int) -> None:
        """Send calls, as a batch or one by one."""
        logs, account = [self.log() for _ in range(count)], self.account
        account.begun += count
        bodies = msgspec.to_builtins(logs)
        if count > 3:
            answer = await account.client.post("/call-logs/batch", bodies)
            assert (answer.status, answer.data["created"]) == (201, count), answer.content
        else:
            answers = [await account.client.post("/call-logs", body) for body in bodies]
            assert [answer.status for answer in answers] == [201] * count, answers[0].content
        account.made += count
        for log in logs:
            call = RecordedCall(uuid7(milliseconds_of(log.created_at)), log)  # the id's time is what counts here
            self.calls[log.external_id] = account.ledger.calls[call.id] = call

    async def change(self) -> None:
        """Change or delete a call of its own."""
        if not self.calls:
            return
        account, call = self.account, self.dice.choice(list(self.calls.values()))
        found = await account.client.get("/call-logs", params={"external_id": call.log.external_id})
        assert found.data["total"] == 1, found.content
        path = f"/call-logs/{found.data['items'][0]['id']}"
        if self.dice.random() < 0.3:
            account.leaving += 1
            answer = await account.client.delete(path)
            assert answer.status == 204, answer.content
            account.left += 1
            del self.calls[call.log.external_id], account.ledger.calls[call.id]
            return
        result = account.ledger.result()
        if call.log.status not in UNFINISHED and result["status"] in UNFINISHED:
            del result["status"]
        given = {name: result[name] for name in self.dice.sample(list(result), self.dice.randint(1, len(result)))}
        answer = await account.client.patch(path, msgspec.to_builtins(given))
        assert answer.status == 200, answer.content
        call = RecordedCall(call.id, msgspec.structs.replace(call.log, **given))
        self.calls[call.log.external_id] = account.ledger.calls[call.id] = call

    async def check(self) -> None:
        """A random figure that the writer's own calls alone are in, in a random range of time."""
        wanted = brute_force.Asked()
        if self.dice.random() < 0.5:
            wanted.only("agent_id", self.agent_id)
        else:
            wanted.only("campaign_id", self.campaign_id)
        wanted = brute_force.within(wanted, self.account.ledger)
        await brute_force.check(self.account.client, self, wanted, [self.dice.choice(brute_force.CHECKS)])

    def newest_first(self, matches: Any) -> list[RecordedCall]:
        return [call for call in self.calls.values() if matches(call)]

    async def work(self, batches: list[int], changes: int) -> None:
        for count in batches:
            await self.record(count)
            await self.check()
        for _ in range(changes):
            await self.change()
            await self.check()


async def account_of(client: Client, make_ledger: Any, seed: int, writers: int) -> tuple[Account, list[Writer]]:
    """An owner with two agents and campaigns that all share, and one of each for every writer."""
    agents, campaigns = [], []
    for number in range(2 + writers):
        agent = await client.post("/agents", {**AGENT, "name": f"Agent {number}"})
        agents.append(UUID(agent.data["id"]))
        campaign = await client.post("/campaigns", {**CAMPAIGN, "name": f"{number}", "agent_id": agent.data["id"]})
        campaigns.append(UUID(campaign.data["id"]))
    ledger = make_ledger(client, seed)
    ledger.agents, ledger.campaigns = agents, campaigns
    account = Account(client, ledger)
    made = [
        Writer(account, number, random.Random(seed + number), agents[2 + number], campaigns[2 + number])
        for number in range(writers)
    ]
    return account, made


async def prove(
    running: Running, clients: tuple[Client, Client], make_ledger: Any, rounds: int, work: tuple[list[int], int]
) -> int:
    """Write and compare so many rounds, `work` (sizes of batches, changes) by each writer; how many calls were made."""
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")  # noqa: T201  # shown where a test fails
    dice = random.Random(seed)
    account, writers = await account_of(clients[0], make_ledger, seed, 4)
    other, [beside] = await account_of(clients[1], make_ledger, seed + 10, 1)
    done = asyncio.Event()

    async def fold() -> None:
        while not done.is_set():
            await rollups.fold_some(running.resources)
            await asyncio.sleep(dice.random() * 0.2)

    async def read() -> None:
        while not done.is_set():
            await account.bounds_hold()
            await asyncio.sleep(dice.random() * 0.2)

    others = [asyncio.create_task(beside_it()) for beside_it in (fold, read)]
    try:
        for _ in range(rounds):
            await asyncio.gather(*(writer.work(*work) for writer in (*writers, beside)))
            for its, times in ((account, 2), (other, 1)):
                for _ in range(times):
                    await brute_force.check(its.client, its.ledger, brute_force.asked(its.ledger))
    finally:
        done.set()
        await asyncio.gather(*others)
    for its in (account, other):
        assert len(its.ledger.calls) == its.made - its.left
        await brute_force.check(its.client, its.ledger, brute_force.Asked())
        assert await upkeep.check(running.resources, its.ledger.owner_id) == []
    return account.made


async def test_every_figure_is_exact_after_every_write_of_four_writers_at_once(
    running: Running, user: Client, neighbour: Client, make_ledger: Any
) -> None:
    made = await prove(running, (user, neighbour), make_ledger, 4, ([80, 1, 44], 5))
    assert made == 2_000


@pytest.mark.chaos
async def test_every_figure_is_exact_over_twenty_thousand_calls(
    running: Running, user: Client, neighbour: Client, make_ledger: Any
) -> None:
    made = await prove(running, (user, neighbour), make_ledger, 25, ([120, 1, 3, 76], 30))
    assert made == 20_000
