"""Mutated batches, single calls and changes: each is accepted or refused in the one shape, and the database adds up."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import msgspec
import pytest
import zstandard
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from voicera.testing import Answer, Client, Running

TOGETHER = 10
SHORT, LONG = 300, 10_000
BATCH, CALLS = "/call-logs/batch", "/call-logs"
JSON, LINES = "application/json", "application/x-ndjson"
LARGEST = 1e12
MILLISECOND = timedelta(milliseconds=1)
ENCODERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstandard.ZstdCompressor().compress}

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

VALID: dict[str, list[bytes]] = {
    "phone_number": [b'"+1234567890"', b'"+4915112345678"'],
    "status": [b'"completed"', b'"queued"', b'"in_progress"', b'"busy"', b'"no_answer"'],
    "external_id": [b"null", *(b'"CA-%d"' % number for number in range(12)), '"ÄÖ\u2028\U0001f600"'.encode()],
    "duration_seconds": [b"0", b"61", b"31536000", b"null"],
    "sentiment": [b'"positive"', b'"negative"', b"null"],
    "direction": [b'"inbound"', b"null"],
    "emotions": [b"[]", b'["satisfied","\\u0001"]'],
    "key_phrases": [b"[]", b'["Billing"," billing ","BILLING"]', b'["",""]', '["\u212a\u0130ß"]'.encode()],
    "transcript": [b"null", b'"User: Hello...\\r\\n"', '"\u202e\ufffe\U0001f600"'.encode(), b'"' + b"x" * 5000 + b'"'],
    "summary": [b"null", b'""', b'"\\\\u0000 is written so"'],
    "cost": [b"0.5", b"0", b"-0.0", b"0.1234567", b"1e9", b"1e-9", b"null"],
    "created_at": [b'"2024-01-29T10:30:00Z"', b'"2016-12-31T23:59:59.9999999+14:00"', b'"1999-02-28t00:00:00-23:59"'],
    "metadata": [b"null", b"{}", b'{"":0,"a":[1,2.5,null,{"__proto__":"\\u0001"}]}', b'{"big":123456789012345678901}'],
    "agent_id": [b"null"],
    "campaign_id": [b"null"],
}
REQUIRED = ("phone_number", "status")
CHANGEABLE = tuple(
    name
    for name in VALID
    if name not in ("phone_number", "external_id", "direction", "created_at", "metadata", "agent_id", "campaign_id")
)
HOSTILE = [
    *(b"0 1 -1 1.5 true false null NaN Infinity -0 1e400 -1e400 1e-400 1E5 01 .5 +1 0x10".split()),
    *(str(number).encode() for number in (2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**30)),
    b"9" * 4000,
    b"9" * 5000,
    b"[]",
    b"{}",
    b"[[]]",
    b'[null,"x"]',
    b'""',
    b'" "',
    b'"\\u0000"',
    b'"a\x00b"',
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'"\xff\xfe"',
    b'"\xed\xa0\x80"',
    b'"\xf0\x9f\x98"',
    b'"\xc0\x80"',
    b'"tab\there"',
    b'"\\x41"',
    b'"unfinished',
    b'"%00"',
    b'"\' OR 1=1 --"',
    b'"' + b"y" * 1100 + b'"',
    b'["' + b"z" * 300 + b'"]',
    b"[" + b'"e",' * 150 + b'"e"]',
    b'["\\u0000"]',
    b"[" * 300 + b"]" * 300,
    b'{"m":' + b"[" * 900 + b"]" * 900 + b"}",
    b"[" * 100_000,
    b'{"a":' * 2000 + b"1" + b"}" * 2000,
    b'{"\\u0000":1}',
    b'{"a":"\\u0000"}',
    b'{"a":1,"a":2}',
    b'{"f":1e308,"g":5e-324,"h":-0.0,"i":1.0,"j":1e23}',
    b'{"n":' + b"9" * 4000 + b"}",
    b'{"x":"' + b"y" * 17_000 + b'"}',
    b'"0001-01-01T00:00:00Z"',
    b'"0001-01-01T00:00:00+14:00"',
    b'"9999-12-31T23:59:59Z"',
    b'"9999-12-31T23:59:59-14:00"',
    b'"2016-12-31T23:59:60Z"',
    b'"2024-01-29T10:30:00"',
    b'"2024-02-30T10:30:00Z"',
    b'"2024-01-29"',
    b'"1971-01-01T00:00:00Z"',
    b'"1970-12-31T23:59:59.999Z"',
    b'"+12345678901234567"',
    b'"+1234567\\n"',
    '"+١٢٣٤٥٦٧٨"'.encode(),
    b'"COMPLETED"',
    b'"018d54f1-2d40-7c11-8f5e-0242ac120002"',
    b'"018d54f12d407c118f5e0242ac120002"',
]
NAMES = [*VALID, "id", "owner_id", "created", "STATUS", "", "__proto__"]
JUNK = [b"", b"  ", b"{oops", b"7", b"null", b"[]", b"{}", b"\xff\xfe", b"\x00", b'"\\ud800"', b"[" * 3000, b"}{"]
Pairs = list[tuple[str, bytes]]


@dataclass(frozen=True)
class Sending:
    """A mutated batch or single call: what goes over the wire, and the text that it stands for."""

    path: str
    headers: dict[str, str]
    body: bytes
    text: bytes

    def items(self) -> list[dict[str, Any]]:
        """The objects in the text that can be read."""
        pieces = self.text.split(b"\n") if self.headers.get("Content-Type") == LINES else [self.text]
        return [item for piece in pieces for item in _objects_in(piece)]


def _objects_in(piece: bytes) -> list[dict[str, Any]]:
    """The objects of an array one by one, since one that cannot be read does not take the others along."""
    try:
        raws = [bytes(raw) for raw in msgspec.json.decode(piece, type=list[msgspec.Raw])]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raws = [piece]
    found = []
    for raw in raws:
        try:
            found.append(json.loads(raw.decode()))
        except (ValueError, RecursionError):
            continue
    return [item for item in found if isinstance(item, dict)]


def written(pairs: Pairs) -> bytes:
    """An object as JSON, with whatever stands in it."""
    return b"{" + b",".join(json.dumps(name).encode() + b":" + value for name, value in pairs) + b"}"


@st.composite
def calls(draw: st.DrawFn, *, mutations: int) -> bytes:
    """A valid call log, and up to so many mutations of it: a field taken away, replaced, added or doubled."""
    optional = draw(st.sets(st.sampled_from([name for name in VALID if name not in REQUIRED])))
    pairs: Pairs = [
        (name, draw(st.sampled_from(VALID[name]))) for name in VALID if name in REQUIRED or name in optional
    ]
    for _ in range(draw(st.integers(0, mutations))):
        what = draw(st.sampled_from(["replace", "replace", "add", "remove"]))
        place = draw(st.integers(0, max(0, len(pairs) - 1)))
        if what == "add" or not pairs:
            pairs.append((draw(st.sampled_from(NAMES)), draw(values)))
        elif what == "replace":
            pairs[place] = (pairs[place][0], draw(values))
        else:
            del pairs[place]
    return written(pairs)


values = (
    st.sampled_from(HOSTILE)
    | st.sampled_from([value for each in VALID.values() for value in each])
    | st.text(max_size=30).map(lambda text: json.dumps(text).encode())
    | st.floats().map(lambda number: json.dumps(number).encode())
)


@st.composite
def broken(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes cut off, overwritten or with something between them."""
    place = draw(st.integers(0, len(data)))
    how = draw(st.sampled_from(["cut", "insert", "overwrite", "behead"]))
    if how == "cut":
        return data[:place]
    if how == "behead":
        return data[place:]
    junk = draw(st.binary(min_size=1, max_size=4) | st.sampled_from(JUNK))
    return data[:place] + junk + data[place + (len(junk) if how == "overwrite" else 0) :]


