"""Finds calls in which something was said: `GET /call-logs?said=refund`, and so in the export and the analytics."""

from collections.abc import Sequence
from typing import Annotated

from plugins.calls.hookspecs import CallFilter, Parameters
from voicera import Meta, hookimpl


def was_said(words: str, owner: str, parameters: Parameters) -> str:
    return f"position(lower({parameters.add(words)}) IN lower(log.transcript)) > 0"


SAID = CallFilter(
    name="said",
    kind=Annotated[str, Meta(min_length=2, max_length=100)],
    description="Only calls whose transcript contains this, whatever its case.",
    condition=was_said,
)


@hookimpl
def register_call_filters() -> Sequence[CallFilter]:
    return [SAID]
