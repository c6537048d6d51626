"""Values in a URL: what a grammar accepts is, cast by a real DuckDB, the value that Python reads there."""

import datetime as dt
import struct
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from application.query.values import ValueProblem, parser_for

INTEGERS = {
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "UTINYINT": pa.uint8(),
    "USMALLINT": pa.uint16(),
    "UINTEGER": pa.uint32(),
    "UBIGINT": pa.uint64(),
}
ZONED = "TIMESTAMP WITH TIME ZONE"
KINDS: dict[str, pa.DataType] = INTEGERS | {
    "DECIMAL(5,2)": pa.decimal128(5, 2),
    "DECIMAL(38,0)": pa.decimal128(38, 0),
    "DECIMAL(38,10)": pa.decimal128(38, 10),
    "DECIMAL(4,4)": pa.decimal128(4, 4),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMP_NS": pa.timestamp("ns"),
    ZONED: pa.timestamp("us", "UTC"),
    "UUID": pa.uuid(),
    "VARCHAR": pa.string(),
}
# Text that is, or nearly is, a value of some type.
LIKELY = st.one_of(
    st.from_regex(r"[-+]?[0-9]{1,45}(\.[0-9]{0,12})?([eE][-+]?[0-9]{1,3})?", fullmatch=True),
    st.from_regex(
        r"[0-2][0-9]{3}-[01][0-9]-[0-3][0-9]([T ][0-2][0-9]:[0-6][0-9](:[0-6][0-9])?(\.[0-9]{1,10})?)?"
        r"(Z|[-+][0-2][0-9]:[0-7][0-9])?",
        fullmatch=True,
    ),
    st.integers(-(2**70), 2**70).map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.floats().map(repr),
    st.floats(width=32).map(repr),
    st.dates().map(str),
    st.times().map(str),
    st.datetimes().map(dt.datetime.isoformat),
    st.datetimes(timezones=st.just(dt.UTC)).map(str),
    st.uuids().map(str),
    st.sampled_from(["true", "false", "True", "1", "nan", "-0", "-0.00", "1e999", "1e39", "16777217", "२"]),
    st.text(max_size=20),
)


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def instant(text: str) -> int:
    """Nanoseconds since 1970, read by Python; without a zone it is UTC."""
    moment, point, rest = text.partition(".")
    digits = "".join(letter for letter in rest[:9] if letter.isdigit()) if point else ""
    zone = rest.lstrip("0123456789")
    read = dt.datetime.fromisoformat(moment + zone)
    if read.tzinfo is None:
        read = read.replace(tzinfo=dt.UTC)
    seconds = (read - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(seconds=1)
    return seconds * 10**9 + int(digits.ljust(9, "0") or 0)


def python_value(kind: str, text: str) -> Any:
    """What a person who writes this means."""
    if kind in INTEGERS:
        return int(text)
    if kind.startswith("DECIMAL"):
        return Decimal(text)
    if kind == "FLOAT":
        return struct.unpack("f", struct.pack("f", float(text)))[0]
    if kind.startswith("TIMESTAMP"):
        return instant(text)
    readers = {
        "DOUBLE": float,
        "BOOLEAN": "true".__eq__,
        "DATE": dt.date.fromisoformat,
        "TIME": dt.time.fromisoformat,
        "UUID": uuid.UUID,
    }
    return readers.get(kind, str)(text)


def engine_value(duck: duckdb.DuckDBPyConnection, kind: str, canonical: str) -> Any:
    """What DuckDB makes of it in the query's own words."""
    cast = f"CAST(? AS {kind})"
    if kind.startswith("TIMESTAMP"):
        cast = f"epoch_us({cast})::HUGEINT * 1000" if kind != "TIMESTAMP_NS" else f"epoch_ns({cast})"
    row = duck.execute(f"SELECT {cast}", [canonical]).fetchone()
    assert row
    return row[0]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_accepted_equals_the_python_value_in_the_engine(
    kind: str, duck: duckdb.DuckDBPyConnection
) -> None:
    parse = parser_for(KINDS[kind])

    @settings(max_examples=120)
    @given(LIKELY)
    def accepted_means_equal(text: str) -> None:
        try:
            canonical = parse(text)
        except ValueProblem:
            return
        assert parse(canonical) == canonical
        assert engine_value(duck, kind, canonical) == python_value(kind, text)

    accepted_means_equal()


def bounds(kind: pa.DataType) -> tuple[int, int]:
    if pa.types.is_signed_integer(kind):
        return -(2 ** (kind.bit_width - 1)), 2 ** (kind.bit_width - 1) - 1
    return 0, 2**kind.bit_width - 1


@pytest.mark.parametrize("kind", INTEGERS)
def test_integers_end_where_their_type_ends(kind: str, duck: duckdb.DuckDBPyConnection) -> None:
    parse = parser_for(INTEGERS[kind])
    low, high = bounds(INTEGERS[kind])
    assert [engine_value(duck, kind, parse(str(end))) for end in (low, high)] == [low, high]
    for beyond in (low - 1, high + 1):
        with pytest.raises(ValueProblem, match=f"integers from {low} to {high}"):
            parse(str(beyond))


@pytest.mark.parametrize("text", ["1" * 38, "-" + "9" * 38, "9" * 37 + "0"])
def test_long_decimals_keep_every_digit(text: str, duck: duckdb.DuckDBPyConnection) -> None:
    canonical = parser_for(pa.decimal128(38, 0))(text)
    assert canonical == text
    assert engine_value(duck, "DECIMAL(38,0)", canonical) == Decimal(text)


@pytest.mark.parametrize("text", ["1000", "0.001", "1e2", "1.", ".5", "+1", " 1", "1_0", "NaN", ""])
def test_decimals_that_do_not_fit_are_refused(text: str) -> None:
    with pytest.raises(ValueProblem, match="decimal numbers"):
        parser_for(pa.decimal128(5, 2))(text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (pa.float64(), "1e309"),
        (pa.float32(), "3.5e38"),
        (pa.float32(), "-1e39"),
        (pa.float16(), "65520"),
    ],
)
def test_numbers_too_large_for_their_width_are_no_infinity(kind: pa.DataType, text: str) -> None:
    with pytest.raises(ValueProblem, match="too large"):
        parser_for(kind)(text)


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()])
def test_a_number_is_rounded_to_the_width_of_its_column(kind: pa.DataType) -> None:
    stored = pa.scalar(0.1).cast(kind).as_py()
    parse = parser_for(kind)
    assert parse("0.1") == parse("1e-1") == parse(repr(float(stored)))
    assert float(parse("0.1")) == stored


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-30",
        "2024-02-29T13",
        "2024-02-29T13:45.5",
        "2024-02-29T13:45:60",
        "2024-02-29T13:45:00+05:75",
        "2024-02-29T13:45:00+25:00",
        "2024-02-29T13:45:00 01:00",
        "2024-02-29T13:45:00.1234567",
        "0001-01-01T00:00:00+14:00",
        "0000-01-01",
        "20240229",
        "now",
        "",
    ],
)
def test_timestamps_that_could_be_read_in_two_ways_or_none_are_refused(text: str) -> None:
    with pytest.raises(ValueProblem, match="holds timestamps"):
        parser_for(pa.timestamp("us", "UTC"))(text)


