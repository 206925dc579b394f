"""Answers and input: what becomes JSON and how; every failing field named, and nothing that was sent repeated."""

from __future__ import annotations

import enum
import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import partial
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import msgspec
import pytest
from asyncpg.pgproto import pgproto
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadRequest, InvalidFields
from core.http.many import ManyReader
from core.http.query import decode_query
from core.http.reply import encode, failure, problem, rfc3339, success
from core.http.validation import decode
from voicera import UNSET, Fragment, Meta, Page, Struct, UnsetType

NOW = datetime(2024, 1, 29, 10, 30, 0, 123999, UTC)
CANARY = "canary-7f3a"


class Colour(enum.Enum):
    RED = "red"


class Size(enum.IntEnum):
    SMALL = 1


class Inner(Struct, rename="camel"):
    at_time: datetime
    cost: Decimal | None = None
    left_out: int | UnsetType = UNSET


class Outer(Struct):
    inner: Inner
    many: list[Inner]
    named: dict[str, Inner]


def plain(value: Any) -> Any:
    return json.loads(encode(value))


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOW, "2024-01-29T10:30:00.123Z"),
        (datetime(2024, 1, 29, 10, 30, tzinfo=UTC), "2024-01-29T10:30:00.000Z"),
        (datetime(2024, 1, 29, 10, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))), "2024-01-29T05:00:00.000Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000Z"),
        (datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), "9999-12-31T23:59:59.999Z"),
        (datetime(1969, 12, 31, 23, 59, 59, 999999, UTC), "1969-12-31T23:59:59.999Z"),
    ],
)
def test_times_are_utc_rfc_3339_with_four_digit_years_and_milliseconds(moment: datetime, text: str) -> None:
    assert rfc3339(moment) == text
    assert plain({"at": moment, "list": [moment]}) == {"at": text, "list": [text]}


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_every_time_reads_back_as_itself_to_the_millisecond(moment: datetime) -> None:
    back = datetime.fromisoformat(rfc3339(moment))
    assert timedelta(0) <= moment - back < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("0.50"), "0.5"),
        (Decimal(3), "3"),
        (Decimal("1E+3"), "1000"),
        (Decimal("-0.1"), "-0.1"),
        (Decimal(9007199254740993), "9007199254740992.0"),
        (Decimal("NaN"), "null"),
        (Decimal("Infinity"), "null"),
        (float("nan"), "null"),
        (Colour.RED, '"red"'),
        (Size.SMALL, "1"),
        (date(2024, 1, 2), '"2024-01-02"'),
        (time(10, 30), '"10:30:00"'),
        (PurePosixPath("/a"), '"/a"'),
        ((1, 2), "[1,2]"),
        (frozenset({1}), "[1]"),
        ({UUID(int=1): 1}, '{"00000000-0000-0000-0000-000000000001":1}'),
        (Fragment(b'{"ready": 1}'), '{"ready": 1}'),
        ("\u202e\u0000\U0001f600", '"\u202e\\u0000\U0001f600"'),
    ],
)
def test_what_databases_and_python_give_becomes_json(value: Any, text: str) -> None:
    assert encode(value).decode() == text


def test_asyncpgs_own_uuid_is_a_uuid() -> None:
    assert plain([pgproto.UUID("018d54c2-0000-7000-8000-000000000000")]) == ["018d54c2-0000-7000-8000-000000000000"]


def test_structs_are_written_as_clients_know_them_at_any_depth() -> None:
    inner = Inner(NOW, Decimal("0.5"))
    shown = {"atTime": "2024-01-29T10:30:00.123Z", "cost": 0.5}
    page = Page[Outer](total=1, skip=0, limit=50, items=[Outer(inner, [inner], {"x": inner})])
    assert plain(page) == {
        "total": 1,
        "skip": 0,
        "limit": 50,
        "items": [{"inner": shown, "many": [shown], "named": {"x": shown}}],
    }


@pytest.mark.parametrize("value", [object(), b"bytes", 1j, [object()]])
def test_what_has_no_form_in_json_is_an_error_that_shows_no_value(value: Any) -> None:
    with pytest.raises(TypeError) as caught:
        encode(value)
    assert "0x" not in str(caught.value)


def test_the_envelope_of_a_good_answer_and_of_an_error() -> None:
    assert success({"a": 1}, NOW) == (
        b'{"success":true,"data":{"a":1},"error":null,"timestamp":"2024-01-29T10:30:00.123Z"}'
    )
    error = BadRequest("why").body()
    assert json.loads(failure(error, NOW)) == {
        "success": False,
        "data": None,
        "error": {"code": "REQUEST_001", "message": "The request is malformed", "details": "why"},
        "timestamp": "2024-01-29T10:30:00.123Z",
    }


def test_problem_details_carry_the_same_code_and_the_failing_fields() -> None:
    about = {"type": "/errors#REQUEST_002", "title": "Validation failed", "status": 422, "code": "REQUEST_002"}
    fields = [{"field": "a", "message": "is required"}]
    assert json.loads(problem(InvalidFields(fields).body(), 422)) == {**about, "errors": fields}  # type: ignore[arg-type]
    assert json.loads(problem(InvalidFields("why").body(), 422)) == {**about, "detail": "why"}
    assert json.loads(problem(InvalidFields().body(), 422)) == about


