"""Calls that plugins bring: what they make of a provider's message, and what they record by themselves."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from plugins.calls.errors import UnknownSource
from plugins.calls.hookspecs import Delivery
from plugins.calls.schemas.calls import MOST_LOGS, BatchReport, NewCall, NewCalls
from plugins.calls.service import ingestion
from voicera import FieldError, InvalidFields, Many, ManyReader, Resources

log = logging.getLogger("voicera.calls")
SOURCE = re.compile(r"[A-Za-z0-9._-]{1,64}")
CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})
MAPPED = "(in a call log that a plugin made of the message)"


def without_credentials(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers by their lower-case names; what stands twice is joined by commas (RFC 9110, section 5.3)."""
    found: dict[str, str] = {}
    for name, value in headers.items():
        if (lower := name.lower()) not in CREDENTIALS:
            found[lower] = f"{found[lower]}, {value}" if lower in found else value
    return found


async def receive(resources: Resources, delivery: Delivery) -> BatchReport:
    """Record the calls that a plugin finds in a provider's message.

    Raises UnknownSource where no plugin knows it, what that plugin raises, and InvalidFields for call logs of it that
    break a rule. The provider cannot mend those, so they are logged too.
    """
    if not SOURCE.fullmatch(delivery.source):
        raise UnknownSource
    logs = await resources.hooks.first("calls_receiving", resources=resources, delivery=delivery)
    if logs is None:
        raise UnknownSource
    try:
        return await record(resources, delivery.owner_id, logs)
    except InvalidFields as error:
        raise _mapped(delivery, error) from None


async def record(resources: Resources, owner_id: UUID, logs: Any) -> BatchReport:
    """Record call logs that a plugin made (a sequence of mappings) like a batch: all or nothing.

    Raises InvalidFields with every field that breaks a rule, and TypeError for what is no sequence.
    """
    if not isinstance(logs, Sequence) or isinstance(logs, str | bytes):
        raise TypeError(f"call logs are a sequence of mappings, not {type(logs).__name__}")
    if not logs:
        return BatchReport(0, 0, 0, 0, [])
    return await ingestion.record_batch(resources, owner_id, _read(logs))


def _read(logs: Sequence[Any]) -> Many[NewCall]:
    """Validate as what clients send is: by way of JSON, which says what a text, a time or an id may be."""
    lines: list[bytes] = []
    wrong: list[FieldError] = []
    for place, each in enumerate(logs):
        try:
            lines.append(msgspec.json.encode(dict(each) if isinstance(each, Mapping) else each))
        except (TypeError, ValueError, OverflowError, RecursionError):
            wrong.append(FieldError(field=f"[{place}]", message="holds what cannot be written as JSON"))
    if wrong:
        raise InvalidFields(wrong[: ingestion.MOST_ERRORS])
    reader: ManyReader[NewCall] = ManyReader(NewCalls, most=MOST_LOGS, skip=False, lines=False)
    reader.feed(b"[" + b",".join(lines) + b"]")
    return reader.finish()


def _mapped(delivery: Delivery, error: InvalidFields) -> InvalidFields:
    """The same, said to be a plugin's fault and not the client's."""
    details = error.details
    if details is None or isinstance(details, str):
        return error
    fields = sorted({f"{each['field']} {each['message']}" for each in details})
    log.warning("calls are mapped wrongly", extra={"source": delivery.source, "fields": fields[:10]})
    return InvalidFields([FieldError(field=each["field"], message=f"{each['message']} {MAPPED}") for each in details])
