"""Where an import goes: to a running service through its API, or straight to the database."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import msgspec

from plugins.calls.commands.batches import MOST_ROWS, Batch, Refused
from plugins.calls.commands.importing import Outcome
from plugins.calls.commands.position import Totals
from plugins.calls.schemas.calls import NewCall
from plugins.calls.service import ingestion
from voicera import LOST, ManyReader, Resources, Unavailable
from voicera.client import IDEMPOTENCY_KEY, PATIENCE, ApiClient, ApiFailed, Pauses

REFUSED = frozenset({400, 413, 422})
IN_FLIGHT = "REQUEST_005"
REPLAYED = "Idempotent-Replayed"


class ByApi:
    """Sends batches to `POST /call-logs/batch`.

    Each has an `Idempotency-Key` made of its place in the file and of its content, so that what was recorded and
    not answered, or is imported again, is not recorded twice, also without an `external_id`.
    """

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self.target = f"{client.url} {hashlib.sha256((client.token or '').encode()).hexdigest()[:16]}"

    async def send(self, batch: Batch) -> Outcome:
        """Record a batch; raises ApiFailed where the service refuses more than these rows."""
        return await self._send(batch.start, batch.lines, batch.rows)

    async def _send(self, start: int, lines: Sequence[int], rows: Sequence[bytes]) -> Outcome:
        if not rows:
            return Totals(), []
        body = b"\n".join(rows)
        try:
            report, again = await self._post(body, f"import-{digest_of(start, body)}")
        except ApiFailed as error:
            if error.status not in REFUSED:
                raise
            if len(rows) == 1:
                return Totals(1, 0, 0, 1), [Refused(lines[0], _reasons(error), msgspec.json.decode(rows[0]))]
            half = len(rows) // 2  # one of them is too much, or too large
            one = await self._send(start, lines[:half], rows[:half])
            other = await self._send(start + half, lines[half:], rows[half:])
            one[0].add(other[0])
            return one[0], one[1] + other[1]
        return outcome(report, lines, rows, again=again)

    async def _post(self, body: bytes, key: str) -> tuple[dict[str, Any], bool]:
        headers = {"Content-Type": "application/x-ndjson", IDEMPOTENCY_KEY: key}
        pause = 0.2
        while True:
            try:
                answer = await self._client.request(
                    "POST", "/call-logs/batch", body=body, headers=headers, params={"on_error": "skip"}
                )
            except ApiFailed as error:
                if error.code != IN_FLIGHT or pause > 60:
                    raise
                await asyncio.sleep(pause)  # the request that broke off is still being worked at
                pause *= 2
            else:
                return answer.data, REPLAYED in answer.headers


def digest_of(place: int, content: bytes) -> str:
    """What tells rows from all others: how many stand before them in the file, and what they say."""
    return hashlib.sha256(b"%d\n" % place + content).hexdigest()


def outcome(report: dict[str, Any], lines: Sequence[int], rows: Sequence[bytes], *, again: bool = False) -> Outcome:
    """Read a batch's report; `again` says that it is the answer to an earlier import of the same."""
    reasons: dict[int, list[tuple[str, str]]] = {}
    for each in report["errors"]:
        reasons.setdefault(each["index"], []).append((each["field"], each["message"]))
    refused = [Refused(lines[index], why, msgspec.json.decode(rows[index])) for index, why in reasons.items()]
    created, duplicates = report["created"], report["duplicates"]
    if again:
        created, duplicates = 0, created + duplicates
    return Totals(report["received"], created, duplicates, report["rejected"]), refused


def _reasons(error: ApiFailed) -> list[tuple[str, str]]:
    if isinstance(error.details, list):
        return [(str(each.get("field", "")), str(each.get("message", ""))) for each in error.details]
    return [("", str(error))]


class ByDatabase:
    """Records batches itself, for one owner.

    A call without an `external_id` gets one made of its place in the file and of its content, so that a file that
    is imported again creates nothing.
    """

    def __init__(self, resources: Resources, owner_id: UUID) -> None:
        self._resources, self._owner_id = resources, owner_id
        self.target = f"database {owner_id}"

    async def send(self, batch: Batch) -> Outcome:
        """Record a batch."""
        reader = ManyReader(list[NewCall], most=MOST_ROWS, skip=True, lines=True)
        reader.feed(b"\n".join(batch.rows))
        sent = reader.finish()
        for place, log in zip(sent.places, sent.values, strict=True):
            if log.external_id is None:
                log.external_id = f"import-{digest_of(batch.start + place, batch.rows[place])}"
        pauses = Pauses(PATIENCE)
        while True:  # with its external ids a batch can be recorded again
            try:
                again = replace(sent, values=[*sent.values], places=[*sent.places], errors=[*sent.errors])
                report = await ingestion.record_batch(self._resources, self._owner_id, again, skip=True)
                break
            except (*LOST, Unavailable) as error:
                await pauses.after(error)
        return outcome(msgspec.to_builtins(report), batch.lines, batch.rows)
