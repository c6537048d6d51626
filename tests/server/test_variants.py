"""Variants are JSON in the text formats, with every digit, or refused by name."""

import struct
from collections.abc import Iterator
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest

from tests.support import edits, said
from tests.support.serving import Served, serving_folder

NANOSECONDS = 1_600_000_000_123_456_789
VARIANT = 16
METADATA = b"\x11\x01\x00\x01a"  # version 1, sorted, one name: a


def primitive(kind: int, data: bytes) -> bytes:
    return bytes([kind << 2]) + data


def text(value: str) -> bytes:
    return bytes([len(value.encode()) << 2 | 1]) + value.encode()


def holding(header: bytes, *values: bytes) -> bytes:
    """An object or an array, whose offsets are of one byte."""
    ends = [sum(map(len, values[:count])) for count in range(len(values) + 1)]
    return header + bytes(ends) + b"".join(values)


def array(*values: bytes) -> bytes:
    return holding(bytes([3, len(values)]), *values)


def an_object(value: bytes) -> bytes:
    return holding(bytes([2, 1, 0]), value)


INSTANT = primitive(18, struct.pack("<q", NANOSECONDS))
BEFORE_1970 = primitive(18, struct.pack("<q", -NANOSECONDS))
EXACT = {
    "text with the byte of an instant": (text("H é"), "H é"),
    "an integer with that byte": (primitive(5, struct.pack("<i", 0x48)), 0x48),
    "a long integer": (primitive(6, struct.pack("<q", 2**63 - 1)), 2**63 - 1),
    "a decimal": (
        primitive(10, b"\x02" + (10**37 + 1).to_bytes(16, "little")),
        Decimal("100000000000000000000000000000000000.01"),
    ),
    "an instant of microseconds": (
        primitive(12, struct.pack("<q", NANOSECONDS // 1000)),
        "2020-09-13 12:26:40.123456+00",
    ),
    "an instant of whole microseconds": (
        primitive(18, struct.pack("<q", NANOSECONDS // 1000 * 1000)),
        "2020-09-13 12:26:40.123456+00",
    ),
    "a local time of nanoseconds": (
        an_object(primitive(19, struct.pack("<q", NANOSECONDS))),
        {"a": "2020-09-13 12:26:40.123456789"},
    ),
    "a list": (array(text("x"), an_object(b"\0")), ["x", {"a": None}]),
}
CUT = {
    "an instant": INSTANT,
    "an instant before 1970": BEFORE_1970,
    "an instant in an object": an_object(INSTANT),
    "an instant in a list": array(text("H"), array(an_object(INSTANT))),
}
FILES = {name: f"case-{place}" for place, name in enumerate([*EXACT, *CUT])}


def variants(value: bytes, rows: int = 3000) -> bytes:
    """A file of variants that are NULL but for the last."""
    kind = pa.struct([pa.field("metadata", pa.binary(), False), pa.field("value", pa.binary(), False)])
    column = pa.array([None] * (rows - 1) + [{"metadata": METADATA, "value": value}], kind)

    def annotate(footer: edits.Struct) -> None:
        edits.elements(footer)[2][10] = (12, {VARIANT: (12, {1: (3, 1)})})

    return edits.edited(edits.plain(pa.table({"k": range(rows), "v": column})), annotate)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("variants")
    for name, value in {**{name: value for name, (value, _) in EXACT.items()}, **CUT}.items():
        (root / f"{FILES[name]}.parquet").write_bytes(variants(value))
    shredded = "{'a': '2024-01-01 00:00:00.123456789'::TIMESTAMP_NS, 'H': ['HH'], 'd': 1.10}::VARIANT"
    duckdb.sql(f"COPY (SELECT 1 AS k, {shredded} AS v) TO '{root / 'shredded.parquet'}' (FORMAT parquet)")
    with serving_folder(root, log_level="CRITICAL") as served:
        yield served


@pytest.mark.parametrize("name", EXACT)
def test_a_variant_is_json_with_every_digit(server: Served, name: str) -> None:
    rows = said.parsed(server.get(f"/{FILES[name]}.json?k=2999").text)
    assert rows == [{"k": 2999, "v": EXACT[name][1]}]
    assert len(server.get(f"/{FILES[name]}.ndjson").text.splitlines()) == 3000


def test_a_variant_in_columns_of_its_own_is_json_too(server: Served) -> None:
    rows = said.parsed(server.get("/shredded.json").text)
    assert rows == [{"k": 1, "v": {"H": ["HH"], "d": Decimal("1.10"), "a": "2024-01-01 00:00:00.123456789"}}]


@pytest.mark.parametrize("name", CUT)
def test_an_instant_finer_than_the_engine_keeps_is_refused_by_name(server: Served, name: str) -> None:
    for extension in ("csv", "json", "ndjson"):
        answer = server.get(f"/{FILES[name]}.{extension}?k=2999")
        assert (answer.status_code, answer.json()["code"]) == (422, "column-unsupported")
        assert "'v'" in answer.json()["detail"]
        assert "exclude_field=v" in answer.json()["detail"]
    assert server.get(f"/{FILES[name]}.json?k=2999&exclude_field=v").json() == [{"k": 2999}]
    assert server.get(f"/{FILES[name]}.json?k=0").json() == [{"k": 0, "v": None}]
