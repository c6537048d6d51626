"""Preconditions and ranges, as RFC 9110 orders them."""

from datetime import UTC, datetime

import pytest
from starlette.datastructures import Headers

from application.api.conditional import (
    PreconditionFailed,
    RangeNotSatisfiable,
    Validators,
    is_not_modified,
    wanted_range,
)

VALIDATORS = Validators("abc", datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC))
THEN = "Fri, 02 Jan 2026 03:04:05 GMT"
EARLIER = "Thu, 01 Jan 2026 00:00:00 GMT"
LATER = "Sat, 03 Jan 2026 00:00:00 GMT"


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
    assert is_not_modified(Headers(headers), VALIDATORS) is expected


@pytest.mark.parametrize(
    "headers", [{"if-match": '"x"'}, {"if-match": 'W/"abc"'}, {"if-unmodified-since": EARLIER}]
)
def test_a_client_that_wants_another_version_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(PreconditionFailed):
        is_not_modified(Headers(headers), VALIDATORS)


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
    assert wanted_range(Headers(headers), VALIDATORS, 10) == expected


@pytest.mark.parametrize("wanted", ["bytes=10-", "bytes=99-100", "bytes=-0"])
def test_a_range_without_a_byte_is_refused(wanted: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        wanted_range(Headers({"range": wanted}), VALIDATORS, 10)
