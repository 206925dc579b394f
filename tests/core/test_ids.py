"""Ids: UUID version 7 as RFC 9562 says, in the order of their times."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ids import lowest, milliseconds_of, time_of, uuid7, uuid7s

STAMPS = st.integers(0, (1 << 48) - 1)


@given(STAMPS)
def test_an_id_has_the_version_the_variant_and_the_time_that_rfc_9562_says(stamp: int) -> None:
    for identifier in (uuid7(stamp), *uuid7s([stamp])):
        assert (identifier.version, identifier.variant) == (7, RFC_4122)
        assert identifier.int >> 80 == stamp
        assert UUID(str(identifier)) == identifier


def test_the_example_of_the_rfc_has_its_time() -> None:
    """RFC 9562, appendix A.6."""
    expected = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)
    assert time_of(UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")) == expected


@given(STAMPS, STAMPS)
def test_ids_sort_by_time(one: int, other: int) -> None:
    if one < other:
        assert uuid7(one) < uuid7(other)
        assert str(uuid7(one)) < str(uuid7(other))
        assert lowest(one) <= uuid7(one) < lowest(other)


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_the_time_of_an_id_is_that_of_its_making_to_the_millisecond(moment: datetime) -> None:
    kept = time_of(uuid7(milliseconds_of(moment)))
    assert timedelta(0) <= moment - kept < timedelta(milliseconds=1)


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_whole_millisecond_comes_back_exactly(moment: datetime) -> None:
    whole = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert time_of(uuid7(milliseconds_of(whole))) == whole


@pytest.mark.parametrize("moment", [datetime(1, 1, 1, tzinfo=UTC), datetime(1, 6, 1, tzinfo=UTC)])
def test_the_first_year_of_all_has_milliseconds_too(moment: datetime) -> None:
    assert lowest(milliseconds_of(moment)) == UUID(int=0)


@pytest.mark.parametrize("stamp", [-1, 1 << 48])
def test_a_time_that_does_not_fit_is_refused(stamp: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        uuid7(stamp)
    with pytest.raises(ValueError, match="does not fit"):
        uuid7s([0, stamp])


def test_an_id_of_now_is_of_now_and_no_two_are_alike() -> None:
    before = time.time_ns() // 1_000_000
    made = [uuid7() for _ in range(10_000)] + uuid7s([before] * 10_000)
    after = time.time_ns() // 1_000_000
    assert len(set(made)) == 20_000
    assert all(before <= identifier.int >> 80 <= after for identifier in made)
    assert uuid7s([]) == []
