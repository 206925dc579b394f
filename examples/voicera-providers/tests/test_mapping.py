"""What the mappers make of the providers' messages; no service is needed."""

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from conftest import NUMBER, names, payload
from plugins.calls.hookspecs import NewCall

from voicera_providers import retell, vapi

MAPPERS = {"retell": retell.call_logs, "vapi": vapi.call_logs}
SUMMARY = "Dana moved her cleaning from Tuesday to Thursday at ten."
SAID = "Hello, this is the dental practice.\nUser: I need to move my appointment."
BEGAN = datetime(2025, 6, 1, 10, 0, 0, 250000, tzinfo=UTC)
MOST_METADATA = 16 << 10


def mapped(name: str) -> dict[str, Any]:
    (log,) = MAPPERS[name.partition("/")[0]](payload(name))
    return log


def test_a_whole_report_of_vapi_becomes_a_call_log() -> None:
    assert mapped("vapi/completed") == {
        "external_id": "vapi:0197e2b4-6a4e-7cc1-9d0c-1f3c5a7b9d11",
        "phone_number": NUMBER,
        "direction": "outbound",
        "status": "completed",
        "duration_seconds": 93,
        "sentiment": "positive",
        "key_phrases": ["move my appointment", "Thursday at ten"],
        "transcript": f"AI: {SAID}",
        "summary": SUMMARY,
        "cost": 0.1284,
        "created_at": BEGAN,
        "metadata": {
            "provider": "vapi",
            "call_type": "outboundPhoneCall",
            "ended_reason": "customer-ended-call",
            "assistant_id": "5b0c7f9e-0000-4000-8000-0000000000a1",
            "phone_number_id": "9d4a2c11-0000-4000-8000-0000000000b2",
            "success_evaluation": "true",
            "recording_url": "https://storage.vapi.ai/4d5c3a0e-recording.wav",
        },
    }


def test_a_whole_analysis_of_retell_becomes_a_call_log() -> None:
    assert mapped("retell/completed") == {
        "external_id": "retell:call_a4441234567890777c4a4a123e6",
        "phone_number": NUMBER,
        "direction": "outbound",
        "status": "completed",
        "duration_seconds": 93,
        "sentiment": "positive",
        "key_phrases": ["move my appointment", "Thursday at ten"],
        "transcript": f"Agent: {SAID}",
        "summary": SUMMARY,
        "cost": 0.1284,  # they send cents
        "created_at": BEGAN,
        "metadata": {
            "provider": "retell",
            "call_type": "phone_call",
            "ended_reason": "user_hangup",
            "agent_id": "oBeDLoLOeuAbiuaMFXRtDOLriTJ5tSxD",
            "agent_version": 3,
            "call_successful": True,
            "in_voicemail": False,
            "recording_url": "https://retellai.s3.us-west-2.amazonaws.com/call_a4441234567890777c4a4a123e6/recording.wav",
        },
    }


@pytest.mark.parametrize(
    ("name", "status", "seconds", "sentiment"),
    [
        ("vapi/voicemail", "no_answer", 12, None),
        ("vapi/no_answer", "no_answer", 0, None),
        ("vapi/busy", "busy", 0, None),
        ("vapi/failed", "failed", 0, None),
        ("vapi/cancelled", "cancelled", 0, None),
        ("vapi/inbound", "completed", 93, "neutral"),
        ("vapi/bare", "completed", None, None),
        ("retell/voicemail", "no_answer", 12, None),
        ("retell/no_answer", "no_answer", 0, None),
        ("retell/busy", "busy", 0, None),
        ("retell/failed", "failed", 0, None),
        ("retell/cancelled", "cancelled", 93, "positive"),
        ("retell/inbound", "completed", 93, "neutral"),
        ("retell/bare", "completed", None, None),
    ],
)
def test_how_a_call_ended(name: str, status: str, seconds: int | None, sentiment: str | None) -> None:
    log = mapped(name)
    assert (log["status"], log["duration_seconds"], log["sentiment"]) == (status, seconds, sentiment)
    assert log["phone_number"] == NUMBER


@pytest.mark.parametrize("provider", MAPPERS)
def test_in_an_inbound_call_the_customer_is_who_called(provider: str) -> None:
    log = mapped(f"{provider}/inbound")
    assert (log["direction"], log["phone_number"]) == ("inbound", NUMBER)


@pytest.mark.parametrize(
    ("sent", "number", "address"),
    [
        ("+1 (415) 555-0123", NUMBER, None),
        ("+1.415.555.0123", NUMBER, None),
        (f"tel:{NUMBER};phone-context=example.com", NUMBER, None),
        (f"SIP:{NUMBER}@example.com", NUMBER, None),
        ("14155550123", None, "14155550123"),
        ("(415) 555-0123", None, "(415) 555-0123"),
        ("sip:dana@example.com", None, "sip:dana@example.com"),
        ("+", None, "+"),
        ("anonymous", None, "anonymous"),
        ("", None, None),
    ],
)
def test_a_phone_number_is_read_however_it_is_written(sent: str, number: str | None, address: str | None) -> None:
    """What is none is kept beside the call, for calls that are recorded under another number."""
    of_vapi, of_retell = payload("vapi/completed"), payload("retell/completed")
    of_vapi["message"]["customer"] = of_vapi["message"]["call"]["customer"] = {"number": sent}
    of_retell["call"]["to_number"] = sent
    for (log,) in (vapi.call_logs(of_vapi), retell.call_logs(of_retell)):
        assert (log["phone_number"], log["metadata"].get("address")) == (number, address)


def test_a_sip_customer_of_vapi_is_known_by_the_number_in_the_address() -> None:
    message = payload("vapi/completed")
    for place in (message["message"], message["message"]["call"]):
        place["customer"] = {"sipUri": f"sip:{NUMBER}@example.com"}
    assert vapi.call_logs(message)[0]["phone_number"] == NUMBER