def test_a_zone_means_nothing_to_a_column_without_one() -> None:
    with pytest.raises(ValueProblem, match="without a zone"):
        parser_for(pa.timestamp("us"))("2024-02-29T13:45:00Z")


def test_every_spelling_of_an_instant_is_one_text() -> None:
    parse = parser_for(pa.timestamp("us", "Europe/Paris"))
    spellings = (
        "2024-02-29T13:45:00Z",
        "2024-02-29 13:45",
        "2024-02-29T14:45:00.000+01:00",
        "2024-02-29T00:00-13:45",
    )
    assert {parse(text) for text in spellings} == {"2024-02-29 13:45:00+00:00"}


@pytest.mark.parametrize(
    ("last", "beyond"),
    [
        ("1677-09-21T00:12:43.145225", "1677-09-21T00:12:43.145224999"),
        ("2262-04-11T23:47:16.854775806", "2262-04-11T23:47:16.854775807"),
    ],
)
def test_nanoseconds_end_where_the_engines_cast_ends(
    last: str, beyond: str, duck: duckdb.DuckDBPyConnection
) -> None:
    parse = parser_for(pa.timestamp("ns"))
    assert engine_value(duck, "TIMESTAMP_NS", parse(last)) == instant(last)
    with pytest.raises(ValueProblem, match="timestamps from 1677-09-21"):
        parse(beyond)
    with pytest.raises(duckdb.ConversionException):
        engine_value(duck, "TIMESTAMP_NS", beyond.replace("T", " "))


@pytest.mark.parametrize("text", ["\ud800", "caf\udce9"])
def test_text_that_is_no_unicode_is_refused(text: str) -> None:
    with pytest.raises(ValueProblem, match="Unicode"):
        parser_for(pa.string())(text)


@pytest.mark.parametrize("text", ["", " 122 ", "0x7A", "a\0b", "';--", "é", "e\u0301", "😀"])
def test_text_is_itself(text: str, duck: duckdb.DuckDBPyConnection) -> None:
    for kind in (pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())):
        assert parser_for(kind)(text) == text
    assert engine_value(duck, "VARCHAR", text) == text


@pytest.mark.parametrize("text", ["TRUE", "True", "1", "t", "yes", ""])
def test_booleans_have_one_spelling(text: str) -> None:
    with pytest.raises(ValueProblem, match="true or false"):
        parser_for(pa.bool_())(text)


@pytest.mark.parametrize("text", ["24:00", "13:45:00.1234567", "1:45", "13:45:00Z", "1345", ""])
def test_times_of_day_have_no_other_spelling(text: str) -> None:
    with pytest.raises(ValueProblem, match="times of day"):
        parser_for(pa.time64("us"))(text)


def test_uuids_differ_in_case_only() -> None:
    identity = "6f1e2a34-0000-4000-8000-1234567890ab"
    assert parser_for(pa.uuid())(identity.upper()) == identity
    for text in (identity.replace("-", ""), f"{{{identity}}}", f"urn:uuid:{identity}"):
        with pytest.raises(ValueProblem, match="UUIDs"):
            parser_for(pa.uuid())(text)


@pytest.mark.parametrize("kind", [pa.list_(pa.int64()), pa.binary(), pa.null(), pa.duration("s"), pa.json_()])
def test_types_without_a_grammar_are_refused_by_name(kind: pa.DataType) -> None:
    with pytest.raises(ValueProblem, match="cannot be filtered") as caught:
        parser_for(kind)
    assert str(kind) in str(caught.value)


def test_a_very_long_value_is_not_said_back_whole() -> None:
    with pytest.raises(ValueProblem) as caught:
        parser_for(pa.int64())("x" * 100_000)
    assert len(str(caught.value)) < 200
