"""Takes the messages of a dialer in, which sends `{"ref", "to", "secs", "result"}` for each call that has ended."""

from collections.abc import Mapping, Sequence
from typing import Any

from plugins.calls.hookspecs import Delivery
from voicera import FieldError, InvalidFields, hookimpl

RESULTS = {"ANSWER": "completed", "NOANSWER": "no_answer", "BUSY": "busy", "CONGESTION": "failed"}


@hookimpl
async def calls_receiving(delivery: Delivery) -> Sequence[Mapping[str, Any]] | None:
    if delivery.source != "dialer":
        return None
    try:
        return [
            {
                "external_id": f"dialer-{call['ref']}",
                "phone_number": f"+{call['to'].removeprefix('00')}",
                "status": RESULTS[call["result"]],
                "duration_seconds": call["secs"],
            }
            for call in delivery.payload
        ]
    except (AttributeError, KeyError, TypeError):
        raise InvalidFields([FieldError(field="", message="is no message of the dialer")]) from None
