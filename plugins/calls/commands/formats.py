"""The formats of an export: those that the plugins bring by `register_export_formats`, ours among them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from plugins.calls.commands.sources import PACKED
from plugins.calls.hookspecs import ExportFormat
from voicera import ConfigurationError

USUAL = "ndjson"


def formats_of(brought: Iterable[tuple[str, ExportFormat]]) -> list[ExportFormat]:
    """All formats, from what each plugin brings.

    Raises ConfigurationError that names the plugins where two claim a name or an ending.
    """
    found: list[ExportFormat] = []
    claimed: dict[str, str] = {}
    for plugin, each in brought:
        for claim in (each.name, *each.suffixes):
            if (other := claimed.setdefault(claim, plugin)) != plugin:
                raise ConfigurationError(f"the export format {claim} is claimed by both {other} and {plugin}")
        found.append(each)
    return found


def chosen(formats: Sequence[ExportFormat], given: str | None, output: str) -> ExportFormat:
    """The format with the name given, else the one that the file's name tells, else NDJSON; raises KeyError."""
    names = {each.name: each for each in formats}
    if given is not None:
        return names[given]
    lower = output.lower()
    for ending in PACKED:
        lower = lower.removesuffix(ending)
    told = [(suffix, each) for each in formats for suffix in each.suffixes if lower.endswith(suffix)]
    return max(told, key=lambda pair: len(pair[0]))[1] if told else names[USUAL]
