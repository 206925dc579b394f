"""Voice servers: they push calls in, in batches and one by one, say later how they ended, and repeat what they must."""

from __future__ import annotations

import gzip
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from locust import task

from loadtests.scenarios.base import Actor, chance, expect, ledger
from loadtests.sound import wav
from loadtests.traffic import Call, results

KEPT = 200  # calls that are under way, and batches that may be sent again, at most
LATEST = 300  # seconds ago that a call of the test began, at most
BATCH, MOST = 25, 400  # logs of a batch: in the mean, and at most


class VoiceServer(Actor):
    """A machine with an API key, which makes many calls at once for its owner."""

    machine = True

    def on_start(self) -> None:
        """Begin without calls."""
        super().on_start()
        self.under_way: deque[str] = deque(maxlen=KEPT)
        self.sent: deque[tuple[int, dict[str, Any]]] = deque(maxlen=5)
        self.single: tuple[str, Call] | None = None

    @task(25)
    def push_batch(self) -> None:
        """Send what has gathered as NDJSON; some compress it, some send a key with it."""
        count = min(MOST, 1 + int(chance.expovariate(1 / BATCH)))
        body = b"\n".join(orjson.dumps(self._call()) for _ in range(count))
        headers = {"Content-Type": "application/x-ndjson"}
        if chance.random() < 0.4:
            body, headers["Content-Encoding"] = gzip.compress(body, 3), "gzip"
        if chance.random() < 0.3:
            headers["Idempotency-Key"] = f"load-{chance.getrandbits(96):024x}"
        name = f"/call-logs/batch{' (gzip)' if 'Content-Encoding' in headers else ''}"
        given = {"data": body, "headers": headers}
        if self._batch(name, count, created=count, given=given):
            self.sent.append((count, given))
        self.think(0.1, 0.5)

    @task(3)
    def push_batch_again(self) -> None:
        """Send a batch again, as after a lost answer: it creates nothing."""
        if self.sent:
            count, given = chance.choice(self.sent)
            replayed = "Idempotency-Key" in given["headers"]
            self._batch("/call-logs/batch (again)", count, created=count if replayed else 0, given=given, again=True)
        self.think(0.05, 0.3)

    @task(30)
    def begin_call(self) -> None:
        """Say that a call has begun."""
        call = self._call("in_progress")
        made = self._single("/call-logs (begin)", call)
        if made:
            self.under_way.append(made["id"])
        self.think(0.05, 0.35)

    @task(12)
    def push_call(self) -> None:
        """Send a call that has ended; those without an id of the provider carry a key."""
        call = self._call()
        headers = {}
        if chance.random() < 0.4:
            call.pop("external_id")
            headers["Idempotency-Key"] = f"load-{chance.getrandbits(96):024x}"
        made = self._single("/call-logs (ended)", call, headers)
        if made and not headers:
            self.single = (made["id"], call)
        self.think(0.05, 0.35)

    @task(3)
    def push_call_again(self) -> None:
        """Send a call again, as after a lost answer: it is answered with the one that is there."""
        if self.single:
            known, call = self.single
            same = lambda data: expect(data["id"] == known, "a second call of the same external_id")  # noqa: E731
            self.send("POST", "/call-logs", "/call-logs (again)", json=call, check=same)
        self.think(0.1, 0.5)

    @task(28)
    def end_call(self) -> None:
        """Say how a call has ended."""
        if self.under_way:
            wanted, change = self.under_way.popleft(), results(chance)

            def check(data: Any) -> None:
                expect(data["id"] == wanted, "another call")
                expect(all(data[name] == value for name, value in change.items()), "the change is not in the answer")

            self.send("PATCH", f"/call-logs/{wanted}", "/call-logs/{id} (result)", json=change, check=check)
            if change["status"] == "completed" and chance.random() < 0.05:
                self._record(wanted)
        self.think(0.05, 0.35)

    def _record(self, call_id: str) -> None:
        """Upload the recording of a call."""
        audio = {"data": wav(), "headers": {"Content-Type": "audio/wav"}}
        size = lambda data: expect(data["size_bytes"] == len(wav()), "a recording of another size")  # noqa: E731
        self.send(
            "PUT", f"/call-recordings/{call_id}", "/call-recordings/{id} (upload)", status=201, check=size, **audio
        )

    def _batch(self, name: str, count: int, *, created: int, given: dict[str, Any], again: bool = False) -> Any:
        def check(report: Any) -> None:
            expect(report["received"] == count, "not as many logs received as sent")
            expect(report["created"] == created, "more or fewer logs created than were new")
            expect(report["duplicates"] == count - created, "duplicates are not counted right")

        report = self.send("POST", "/call-logs/batch", name, status=201, check=check, **given)
        if not again:
            (ledger.acknowledge if report else ledger.doubt)(self.owner.email, count)
        return report

    def _single(self, name: str, call: Call, headers: dict[str, str] | None = None) -> Any:
        same = lambda data: expect(data["phone_number"] == call["phone_number"], "another call")  # noqa: E731
        made = self.send("POST", "/call-logs", name, status=201, json=call, headers=headers, check=same)
        (ledger.acknowledge if made else ledger.doubt)(self.owner.email, 1)
        return made

    def _call(self, status: str | None = None) -> Call:
        began = datetime.now(UTC) - timedelta(seconds=chance.uniform(1, LATEST))
        return self.crowd.call(chance, began, status)
