"""Ids: UUID version 7 (RFC 9562, section 5.7), whose first 48 bits are milliseconds since 1970 UTC."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from asyncpg.pgproto import pgproto

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
VERSION_AND_VARIANT = (0x7 << 76) | (0b10 << 62)
WITH_VERSION = bytes(0x70 | (byte & 0x0F) for byte in range(256))
WITH_VARIANT = bytes(0x80 | (byte & 0x3F) for byte in range(256))
RANDOM_MASK = ~((0xF << 76) | (0b11 << 62)) & ((1 << 80) - 1)


def uuid7(milliseconds: int | None = None) -> UUID:
    """Make an id whose time part is `milliseconds` since 1970 (now, if not given), the rest random.

    Raises ValueError for a time before 1970 or after the year 10889, which 48 bits cannot hold.
    """
    stamp = time.time_ns() // 1_000_000 if milliseconds is None else milliseconds
    if not 0 <= stamp < 1 << 48:
        raise ValueError("the time does not fit a UUIDv7")
    tail = (int.from_bytes(os.urandom(10), "big") & RANDOM_MASK) | VERSION_AND_VARIANT
    return UUID(int=(stamp << 80) | tail)


def uuid7s(milliseconds: Sequence[int]) -> list[UUID]:
    """Make one id for each time, as `uuid7` does, four times as fast: bytes of all ids are treated at once.

    They are of asyncpg's subclass of UUID, which also goes to the database without a conversion.
    """
    noise = bytearray(os.urandom(10 * len(milliseconds)))
    noise[0::10] = noise[0::10].translate(WITH_VERSION)
    noise[2::10] = noise[2::10].translate(WITH_VARIANT)
    tails = bytes(noise)
    try:
        return [
            pgproto.UUID(stamp.to_bytes(6, "big") + tails[at : at + 10])
            for stamp, at in zip(milliseconds, range(0, len(tails), 10), strict=True)
        ]
    except OverflowError:
        raise ValueError("the time does not fit a UUIDv7") from None


def lowest(milliseconds: int) -> UUID:
    """The smallest UUIDv7-ordered value of a millisecond: a bound for id ranges, not an id to give away."""
    return UUID(int=max(0, milliseconds) << 80)


def milliseconds_of(moment: datetime) -> int:
    """Whole milliseconds since 1970 of an aware datetime."""
    return (moment - EPOCH) // MILLISECOND  # not by way of a float, which is a millisecond off now and then


def ceiling_of(moment: datetime) -> int:
    """The first whole millisecond since 1970 at or after an aware datetime: ids and calls carry whole ones."""
    return milliseconds_of(moment) + (moment.microsecond % 1000 > 0)


def time_of(identifier: UUID) -> datetime:
    """The UTC time in a UUIDv7, to the millisecond."""
    return EPOCH + (identifier.int >> 80) * MILLISECOND