@st.composite
def sendings(draw: st.DrawFn) -> Sending:
    """A batch (or now and then a single call) with up to a handful of things wrong with it."""
    wrong = draw(st.sampled_from(["nothing", "fields", "fields", "bytes", "encoding", "both"]))
    mutations = 2 if wrong in ("fields", "both") else 0
    if draw(st.integers(0, 4)) == 0:
        path, media, text = CALLS, JSON, draw(calls(mutations=mutations))
    else:
        path = draw(st.sampled_from([BATCH, f"{BATCH}?on_error=skip", f"{BATCH}?on_error=reject"]))
        media = draw(st.sampled_from([JSON, LINES]))
        logs = draw(st.lists(calls(mutations=mutations), max_size=6))
        if wrong in ("fields", "both"):
            logs += draw(st.lists(st.sampled_from(JUNK), max_size=2))
        text = b"\n".join(logs) if media == LINES else b"[" + b",".join(logs) + b"]"
    if wrong in ("bytes", "both"):
        text = draw(broken(text))
    headers, body = {"Content-Type": media}, text
    if path != CALLS and (encoding := draw(st.sampled_from([None, None, *ENCODERS]))):
        headers["Content-Encoding"], body = encoding, ENCODERS[encoding](text)
    if wrong == "encoding":
        body = draw(broken(body))
        headers |= draw(st.sampled_from(WRONG_HEADERS))
        # A single call is not decoded, whatever its header says.
        text = body if path == CALLS or "Content-Encoding" not in headers else text
    return Sending(path, headers, body, text)