def test_a_report_whose_clock_ran_backwards_has_the_duration_that_it_names() -> None:
    message = payload("vapi/completed")
    message["message"]["endedAt"] = "2025-06-01T09:00:00.000Z"
    assert vapi.call_logs(message)[0]["duration_seconds"] == 93


@pytest.mark.parametrize("provider", MAPPERS)
def test_a_web_call_has_no_phone_number(provider: str) -> None:
    log = mapped(f"{provider}/web_call")
    assert (log["direction"], log["phone_number"]) == (None, None)


@pytest.mark.parametrize("name", ["vapi/status_update", "retell/call_started", "retell/call_ended"])
def test_a_message_before_the_final_one_is_no_call_log(name: str) -> None:
    assert MAPPERS[name.partition("/")[0]](payload(name)) == []


def test_a_transcript_is_joined_of_turns_where_there_is_none() -> None:
    """What the system prompt says is no part of it."""
    assert mapped("vapi/bare")["transcript"] == "AI: How can I help?\nUser: What's the weather?"
    assert mapped("retell/bare")["transcript"] == f"Agent: {SAID}"
    message = payload("vapi/completed")
    del message["message"]["artifact"]["transcript"]
    assert vapi.call_logs(message)[0]["transcript"] == f"AI: {SAID}"


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        *vapi.STATUSES.items(),
        ("assistant-ended-call-after-message-spoken", "completed"),
        ("customer-ended-call-during-transfer", "completed"),
        ("call.ending.hook-executed-say", "completed"),
        ("call.start.error-subscription-frozen", "failed"),
        ("call.in-progress.error-vapifault-worker-died", "failed"),
        ("twilio-failed-to-connect-call", "failed"),
        ("assistant-join-timed-out", "failed"),
        ("something-new", "failed"),
        (None, "failed"),
    ],
)
def test_every_ended_reason_of_vapi_has_a_status(reason: str | None, status: str) -> None:
    assert vapi.status_of(reason) == status


@pytest.mark.parametrize(
    ("reason", "call_status", "status"),
    [
        *((reason, "ended", status) for reason, status in retell.STATUSES.items()),
        ("error_asr", "ended", "failed"),
        ("something_new", "ended", "completed"),
        ("something_new", "not_connected", "failed"),
        (None, "ended", "completed"),
        (None, None, "failed"),
    ],
)
def test_every_disconnection_reason_of_retell_has_a_status(reason: str | None, call_status: Any, status: str) -> None:
    assert retell.status_of(reason, call_status) == status


@pytest.mark.parametrize("provider", MAPPERS)
def test_a_call_whose_id_is_missing_or_beyond_measure_is_none(provider: str) -> None:
    """Sent again it would be recorded again; and an id that is cut may be another call's."""
    for wrong in (None, "", 7, "x" * 151, "a b"):
        message = payload(f"{provider}/completed")
        if provider == "vapi":
            message["message"]["call"]["id"] = wrong
        else:
            message["call"]["call_id"] = wrong
        assert MAPPERS[provider](message) == []


def test_what_is_too_long_is_cut() -> None:
    message = payload("vapi/completed")
    message["message"]["artifact"]["transcript"] = "x" * (2 << 20)
    message["message"]["analysis"]["summary"] = "x" * 20_000
    message["message"]["analysis"]["structuredData"]["key_phrases"] = ["x" * 500] * 200
    log = vapi.call_logs(message)[0]
    assert (len(log["transcript"]), len(log["summary"])) == (1 << 20, 10_000)
    assert (len(log["key_phrases"]), len(log["key_phrases"][0])) == (100, 200)


HOSTILE = [
    None, True, -1, 0, 3.7, 1e308, float("nan"), float("inf"), 10**30, "", " ", "x", "\x01" * 5000, "\U0001f600" * 5000,
    "http://" + "\x01" * 900, "+" + "1" * 7 + "\n", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", [],
    [None, 1, "x"], [{"role": [], "content": 1, "message": {}}], {}, {"a": {"name": [], "result": 1}, "number": 1},
]  # fmt: skip


def spots(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of every part of a message, itself among them."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from spots(item, (*path, key))


def with_part(message: Any, path: tuple[Any, ...], part: Any) -> Any:
    """The message with another part at a path."""
    if not path:
        return part
    changed = copy.deepcopy(message)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = part
    return changed


@pytest.mark.parametrize("name", ["vapi/completed", "vapi/inbound", "retell/completed", "retell/bare"])
def test_whatever_a_part_is_the_call_log_is_one_that_is_taken(name: str) -> None:
    message = payload(name)
    for path in spots(message):
        for part in HOSTILE:
            for log in MAPPERS[name.partition("/")[0]](with_part(message, path, part)):
                log["phone_number"] = log["phone_number"] or NUMBER
                call = msgspec.json.decode(msgspec.json.encode(log), type=NewCall)
                assert len(msgspec.json.encode(call.metadata)) <= MOST_METADATA, (path, part)


def test_all_parts_at_their_worst_at_once_still_fit() -> None:
    """`metadata` has a limit for all of it together."""
    for name in [*names("vapi"), *names("retell")]:
        message = payload(name)
        keep = {"type", "event", "id", "call_id"}
        for path in spots(payload(name)):
            if path and path[-1] not in keep and not isinstance(at(message, path), dict | list):
                message = with_part(
                    message, path, "https://" + "\x01" * 990 if "url" in str(path[-1]) else "\x01" * 999
                )
        for log in MAPPERS[name.partition("/")[0]](message):
            assert len(json.dumps(log["metadata"])) <= MOST_METADATA


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value
