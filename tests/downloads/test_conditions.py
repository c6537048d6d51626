"""Preconditions and ranges, as RFC 9110 orders them."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from application.downloads.conditions import Conditions, Validators
from application.errors import PreconditionFailed, RangeNotSatisfiable

VALIDATORS = Validators("abc", datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC))
THEN = "Fri, 02 Jan 2026 03:04:05 GMT"
EARLIER = "Thu, 01 Jan 2026 00:00:00 GMT"
LATER = "Sat, 03 Jan 2026 00:00:00 GMT"


def given(headers: dict[str, str]) -> Conditions:
    """The conditions of a request with a line for each header."""
    return several([*headers.items()])


def several(lines: Sequence[tuple[str, str]]) -> Conditions:
    """The conditions of a request with these lines."""
    return Conditions.parse(lambda wanted: [value for name, value in lines if name == wanted])


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"if-none-match": '"abc"'}, True),
        ({"if-none-match": 'W/"abc"'}, True),
        ({"if-none-match": '"x", "abc"'}, True),
        ({"if-none-match": "*"}, True),
        ({"if-none-match": '"x"'}, False),
        ({"if-none-match": '"x"', "if-modified-since": LATER}, False),
        ({"if-modified-since": THEN}, True),
        ({"if-modified-since": EARLIER}, False),
        ({"if-modified-since": "yesterday"}, False),
        ({"if-modified-since": "Mon, 01 Jan 2024 00:00:00 +99999999999999999999"}, False),
        ({"if-unmodified-since": "1 Jan 99999999999999999999 00:00:00 GMT"}, False),
        ({"if-match": '"abc"'}, False),
        ({"if-match": "*", "if-none-match": '"abc"'}, True),
        ({"if-unmodified-since": THEN}, False),
        ({"if-match": '"abc"', "if-unmodified-since": EARLIER}, False),
    ],
)
def test_a_client_that_has_it_is_told_so(headers: dict[str, str], expected: bool) -> None:
    assert given(headers).is_not_modified(VALIDATORS) is expected


@pytest.mark.parametrize(
    "headers", [{"if-match": '"x"'}, {"if-match": 'W/"abc"'}, {"if-unmodified-since": EARLIER}]
)
def test_a_client_that_wants_another_version_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(PreconditionFailed):
        given(headers).is_not_modified(VALIDATORS)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"range": "bytes=0-0"}, (0, 1)),
        ({"range": "bytes=2-"}, (2, 10)),
        ({"range": "bytes=2-99"}, (2, 10)),
        ({"range": "bytes=-3"}, (7, 10)),
        ({"range": "bytes=-99"}, (0, 10)),
        ({"range": "bytes=5-2"}, None),
        ({"range": "bytes=-"}, None),
        ({"range": "bytes=0-1,3-4"}, None),
        ({"range": "rows=0-1"}, None),
        ({"range": f"bytes={'9' * 5000}-"}, None),
        ({"range": f"bytes=0-{'9' * 5000}"}, None),
        ({"range": f"bytes=-{'9' * 5000}"}, None),
        ({"range": "bytes=0-1", "if-range": '"abc"'}, (0, 2)),
        ({"range": "bytes=0-1", "if-range": 'W/"abc"'}, None),
        ({"range": "bytes=0-1", "if-range": '"x"'}, None),
        ({"range": "bytes=0-1", "if-range": THEN}, (0, 2)),
        ({"range": "bytes=0-1", "if-range": LATER}, None),
    ],
)
def test_a_single_range_is_found(headers: dict[str, str], expected: tuple[int, int] | None) -> None:
    assert given(headers).part(VALIDATORS, 10) == expected


@pytest.mark.parametrize("wanted", ["bytes=10-", "bytes=99-100", "bytes=-0"])
def test_a_range_without_a_byte_is_refused(wanted: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        given({"range": wanted}).part(VALIDATORS, 10)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([("if-none-match", '"x"'), ("if-none-match", '"abc"')], True),
        ([("if-none-match", '"x"'), ("if-none-match", 'W/"abc"')], True),
        ([("if-none-match", '"x"'), ("if-none-match", '"y"')], False),
        ([("if-match", '"x"'), ("if-match", '"abc"')], False),
        ([("if-modified-since", LATER), ("if-modified-since", LATER)], False),
    ],
)
def test_all_lines_of_a_field_count(lines: Sequence[tuple[str, str]], expected: bool) -> None:
    assert several(lines).is_not_modified(VALIDATORS) is expected


def test_two_ranges_in_two_lines_are_no_single_range() -> None:
    assert several([("range", "bytes=0-1"), ("range", "bytes=3-4")]).part(VALIDATORS, 10) is None


def test_a_range_of_two_versions_is_of_none() -> None:
    lines = [("range", "bytes=0-1"), ("if-range", '"abc"'), ("if-range", '"x"')]
    assert several(lines).part(VALIDATORS, 10) is None