WRONG_HEADERS: list[dict[str, str]] = [
    {},
    {"Content-Encoding": "gzip"},
    {"Content-Encoding": "zstd"},
    {"Content-Encoding": "br"},
    {"Content-Encoding": "gzip, gzip"},
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/json; charset=utf-16"},
    {"Content-Type": LINES},
    {"Content-Type": JSON},
    {"Idempotency-Key": "the same for all"},
]
changes = st.lists(
    st.one_of(
        *[st.tuples(st.just(name), st.sampled_from(VALID[name])) for name in CHANGEABLE],
        st.tuples(st.sampled_from(NAMES), values),
    ),
    max_size=4,
).map(written)
some_changes = st.lists(changes | changes.flatmap(broken), min_size=TOGETHER // 2, max_size=TOGETHER // 2)
fuzzed = given(
    sent=st.lists(sendings(), min_size=TOGETHER, max_size=TOGETHER), changed=some_changes, deletions=st.integers(0, 3)
)
checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
# Not made smaller, which takes minutes against real servers: what fails is named by the assertion.
phases = (Phase.explicit, Phase.generate)
many = settings(deadline=None, suppress_health_check=checks, database=None, phases=phases, report_multiple_bugs=False)


@fuzzed
@settings(many, max_examples=SHORT // TOGETHER, derandomize=True)
async def test_three_hundred_mutated_batches(
    running: Running, sent: list[Sending], changed: list[bytes], deletions: int
) -> None:
    await Run(running, await running.client.new_user()).through(sent, changed, deletions)


@pytest.mark.chaos
@fuzzed
@settings(many, max_examples=LONG // TOGETHER)
async def test_ten_thousand_mutated_batches(
    running: Running, sent: list[Sending], changed: list[bytes], deletions: int
) -> None:
    await Run(running, await running.client.new_user()).through(sent, changed, deletions)


class Run:
    """One user sends all of it, several requests at a time; then everything is compared."""

    def __init__(self, running: Running, user: Client) -> None:
        self._pool, self._user = running.resources.db.pool, user

    async def through(self, sent: Sequence[Sending], changed: Sequence[bytes], deletions: int) -> None:
        """Send, compare, change, compare, delete, compare."""
        created = sum(await asyncio.gather(*[self._created_by(one) for one in sent]))
        items = [item for one in sent for item in one.items()]
        there = await self._all()
        assert len(there) == created
        for call in there:
            assert any(_same(item, call) for item in items), f"shown: {call}, sent: {items}"
        await self._adds_up(created)
        ids = [call["id"] for call in there] or [str(uuid4())]
        await asyncio.gather(*[self._change(ids[place % len(ids)], body) for place, body in enumerate(changed)])
        await self._adds_up(created)
        gone = [await self._user.delete(f"{CALLS}/{one}") for one in ids[:deletions]]
        await self._adds_up(created - sum(answer.status == 204 for answer in gone))

    async def _created_by(self, one: Sending) -> int:
        answer = await self._send("POST", one.path, one.body, one.headers)
        if answer.status >= 300 or answer.headers.get("Idempotent-Replayed"):
            return 0
        if one.path == CALLS:
            return int(answer.status == 201)
        report = answer.data
        assert report["received"] == report["created"] + report["duplicates"] + report["rejected"]
        assert report["rejected"] == len({error["index"] for error in report["errors"]})
        return int(report["created"])

    async def _change(self, call_id: str, body: bytes) -> None:
        """Change a call, as others do at the same time; what was changed is what is shown."""
        answer = await self._send("PATCH", f"{CALLS}/{call_id}", body, {"Content-Type": JSON})
        if answer.status == 200:
            given = json.loads(body)
            shown = json.loads(answer.content)["data"]
            assert given.keys() <= set(CHANGEABLE)
            assert _same({**shown, **given}, shown), (given, shown)

    async def _send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Send a request whose answer is checked here, since those who check the others cannot read all numbers."""
        bearer = {"Authorization": f"Bearer {self._user.token}", **headers}
        data = aiohttp.BytesPayload(body)
        async with self._user.session.request(method, self._user.url + path, data=data, headers=bearer) as response:
            answer = Answer(response.status, response.headers, await response.read())
        assert 200 <= answer.status < 300 or 400 <= answer.status < 500, (method, path, headers, body, answer)
        envelope = json.loads(answer.content)
        assert set(envelope) == {"success", "data", "error", "timestamp"}
        assert envelope["success"] == (answer.status < 300)
        assert (envelope["error"] is None) == envelope["success"]
        return answer

    async def _all(self) -> list[dict[str, Any]]:
        page = (await self._user.get(CALLS, params={"limit": 1000})).data
        assert page["total"] == len(page["items"])
        return list(await asyncio.gather(*[self._detail(item["id"]) for item in page["items"]]))

    async def _detail(self, call_id: str) -> dict[str, Any]:
        url, bearer = f"{self._user.url}{CALLS}/{call_id}", {"Authorization": f"Bearer {self._user.token}"}
        async with self._user.session.get(url, headers=bearer) as response:
            assert response.status == 200
            found: dict[str, Any] = json.loads(await response.read())["data"]
            return found

    async def _adds_up(self, calls: int) -> None:
        """The table, the keys, the list's total and the analytics say the same."""
        owner = UUID(self._user.user["id"])
        assert await self._pool.fetchval("SELECT count(*) FROM call_logs WHERE owner_id = $1", owner) == calls
        assert await self._pool.fetchval(KEYS_APART, owner) == 0
        assert (await self._user.get(CALLS, params={"limit": 1})).data["total"] == calls
        figures = await self._user.get("/analytics/calls")
        if figures.status != 404:
            assert figures.data["total_calls"] == calls


KEYS_APART = """
SELECT count(*)
FROM (SELECT external_id, call_id FROM call_keys WHERE owner_id = $1) AS keys
FULL JOIN (SELECT external_id, id FROM call_logs WHERE owner_id = $1 AND external_id IS NOT NULL) AS calls
    ON call_id = id AND keys.external_id = calls.external_id
WHERE id IS NULL OR call_id IS NULL"""


def _same(sent: dict[str, Any], shown: dict[str, Any]) -> bool:
    """Whether a call log is shown as it was sent, to the millisecond and the millionth."""
    plain = ("phone_number", "status", "external_id", "direction", "duration_seconds", "sentiment", "transcript")
    return (
        all(sent.get(name) == shown[name] for name in (*plain, "summary", "campaign_id", "agent_id"))
        and all(sent.get(name, []) == shown[name] for name in ("emotions", "key_phrases"))
        and _same_value(_to_a_millionth(sent.get("cost")), shown["cost"])
        and _same_value(sent.get("metadata"), shown["metadata"])
        and _same_moment(sent.get("created_at"), shown["created_at"])
    )


def _to_a_millionth(cost: Any) -> Any:
    finite = isinstance(cost, int | float) and abs(cost) < LARGEST
    return round(cost * 1_000_000) / 1_000_000 if finite else cost


def _same_moment(sent: Any, shown: str) -> bool:
    if sent is None:
        return True
    try:
        return abs(datetime.fromisoformat(sent.upper()) - datetime.fromisoformat(shown)) < MILLISECOND
    except (ValueError, AttributeError, TypeError):  # one that was refused
        return False


def _same_value(sent: Any, shown: Any) -> bool:
    if isinstance(sent, dict) and isinstance(shown, dict):
        return sent.keys() == shown.keys() and all(_same_value(sent[name], shown[name]) for name in sent)
    if isinstance(sent, list) and isinstance(shown, list):
        return len(sent) == len(shown) and all(map(_same_value, sent, shown))
    if isinstance(sent, float) and isinstance(shown, int | float):
        return sent == float(shown)  # a whole number may be shown without its `.0`
    return bool(sent == shown)
