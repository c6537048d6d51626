"""What csv, json and ndjson say of each type, read back by Python's own readers."""

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from application.errors import ColumnUnsupported
from application.formats import FORMATS
from tests.formats.support import EVERY, HARD, LONG, check, picked, written

NAMES = ['quote " and\nnewline', "a", "A", "", "comma,", "é😀\u2028", "\\"]
TEXT = ("csv", "json", "ndjson")

# What the columns of EVERY are in JSON; csv has the same, as text or as JSON in a cell.
EXPECTED = {
    "int64": [2**63 - 1, -(2**63), None],
    "uint64": [2**64 - 1, None],
    "bool": [True, None, False],
    "null": [None, None],
    "halffloat": [Decimal("1.5"), None, None, None],
    "float": [Decimal("0.1"), None, None, None, Decimal("1e20")],
    "double": [
        None if text is None else Decimal(text)
        for text in ("0.1", None, None, None, "1e300", "1e-7", "5e-324", "-0.0")
    ],
    "decimal32": [Decimal("1.10"), None, Decimal("-0.01"), Decimal("0.00")],
    "decimal64": [Decimal("1234567890123456.78"), None],
    "decimal128": [LONG, None, Decimal(0)],
    "decimal256": [Decimal("1" * 70 + ".01"), None, Decimal("-0.01")],
    "date32": ["0001-01-01", "9999-12-31", None],
    "date64": ["0001-01-01", "9999-12-31", None],
    "uuid": ["00000000-0000-0000-0000-000000000005", None],
    "dictionary": ["a,", None, "", "a,"],
    "dictionary of decimals": [Decimal("1.10"), None],
    "list": [[1, None], None, []],
    "large list": [["1", None, ""], None, []],
    "fixed-size list": [[Decimal("1.5"), None], None, [Decimal("0.1"), None]],
    "list view": [[1], None, [2, 3]],
    "struct": [{"a": 1, "A": Decimal("1.10"), 'q"\n': "/w=="}, None, {"a": None, "A": None, 'q"\n': None}],
    "list of structs": [[{"t": "1970-01-01T00:00:00.000", "l": [[Decimal("0.1")], None]}, None], [], None],
    "map": [{'k"': 1, "": None}, None, {}],
    "map from numbers": [{"1": [Decimal("1.0")]}, None, {}],
    "map from dates": [{"2020-01-02": "0001-01-01"}, None],
    "list of uuids": [["00000000-0000-0000-0000-000000000005"], [None]],
    "struct of JSON": [{"j": v} for v in ({"a": [2**53 + 1]}, None, "not JSON", "é\u2028", None, "")],
    "struct of dictionary": [{"d": v} for v in ("a,", None, "", "a,")],
    "timestamp s None": [
        "1970-01-01T00:00:00",
        "1969-12-31T23:59:59",
        "2023-11-14T22:13:20",
        None,
        "0001-01-01T00:00:00",
        "9999-12-31T23:59:59",
        "10000-01-01T00:00:00",
    ],
    "timestamp ms Europe/Paris": [
        "1970-01-01T00:00:00.000Z",
        "1969-12-31T23:59:59.999Z",
        "2023-11-14T22:13:20.000Z",
        None,
        "0001-01-01T00:00:00.000Z",
        "9999-12-31T23:59:59.000Z",
        "10000-01-01T00:00:00.000Z",
    ],
    "timestamp ns +01:30": [
        "1970-01-01T00:00:00.000000000Z",
        "1969-12-31T23:59:59.999999999Z",
        "2023-11-14T22:13:20.000000000Z",
        None,
    ],
    "time s": ["00:00:01", None, "00:00:00"],
    "time ms": ["00:00:00.001", None, "00:00:00.000"],
    "time us": ["00:00:00.000001", None, "00:00:00.000000"],
    "time ns": ["00:00:00.000000001", None, "00:00:00.000000000"],
}
EXPECTED |= {f"duration {unit}": [5, None, -5] for unit in ("s", "ms", "us", "ns")}
EXPECTED |= dict.fromkeys(("string", "large_string", "string_view"), HARD)
EXPECTED |= {name: ["/wA=", None] for name in EVERY if "binary" in name}
EXPECTED |= {name: [row["j"] for row in EXPECTED["struct of JSON"]] for name in EVERY if "json in" in name}
EXPECTED |= {name: [1, None, 0] for name in ("int8", "int16", "int32", "uint8", "uint16")}
EXPECTED |= {"uint32": [2**32 - 1, None]}

