"""A coding by Accept-Encoding."""

import pytest

from application.api.negotiation import choose_coding
from application.errors import CodingUnacceptable


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        (None, "identity"),
        ("", "identity"),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("GZip , deflate", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("*", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("gzip;q=0, *", "zstd"),
        ("gzip;q=0", "identity"),
        ("br, deflate", "identity"),
        ("identity", "identity"),
        ("identity, gzip;q=0.5", "identity"),
        ("identity;q=0.5, gzip", "gzip"),
        ("*;q=0, gzip", "gzip"),
        ("gzip;q=nonsense", "gzip"),
    ],
)
def test_the_client_chooses_the_coding(header: str | None, coding: str) -> None:
    assert choose_coding(header) == coding


@pytest.mark.parametrize(
    ("header", "coding"), [(None, "identity"), ("gzip", "identity"), ("identity;q=0, gzip", "gzip")]
)
def test_what_is_read_in_parts_is_coded_only_where_it_must_be(header: str | None, coding: str) -> None:
    assert choose_coding(header, in_parts=True) == coding


@pytest.mark.parametrize("header", ["identity;q=0", "*;q=0", "br, *;q=0", "identity;q=0, br"])
def test_a_client_that_refuses_every_coding_is_told(header: str) -> None:
    with pytest.raises(CodingUnacceptable, match="zstd or gzip or identity"):
        choose_coding(header)


@pytest.mark.parametrize("header", [None, "", "gzip", "zstd, gzip", "*", "identity;q=0.1, gzip", "br"])
def test_where_no_coding_is_offered_all_is_identity(header: str | None) -> None:
    assert choose_coding(header, ()) == "identity"


@pytest.mark.parametrize("header", ["identity;q=0", "gzip, identity;q=0", "*;q=0, gzip"])
def test_where_no_coding_is_offered_a_client_that_refuses_identity_is_told(header: str) -> None:
    with pytest.raises(CodingUnacceptable, match="Accept identity: "):
        choose_coding(header, ())
