"""Figures as a file: a row for each day or hour that had calls, and for each agent or campaign where wanted."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID

from plugins.analytics.periods import HOUR_MS
from plugins.analytics.queries import figures
from plugins.analytics.queries.reading import AGENT, CAMPAIGN, OWNER
from plugins.analytics.schemas import ExportFilters
from plugins.analytics.service import ranges
from plugins.analytics.service.figures import felt, slice_of, statistics
from plugins.calls.hookspecs import ExtraFilters
from voicera import Resources, encode, milliseconds_of, rfc3339

AT_ONCE = 200  # parts that are read by one statement, and sent as one piece
MEDIA = {"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"}
CUBES = {None: OWNER, "agent": AGENT, "campaign": CAMPAIGN}
Part = tuple[str, int, int]


async def export(
    resources: Resources, owner_id: UUID, wanted: ExportFilters, extra: ExtraFilters = ()
) -> AsyncIterator[bytes]:
    """The pieces of the file; raises BadRequest before the first, for a range or a time zone that is none."""
    now, zone = resources.now(), ranges.zone_of(wanted.timezone)
    start, end = ranges.asked(wanted, now)
    if start is None:
        hour = await resources.db.reading(lambda connection: figures.earliest(connection, owner_id))
        start = 0 if hour is None else hour * HOUR_MS
        end = 0 if hour is None else end
    last = milliseconds_of(now) // HOUR_MS * HOUR_MS + 2 * HOUR_MS if end is None else end
    parts: Iterator[Part]
    if wanted.interval == "hour":
        parts = ((_time(began), low, high) for began, low, high in ranges.hours(start, last))
    else:
        parts = ((day.isoformat(), low, high) for day, low, high in ranges.days(start, last, zone))
    return _pieces(resources, owner_id, wanted, extra, parts)


async def _pieces(
    resources: Resources, owner_id: UUID, wanted: ExportFilters, extra: ExtraFilters, parts: Iterator[Part]
) -> AsyncIterator[bytes]:
    if wanted.format == "csv":
        names = [wanted.interval, *([f"{wanted.by}_id"] if wanted.by else [])]
        yield _csv([[*names, *statistics(figures.Figures()), "cost", *felt(figures.Figures())]])
    while some := list(islice(parts, AT_ONCE)):
        rows = await _rows(resources, owner_id, wanted, extra, some)
        if not rows:
            continue
        if wanted.format == "csv":
            yield _csv([list(row.values()) for row in rows])
        else:
            yield b"".join(encode(row) + b"\n" for row in rows)


async def _rows(
    resources: Resources, owner_id: UUID, wanted: ExportFilters, extra: ExtraFilters, some: list[Part]
) -> list[dict[str, Any]]:
    about = slice_of(owner_id, wanted, [(low, high) for _, low, high in some], extra)
    found = await resources.db.reading(lambda connection: figures.read(connection, about, CUBES[wanted.by]))
    return [
        {
            wanted.interval: some[each.part][0],
            **({f"{wanted.by}_id": str(each.subject_id)} if wanted.by else {}),
            **statistics(each),
            "cost": each.cost_micros / 1_000_000,
            **felt(each),
        }
        for each in found
    ]


def _csv(rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)  # RFC 4180: lines end in CR LF
    return text.getvalue().encode()


def _time(milliseconds: int) -> str:
    return rfc3339(datetime.fromtimestamp(milliseconds // 1000, UTC))