# Where a cell of csv is not the JSON value as text.
CELLS = {
    "halffloat": ["1.5", "", "nan", "-inf"],
    "float": ["0.1", "", "nan", "inf", "1e+20"],
    "double": ["0.1", "", "nan", "-inf", "1e+300", "1e-7", "5e-324", "-0"],
    "bool": ["true", "", "false"],
    "decimal128": [str(LONG), "", "0E-18"],
}


def _loads(body: bytes | str) -> object:
    return json.loads(body, parse_float=Decimal)


def _table(name: str) -> pa.Table:
    return pa.table(
        {"before": range(len(EVERY[name])), "value": EVERY[name], "after": ["x"] * len(EVERY[name])}
    )


def _cells(body: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(body.decode(), newline=""), strict=True))


@pytest.mark.parametrize("name", EXPECTED)
def test_json_has_each_value_exactly(name: str) -> None:
    expected = [{"before": row, "value": value, "after": "x"} for row, value in enumerate(EXPECTED[name])]
    assert _loads(written("json", _table(name))) == expected


@pytest.mark.parametrize("name", EXPECTED)
def test_csv_has_each_value_exactly(name: str) -> None:
    rows = _cells(written("csv", _table(name)))[1:]
    if name in CELLS:
        assert [row[1] for row in rows] == CELLS[name]
        return
    if name.startswith("json in"):
        assert [row[1] for row in rows] == [text or "" for text in EVERY[name].storage.to_pylist()]
        return
    for (_, cell, _), value in zip(rows, EXPECTED[name], strict=True):
        if isinstance(value, list | dict):
            assert _loads(cell) == value
        else:
            assert cell == ("" if value is None else str(value))


@pytest.mark.parametrize("name", EVERY)
def test_each_type_is_written_and_agrees_between_json_and_ndjson(name: str) -> None:
    table = _table(name)
    for extension in TEXT:
        check(extension, table.schema)
    lines = written("ndjson", table)
    assert lines.count(b"\n") == len(table)
    assert b"[" + lines[:-1].replace(b"\n", b",\n") + b"]" == written("json", table)


@pytest.mark.parametrize("name", EVERY)
def test_a_column_alone_has_a_row_for_each_value(name: str) -> None:
    table = pa.table({"value": EVERY[name]})
    assert all(len(row) == 1 for row in _cells(written("csv", table)))
    assert len(_cells(written("csv", table))) == len(table) + 1
    assert written("json", table).count(b',\n{"value":') == len(table) - 1


def test_every_type_goes_into_one_file() -> None:
    table = pa.table({name: picked(name, [0, 1, 0]) for name in EVERY})
    assert len(_loads(written("json", table))) == 3
    assert [len(row) for row in _cells(written("csv", table))] == [len(EVERY)] * 4


def test_decimals_keep_their_digits_in_json() -> None:
    values = [Decimal("1.10"), Decimal("12345678901234567890.00")]
    table = pa.table({"d": pa.array(values, pa.decimal128(30, 2))})
    assert written("ndjson", table) == b'{"d":1.10}\n{"d":12345678901234567890.00}\n'


def test_json_columns_are_embedded_as_they_are_on_one_line() -> None:
    body = written("ndjson", _table("json in string"))
    assert b'"value":{"a": 1.10,  "a": [9007199254740993]},' in body


def test_map_keys_that_repeat_are_all_written() -> None:
    table = pa.table({"m": pa.array([[("k", 1), ("k", 2)]], pa.map_(pa.string(), pa.decimal128(3, 0)))})
    assert written("ndjson", table) == b'{"m":{"k":1,"k":2}}\n'


