"""Retell's `call_analyzed` webhook as a call log (docs.retellai.com/features/webhook-overview, and its get-call)."""

from typing import Any

from voicera_providers import reading
from voicera_providers.reading import at, first

FINAL = "call_analyzed"
CENTS = 100
SPEAKERS = {"agent": "Agent", "user": "User"}
STATUSES = {
    "agent_hangup": "completed",
    "call_take_over": "completed",
    "call_transfer": "completed",
    "inactivity": "completed",
    "max_duration_reached": "completed",
    "transfer_bridged": "completed",
    "transfer_cancelled": "completed",
    "user_hangup": "completed",
    "dial_busy": "busy",
    "dial_no_answer": "no_answer",
    "error_user_not_joined": "no_answer",
    "ivr_reached": "no_answer",
    "machine_detected": "no_answer",
    "user_declined": "no_answer",
    "voicemail_reached": "no_answer",
    "manual_stopped": "cancelled",
    "concurrency_limit_reached": "failed",
    "dial_failed": "failed",
    "invalid_destination": "failed",
    "marked_as_spam": "failed",
    "no_concurrency_fallback": "failed",
    "no_valid_payment": "failed",
    "registered_call_timeout": "failed",
    "scam_detected": "failed",
    "sip_routing_error": "failed",
    "telephony_provider_permission_denied": "failed",
    "telephony_provider_unavailable": "failed",
}


def call_logs(payload: Any) -> list[dict[str, Any]]:
    """Map a message to the call log that it reports, if it does.

    There is none in any other message (`call_started`, `call_ended`: the analysis follows, also where nobody was
    reached), and in one that does not say which call it is of. `phone_number` is None for a call without one.
    """
    call = at(payload, "call")
    external_id = reading.external_id("retell", at(call, "call_id"))
    if at(payload, "event") != FINAL or external_id is None:
        return []
    analysis, direction = at(call, "call_analysis"), reading.text(at(call, "direction"))
    custom = at(analysis, "custom_analysis_data")
    start, end = reading.moment(at(call, "start_timestamp")), reading.moment(at(call, "end_timestamp"))
    lasted, cents = reading.number(at(call, "duration_ms")), reading.number(at(call, "call_cost", "combined_cost"))
    reason = reading.text(at(call, "disconnection_reason"))
    number, address = reading.party(at(call, "from_number" if direction == "inbound" else "to_number"))
    return [
        {
            "external_id": external_id,
            "phone_number": number,
            "direction": direction if direction in ("inbound", "outbound") else None,
            "status": status_of(reason, at(call, "call_status")),
            "duration_seconds": reading.seconds(reading.between(start, end) if lasted is None else lasted / 1000),
            "sentiment": reading.sentiment(at(analysis, "user_sentiment")),
            "key_phrases": reading.phrases(at(custom, "key_phrases")),
            "transcript": first(
                reading.text(at(call, "transcript"), reading.MOST_TRANSCRIPT),
                reading.turns(at(call, "transcript_object"), "content", SPEAKERS),
            ),
            "summary": reading.text(at(analysis, "call_summary"), reading.MOST_SUMMARY),
            "cost": None if cents is None else reading.dollars(cents / CENTS),
            "created_at": start,
            "metadata": reading.metadata(
                provider="retell",
                call_type=at(call, "call_type"),
                address=address,
                ended_reason=reason,
                agent_id=at(call, "agent_id"),
                agent_version=at(call, "agent_version"),
                call_successful=at(analysis, "call_successful"),
                in_voicemail=at(analysis, "in_voicemail"),
                recording_url=reading.url(at(call, "recording_url")),
            ),
        }
    ]


def status_of(reason: str | None, call_status: Any) -> str:
    """Our status of a `disconnection_reason`; of a reason that is new to us, what `call_status` says."""
    if found := STATUSES.get(reason or ""):
        return found
    failed = (reason or "").startswith("error_") or call_status != "ended"
    return "failed" if failed else "completed"