class Part(Struct, forbid_unknown_fields=True):
    speed: Annotated[float, Meta(gt=0, le=2)]
    kind: Literal["a", "b"] = "a"


class Body(Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=5)]
    status: Colour
    ident: UUID | None = None
    at: Annotated[datetime, Meta(tz=True)] | None = None
    cost: Decimal = Decimal(0)
    count: Annotated[int, Meta(ge=0, le=10)] | UnsetType = UNSET
    tags: Annotated[list[Annotated[str, Meta(max_length=3)]], Meta(max_length=3)] = []
    part: Part | None = None
    parts: list[Part] = []
    by_name: dict[str, Part] = {}
    free: dict[str, Any] = {}


NAMES = [field.name for field in msgspec.structs.fields(Body)]
GOOD: dict[str, Any] = {
    "name": "ok",
    "status": "red",
    "ident": "018d54c2-0000-7000-8000-000000000000",
    "at": "2024-01-29T10:30:00Z",
    "cost": 0.5,
    "count": 3,
    "tags": ["a"],
    "part": {"speed": 1},
    "parts": [{"speed": 1, "kind": "b"}],
    "by_name": {"x": {"speed": 0.5}},
    "free": {"any": [1, None, {"x": 1.5}]},
}
BAD: dict[str, list[Any]] = {
    "name": ["", "too long", 1, None, [], {}],
    "status": [CANARY, 1, None, "RED"],
    "ident": [CANARY, 1, [], "018d54c2"],
    "at": [CANARY, "2024-01-29T10:30:00", "2024-13-01T00:00:00Z", []],
    "cost": [CANARY, None, {}],
    "count": [-1, 11, "1", None, 1.5, 2**70],
    "tags": [["long"], ["a"] * 4, "a", [None], {}],
    "part": [{}, {"speed": 0}, {"speed": 1, "kind": CANARY}, {"speed": 1, "x": 1}, [], CANARY],
    "parts": [[{}], [None], {}, [{"speed": 1}, {"speed": CANARY}]],
    "by_name": [{"x": {}}, {"x": CANARY}, [], {"y": {"speed": 1}, "x": {"speed": 3}}],
    "free": [[], None, CANARY],
}
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_every_failing_field_is_listed_and_no_other(data: st.DataObject) -> None:
    wrong = data.draw(st.sets(st.sampled_from([*NAMES, "unknown", "missing"]), min_size=1))
    body = {name: value for name, value in GOOD.items() if name in ("name", "status") or data.draw(st.booleans())}
    for name in wrong:
        if name == "unknown":
            body["surplus"] = 1
        elif name == "missing":
            body.pop("status", None)
        else:
            body[name] = data.draw(st.sampled_from(BAD[name]))
    expected = {name for name in wrong if name in BAD} | ({"surplus"} & body.keys())
    expected |= {"status"} if "missing" in wrong else set()
    with pytest.raises(InvalidFields) as caught:
        decode(json.dumps(body).encode(), Body)
    details = caught.value.details
    assert not isinstance(details, str)
    assert details is not None
    assert {entry["field"].split(".")[0].split("[")[0] for entry in details} == expected
    assert all(entry["message"] for entry in details)
    assert CANARY not in str(details)
    assert "`" not in str(details)


def test_the_paths_of_failing_fields_lead_into_objects_and_lists() -> None:
    body = {
        **GOOD,
        "parts": [{"speed": 1}, {"speed": 0, "kind": "c"}],
        "by_name": {"x": {"speed": 9}},
        "tags": ["a", "long"],
        "status": CANARY,
    }
    with pytest.raises(InvalidFields) as caught:
        decode(json.dumps(body).encode(), Body)
    assert caught.value.details == [
        {"field": "status", "message": "must be one of red"},
        {"field": "tags[1]", "message": "Expected str of length <= 3"},
        {"field": "parts[1].speed", "message": "Expected float > 0.0"},
        {"field": "parts[1].kind", "message": "must be one of a, b"},
        {"field": "by_name.x.speed", "message": "Expected float <= 2.0"},
    ]


SPEED = Annotated[str, msgspec.Meta(pattern="^[0-9]+$", extra={"wanted": "must be digits"})]
COLOUR = Annotated[str, msgspec.Meta(pattern="^[a-z]+$", description="In `small` letters.")]
SHAPE = Annotated[str, msgspec.Meta(pattern="^[A-Z]+$")]


class Patterns(msgspec.Struct):
    """Texts of a certain form, each as it may be declared."""

    speed: SPEED
    speeds: list[SPEED]
    spare: SPEED | None
    outer: Annotated[SPEED | None, msgspec.Meta(description="Of the whole.")]
    colour: COLOUR
    shape: SHAPE