@pytest.mark.parametrize("kind", [pa.int64(), pa.decimal128(5, 2), pa.string()])
def test_column_names_may_be_anything(kind: pa.DataType) -> None:
    table = pa.Table.from_arrays([pa.nulls(1, kind)] * len(NAMES), names=NAMES)
    assert _cells(written("csv", table))[0] == NAMES
    for extension in ("csv", "json", "ndjson"):
        assert written(extension, table)
    assert list(_loads(written("json", table))[0]) == NAMES


DAY = 86_400
LAST, FIRST = 11_248_737, -12_687_428
EDGES = {
    "date": (pa.int32(), pa.date32(), FIRST, LAST, "-32767-01-01", "32767-12-31"),
    "timestamp": (
        pa.int64(),
        pa.timestamp("s"),
        FIRST * DAY,
        (LAST + 1) * DAY - 1,
        "-32767-01-01T00:00:00",
        "32767-12-31T23:59:59",
    ),
    "time": (pa.int64(), pa.time64("us"), 0, DAY * 10**6 - 1, "00:00:00.000000", "23:59:59.999999"),
}


@pytest.mark.parametrize("extension", TEXT)
@pytest.mark.parametrize("kind", EDGES)
def test_what_no_text_can_hold_is_refused_by_name_and_all_else_written(kind: str, extension: str) -> None:
    number, type_, low, high, *shown = EDGES[kind]
    edges = pa.array([low, None, high], number).view(type_)
    nested = pa.ListArray.from_arrays([0, 3], edges)
    body = written(extension, pa.table({"n": range(3), "t": edges})).decode()
    assert all(text in body for text in shown)
    assert all(text in written(extension, pa.table({"n": [1], "t": nested})).decode() for text in shown)
    for outside in (low - 1, high + 1):
        beyond = pa.array([None, outside], number).view(type_)
        for column in (beyond, pa.ListArray.from_arrays([0, 1, 2], beyond)):
            with pytest.raises(ColumnUnsupported, match=r"'when'.*exclude_field=when"):
                written(extension, pa.table({"n": range(2), "when": column}))


def test_null_and_the_empty_string_differ_in_csv() -> None:
    table = pa.table({"a": [None, ""], "b": ["", None]})
    assert written("csv", table) == b'"a","b"\n,""\n"",\n'


def test_null_in_a_column_alone_is_a_quoted_nothing() -> None:
    assert written("csv", pa.table({"a": ["x", None, ""]})) == b'"a"\n"x"\n""\n""\n'
    assert written("csv", pa.table({"a": [1, None]})) == b'"a"\n"1"\n""\n'


def test_duckdb_reads_the_csv(tmp_path: Path) -> None:
    table = pa.table({"name": [*HARD, None], "n": range(len(HARD) + 1)})
    path = tmp_path / "data.csv"
    path.write_bytes(written("csv", table))
    reader = f"read_csv('{path}', header=true, delim=',', quote='\"', escape='\"', allow_quoted_nulls=false)"
    expected = list(zip(*table.to_pydict().values(), strict=True))
    assert duckdb.sql(f"FROM {reader}").fetchall() == expected


@pytest.mark.parametrize(("extension", "expected"), [("csv", b'"a","b"\n'), ("json", b"[]"), ("ndjson", b"")])
def test_no_rows_make_a_valid_file(extension: str, expected: bytes) -> None:
    table = pa.schema([("a", pa.int64()), ("b", pa.decimal128(5, 2))]).empty_table()
    assert written(extension, table, []) == expected
    hollow = pa.RecordBatch.from_pylist([], table.schema)
    assert written(extension, table, [hollow, hollow]) == expected


def test_json_without_its_end_is_not_valid() -> None:
    encoder = FORMATS["json"].open_encoder()
    batch = pa.record_batch({"a": [1, 2]})
    begun = bytes(encoder.start(batch.schema)) + bytes(encoder.encode(batch))
    with pytest.raises(json.JSONDecodeError):
        json.loads(begun)


@pytest.mark.parametrize("extension", TEXT)
def test_a_type_without_text_is_refused_by_name(extension: str) -> None:
    schema = pa.schema([("fine", pa.int8()), ("my union", pa.dense_union([pa.field("i", pa.int8())]))])
    with pytest.raises(ColumnUnsupported, match=r"'my union'.*exclude_field=my union"):
        check(extension, schema)
