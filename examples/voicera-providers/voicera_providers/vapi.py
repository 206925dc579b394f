"""Vapi's end-of-call report as a call log (docs.vapi.ai/server-url/events, docs.vapi.ai/calls/call-ended-reason)."""

from collections.abc import Mapping
from typing import Any

from voicera_providers import reading
from voicera_providers.reading import at, first

FINAL = "end-of-call-report"
DIRECTIONS = {"inboundPhoneCall": "inbound", "outboundPhoneCall": "outbound"}
SPEAKERS = {"assistant": "AI", "bot": "AI", "user": "User"}
STATUSES = {
    "customer-busy": "busy",
    "customer-did-not-answer": "no_answer",
    "voicemail": "no_answer",
    "call.in-progress.error-providerfault-outbound-sip-408-request-timeout": "no_answer",
    "call.in-progress.error-providerfault-outbound-sip-480-temporarily-unavailable": "no_answer",
    "call-deleted": "cancelled",
    "call.ringing.sip-inbound-caller-hungup-before-call-connect": "cancelled",
    "manually-canceled": "cancelled",
    "scheduled-call-deleted": "cancelled",
    "assistant-request-returned-forwarding-phone-number": "completed",
    "assistant-forwarded-call": "completed",
    "assistant-said-end-call-phrase": "completed",
    "call.forwarding.operator-busy": "completed",
    "call.in-progress.sip-completed-call": "completed",
    "call.in-progress.twilio-completed-call": "completed",
    "exceeded-max-duration": "completed",
    "hangup": "completed",
    "silence-timed-out": "completed",
    "vonage-completed": "completed",
}
COMPLETED = (
    "assistant-ended-call",
    "customer-ended-call",
    "call.ending.hook-executed-",
    "call.ringing.hook-executed-",
)


def call_logs(payload: Any) -> list[dict[str, Any]]:
    """Map a message to the call log that it reports, if it does.

    There is none in any other message (`status-update`, `transcript`, …), and in a report that does not say which call
    it is of. `phone_number` is None for a call without one.
    """
    message = at(payload, "message")
    external_id = reading.external_id("vapi", at(message, "call", "id"))
    if at(message, "type") != FINAL or external_id is None:
        return []
    call, analysis, artifact = at(message, "call"), at(message, "analysis"), at(message, "artifact")
    results = structured(message)
    start = reading.moment(first(at(message, "startedAt"), at(call, "startedAt")))
    end = reading.moment(first(at(message, "endedAt"), at(call, "endedAt")))
    reason = reading.text(first(at(message, "endedReason"), at(call, "endedReason")))
    customers = at(message, "customer"), at(call, "customer")
    number, address = reading.party(*(at(each, name) for name in ("number", "sipUri") for each in customers))
    return [
        {
            "external_id": external_id,
            "phone_number": number,
            "direction": DIRECTIONS.get(reading.text(at(call, "type")) or ""),
            "status": status_of(reason),
            "duration_seconds": first(
                reading.seconds(reading.between(start, end)), reading.seconds(at(message, "durationSeconds"))
            ),
            "sentiment": reading.sentiment(results.get("sentiment")),
            "key_phrases": reading.phrases(first(results.get("key_phrases"), results.get("keyPhrases"))),
            "transcript": first(
                reading.text(at(artifact, "transcript"), reading.MOST_TRANSCRIPT),
                reading.text(at(message, "transcript"), reading.MOST_TRANSCRIPT),
                reading.turns(first(at(artifact, "messages"), at(message, "messages")), "message", SPEAKERS),
            ),
            "summary": first(
                reading.text(at(analysis, "summary"), reading.MOST_SUMMARY),
                reading.text(at(message, "summary"), reading.MOST_SUMMARY),
            ),
            "cost": reading.dollars(first(at(message, "cost"), at(call, "cost"))),
            "created_at": first(start, reading.moment(at(call, "createdAt"))),
            "metadata": reading.metadata(
                provider="vapi",
                call_type=at(call, "type"),
                address=address,
                ended_reason=reason,
                assistant_id=first(at(call, "assistantId"), at(message, "assistant", "id")),
                phone_number_id=first(at(call, "phoneNumberId"), at(message, "phoneNumber", "id")),
                success_evaluation=at(analysis, "successEvaluation"),
                recording_url=first(
                    reading.url(at(artifact, "recordingUrl")),
                    reading.url(at(artifact, "recording", "mono", "combinedUrl")),
                    reading.url(at(message, "recordingUrl")),
                ),
            ),
        }
    ]


def status_of(reason: str | None) -> str:
    """Our status of an `endedReason`: what is not known to have gone well has failed; the reason is kept."""
    return STATUSES.get(reason or "") or ("completed" if (reason or "").startswith(COMPLETED) else "failed")


def structured(message: Any) -> dict[str, Any]:
    """What Vapi was told to find out of the call, by name: of the analysis plan, and of structured outputs."""
    planned = at(message, "analysis", "structuredData")
    outputs = at(message, "artifact", "structuredOutputs")
    found = [each for each in (outputs.values() if isinstance(outputs, Mapping) else []) if isinstance(each, Mapping)]
    named = {each["name"]: each.get("result") for each in found if isinstance(each.get("name"), str)}
    return {**named, **(planned if isinstance(planned, Mapping) else {})}
