"""Reading If-Match takes linear time, whatever is sent."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from multidict import CIMultiDict

from core.errors import BadRequest
from core.http.conditional import etag, if_match, if_none_match


def request(*lines: str, name: str = "If-Match") -> Any:
    return SimpleNamespace(headers=CIMultiDict([(name, line) for line in lines]))


def test_several_lines_are_one_list() -> None:
    assert if_match(request('"1", "2"', 'W/"3"', '"4"')) == ["1", "2", "4"]


def test_no_header_and_a_star_allow_every_version() -> None:
    assert if_match(request()) is None
    assert if_match(request(" * ")) is None
    assert if_none_match(request(name="If-None-Match"), 1) is False
    assert if_none_match(request("*", name="If-None-Match"), 1) is True


def test_a_tag_is_a_version_in_quotes() -> None:
    assert etag(12) == '"12"'


@pytest.mark.parametrize("value", [" " * 16_000 + "x", "," * 16_000 + "x", ", " * 8_000 + '"', '"1",' * 4_000 + '"'])
def test_a_long_malformed_list_is_refused_at_once(value: str) -> None:
    began = time.thread_time()  # not by the clock, which goes on while others compute
    with pytest.raises(BadRequest):
        if_match(request(value))
    assert time.thread_time() - began < 0.2
