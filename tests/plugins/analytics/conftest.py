"""A ledger of random calls: what is in the database, and in a Python list beside it to compute everything from."""

from __future__ import annotations

import importlib.util
import random
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from plugins.calls.hookspecs import CallChange, CallsChanged, CallsRecorded, RecordedCall
from voicera import Resources, milliseconds_of, rfc3339, uuid7
from voicera.testing import Client, Running

Log = RecordedCall.__init__.__globals__["NewCall"]
KINDS = {each.name: each.type for each in msgspec.structs.fields(Log)}
DAYS = 45
COLUMNS = (
    *("owner_id", "id", "campaign_id", "agent_id", "phone_number", "status", "duration_seconds", "sentiment"),
    *("emotions", "key_phrases", "cost_micros", "created_at", "updated_at"),
)
WORDS = [
    "billing issue",
    " Billing Issue ",
    "refund",
    "REFUND",
    "Straße",
    "STRASSE",
    "İstanbul",
    " ",
    "a",
    "ß",
    "x\ty",
    '"q"',
]
EMOTIONS = ["calm", "Calm", "angry", "satisfied ", "", "relieved"]
STATUSES = ("queued", "in_progress", "completed", "failed", "no_answer", "busy", "cancelled")


@dataclass
class Ledger:
    """The calls of one owner; every change goes to the database, through the hooks, and to `calls`."""

    resources: Resources
    owner_id: UUID
    dice: random.Random
    now: datetime
    calls: dict[UUID, RecordedCall] = field(default_factory=dict)
    agents: list[UUID] = field(default_factory=lambda: [uuid4() for _ in range(4)])
    campaigns: list[UUID] = field(default_factory=lambda: [uuid4() for _ in range(5)])
    days: float = DAYS

    def log(self) -> Any:
        """A random call log."""
        dice = self.dice
        created = self.now - timedelta(milliseconds=dice.randrange(int(self.days * 86_400_000)))
        if dice.random() < 0.2:  # on the hour, and just before it
            created = created.replace(minute=0, second=0, microsecond=0) - timedelta(milliseconds=dice.choice((0, 1)))
        return Log(
            phone_number="+1234567",
            **self.result(),
            agent_id=dice.choice([None, *self.agents]),
            campaign_id=dice.choice([None, *self.campaigns]),
            created_at=created,
        )

    def result(self) -> dict[str, Any]:
        """Random results of a call."""
        dice = self.dice
        given = {
            "status": dice.choice([*STATUSES, *["completed"] * 7]),
            "duration_seconds": dice.choice([None, 0, 60, dice.randrange(700)]),
            "sentiment": dice.choice([None, "positive", "neutral", "negative"]),
            "emotions": dice.choices(EMOTIONS, k=dice.randrange(4)),
            "key_phrases": dice.choices(WORDS, k=dice.randrange(5)),
            "cost": dice.choice(
                [None, 0.0, 0.1, round(dice.random() * 10, 6), *[999_999.999999] * (dice.random() < 0.05)]
            ),
        }
        return {name: msgspec.convert(value, KINDS[name]) for name, value in given.items()}

    async def record(self, count: int) -> None:
        """Record a batch of random calls."""
        batch = []
        for _ in range(count):
            log = self.log()
            batch.append(RecordedCall(uuid7(milliseconds_of(log.created_at)), log))
        async with self.resources.db.tx() as connection:
            await connection.copy_records_to_table("call_logs", records=map(self.row, batch), columns=COLUMNS)
            event = CallsRecorded(self.owner_id, tuple(batch))
            await self.resources.hooks.within("calls_recording", connection=connection, batch=event)
        self.calls.update({call.id: call for call in batch})

    async def change(self, count: int) -> None:
        """Change or delete random calls."""
        chosen = self.dice.sample(list(self.calls.values()), min(count, len(self.calls)))
        changes = [
            CallChange(
                call,
                None
                if self.dice.random() < 0.3
                else RecordedCall(call.id, msgspec.structs.replace(call.log, **self.result())),
            )
            for call in chosen
        ]
        after = [change.after for change in changes if change.after]
        async with self.resources.db.tx() as connection:
            ids = [call.id for call in chosen]
            await connection.execute("DELETE FROM call_logs WHERE owner_id = $1 AND id = ANY($2)", self.owner_id, ids)
            await connection.copy_records_to_table("call_logs", records=map(self.row, after), columns=COLUMNS)
            event = CallsChanged(self.owner_id, tuple(changes))
            await self.resources.hooks.within("calls_changing", connection=connection, batch=event)
        for call in chosen:
            del self.calls[call.id]
        self.calls.update({call.id: call for call in after})

    def row(self, call: RecordedCall) -> tuple[Any, ...]:
        log = call.log
        micros = None if log.cost is None else round(log.cost * 1_000_000)
        results = (log.status, log.duration_seconds, log.sentiment, log.emotions, log.key_phrases, micros)
        times = (log.created_at, self.now)
        return (self.owner_id, call.id, log.campaign_id, log.agent_id, log.phone_number, *results, *times)

    def newest_first(self, matches: Callable[[RecordedCall], bool]) -> list[RecordedCall]:
        return sorted(filter(matches, self.calls.values()), key=lambda call: call.id, reverse=True)

    def moment(self) -> datetime:
        """A random moment around the calls, sometimes on the hour or on the day."""
        moment = self.now - timedelta(milliseconds=self.dice.randrange(int((self.days + 2) * 86_400_000)))
        kind = self.dice.random()
        if kind < 0.3:
            return moment.replace(minute=0, second=0, microsecond=0)
        if kind < 0.5:
            return moment.replace(hour=0, minute=0, second=0, microsecond=0)
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _load(name: str) -> None:
    """Make a helper beside this file importable by its name; the folder itself is no package and not on the path."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


_load("brute_force")


@pytest.fixture(scope="session")
async def months(running: Running) -> None:
    """The partitions that the ledgers' calls need: pushing in a call makes that of its month."""
    now = datetime.now(UTC)
    logs: Iterable[dict[str, Any]] = [
        {"phone_number": "+1234567", "status": "busy", "created_at": rfc3339(now - timedelta(days=days))}
        for days in range(0, DAYS + 32, 20)
    ]
    user = await running.client.new_user()
    answer = await user.post("/call-logs/batch", list(logs))
    assert answer.status == 201, answer.content


@pytest.fixture
def make_ledger(running: Running) -> Callable[[Client, int], Ledger]:
    """A function that makes the ledger of a client, by a seed."""

    def make(client: Client, seed: int) -> Ledger:
        owner_id = UUID(client.user["user"]["id"])
        return Ledger(running.resources, owner_id, random.Random(seed), datetime.now(UTC))

    return make


@pytest.fixture
async def ledger(make_ledger: Callable[[Client, int], Ledger], months: None, user: Client) -> Ledger:
    """The ledger of `user`."""
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")  # noqa: T201  # shown where a test fails
    return make_ledger(user, seed)