def test_a_text_of_the_wrong_form_is_answered_with_what_is_wanted_and_never_with_the_text() -> None:
    body = dict.fromkeys(("speed", "spare", "outer"), CANARY) | {
        "colour": "7",
        "shape": "7",
        "speeds": ["1", CANARY],
    }
    with pytest.raises(InvalidFields) as caught:
        decode(json.dumps(body).encode(), Patterns)
    assert caught.value.details == [
        {"field": "speed", "message": "must be digits"},
        {"field": "speeds[1]", "message": "must be digits"},
        {"field": "spare", "message": "must be digits"},
        {"field": "outer", "message": "must be digits"},
        {"field": "colour", "message": "does not fit: In small letters"},
        {"field": "shape", "message": "must match the pattern ^[A-Z]+$"},
    ]


@given(st.one_of(JSON_VALUES, st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, JSON_VALUES))))
@settings(max_examples=300, deadline=None)
def test_any_json_is_decoded_or_refused_and_nothing_else_happens(value: Any) -> None:
    for body in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        sent = body.encode(errors="surrogatepass")
        _decoded_or_refused(partial(decode, sent, Body))
        _decoded_or_refused(partial(_many, sent, lines=False))


@given(st.binary() | st.text(alphabet='{}[]",:0123456789.eE+-\\ untrfalse\n').map(str.encode))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_decoded_or_refused_and_nothing_else_happens(body: bytes) -> None:
    _decoded_or_refused(lambda: decode(body, Body))
    _decoded_or_refused(lambda: decode(body, Any))
    _decoded_or_refused(lambda: _many(body, lines=True))


@pytest.mark.parametrize("number", [b"9" * 400, b"9" * 5000, b"1e999", b"-1e999", b"1" + b"0" * 4000 + b".5", b"1E400"])
@pytest.mark.parametrize("body", [b'{"name":"a","status":"red","free":{"x":%s}}', b'{"name":%s}', b"[%s]", b"%s"])
def test_numbers_of_any_size_are_decoded_or_refused(number: bytes, body: bytes) -> None:
    _decoded_or_refused(lambda: decode(body % number, Body))
    _decoded_or_refused(lambda: decode(body % number, Any))
    _decoded_or_refused(lambda: _many(b"[" + body % number + b"]", lines=False))


def _many(body: bytes, *, lines: bool) -> Any:
    """What comes of a body that arrives in two pieces; with `skip`, the same without what does not fit."""
    for skip in (True, False):
        reader = ManyReader(list[Body], most=100, skip=skip, lines=lines)
        reader.feed(body[: len(body) // 2])
        reader.feed(body[len(body) // 2 :])
        found = reader.finish()
        assert len(found.values) + len({place for place, _ in found.errors}) == found.received
    return found.values


def _decoded_or_refused(read: Any) -> None:
    try:
        value = read()
    except (BadRequest, InvalidFields) as refused:
        assert refused.details  # noqa: PT017  # also where it is decoded the test goes on
    else:
        assert "\0" not in str(value)


class Filters(Struct, frozen=True, forbid_unknown_fields=True):
    agent: UUID
    status: Literal["on", "off"] | None = None
    number: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)] = 0
    share: float = 0.0
    flag: bool = False
    since: Annotated[datetime, Meta(tz=True)] | None = None
    search: Annotated[str, Meta(max_length=10)] | None = None


IDENT = uuid4()


def test_a_query_is_decoded_into_its_struct() -> None:
    text = f"agent={IDENT}&status=on&number=7&share=0.5&flag=true&since=2024-01-01T00:00:00Z&search=%C3%BC+x"
    since = datetime(2024, 1, 1, tzinfo=UTC)
    assert decode_query(text, Filters) == Filters(IDENT, "on", 7, 0.5, True, since, "ü x")


def test_every_wrong_missing_repeated_and_unknown_parameter_is_named_without_its_value() -> None:
    text = f"status={CANARY}&number=-1&number=2&flag={CANARY}&since={CANARY}&search=01234567890&colour={CANARY}"
    with pytest.raises(BadRequest) as caught:
        decode_query(text, Filters)
    details = caught.value.details
    assert not isinstance(details, str)
    assert details is not None
    assert sorted(entry["field"] for entry in details) == [
        *("agent", "colour", "flag", "number", "number", "search", "since", "status")
    ]
    assert CANARY not in str(details)
    said = {entry["field"]: entry["message"] for entry in details}
    assert said["status"] == "must be one of on, off"
    assert said["agent"] == "is required"
    assert said["colour"] == "is not a parameter here; there are: agent, status, number, share, flag, since, search"


def test_no_query_at_all_names_what_is_required() -> None:
    with pytest.raises(BadRequest) as caught:
        decode_query("", Filters)
    assert caught.value.details == [{"field": "agent", "message": "is required"}]


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]))
    | st.lists(
        st.tuples(st.sampled_from([*Filters.__struct_fields__, "x"]), st.text(alphabet="0123456789-+.eEnaif%&=\0"))
    ).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs))
)
@settings(max_examples=500, deadline=None)
def test_any_query_string_is_decoded_or_refused_and_nothing_else_happens(text: str) -> None:
    _decoded_or_refused(lambda: decode_query(text, Filters))
