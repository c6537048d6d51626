"""The workbooks, read by the standard's own words, by openpyxl, calamine, pandas, polars and GDAL."""

import datetime as dt
import io
import math
import re
import warnings
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import polars as pl
import pyarrow as pa
import pyogrio
import pytest
import python_calamine
from hypothesis import given, settings
from hypothesis import strategies as st
from openxml_audit import OpenXmlValidator, ValidationErrorType

from application.about import About
from application.errors import ColumnUnsupported, ResultTooLarge
from application.formats import FORMATS, GroupEncoder, xlsx
from application.formats.xlsx import XlsxEncoder
from application.formats.xlsx_package import Package, pack
from tests.formats.support import EVERY, check, picked, written
from tests.support import workbooks

HOSTILE = [
    *("=1+1", "+1", "-1", "@SUM(A1)", "=cmd|'/c calc'!A0", "'quoted", "\t=1"),
    *("007", "1e5", "TRUE", "2024-01-31", " lead", "trail ", "  ", "a\nb", "a\r\nb", "\r", "\n", "\t"),
    *("\x00", "\x01\x1f\x7f\x85", "\ufffe\uffff", "é漢🌳", "<b>&amp;</b>", "]]>", '"', "\u2028", "\u00a0x"),
    *(
        "_x000D_",
        "_x000d_",
        "_x0041_x0042_",
        "_x005F_",
        "_x005F_x000D_",
        "__x0041_",
        "_x0041",
        "x0041_",
        "_x",
    ),
]
DAY = dt.date(1899, 12, 30)


def workbook(**columns: Any) -> bytes:
    return written("xlsx", pa.table(columns))


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_text_is_text_whatever_it_is(text: str) -> None:
    table = pa.table({"plain": ["x"], "text": [text], text: ["as a name"]})
    header, row = workbooks.sheet(written("xlsx", table))
    assert header == [("text", "plain"), ("text", "text"), ("text", text)]
    assert row == [("text", "x"), ("text", text), ("text", "as a name")]


def test_hostile_text_comes_out_of_openpyxl_and_calamine() -> None:
    body = workbook(text=HOSTILE)
    read = openpyxl.load_workbook(io.BytesIO(body))["Data"]
    cells = [row[0] for row in read.iter_rows(min_row=2)]
    assert {cell.data_type for cell in cells} <= {"s", "inlineStr"}
    for text, cell in zip(HOSTILE, cells, strict=True):
        # It leaves the standard's forms, which control characters have, as they are.
        if not re.search(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|_x", text):
            assert cell.value == text
    sheet = python_calamine.load_workbook(io.BytesIO(body)).get_sheet_by_name("Data")
    pairs = zip(HOSTILE, sheet.to_python()[1:], strict=True)
    # It knows the forms of control characters alone.
    assert [text for text, (found,) in pairs if found != text] == ["\ufffe\uffff"]


def told(kind: pa.DataType, column: pa.Array) -> Iterator[workbooks.Cell]:
    """What the cells of a column of numbers or times are to be, in plain Python."""
    for item in column:
        number = (
            None
            if not item.is_valid
            else item.cast(pa.int64()).as_py()
            if pa.types.is_temporal(kind)
            else item.as_py()
        )
        if number is None:
            yield "none", None
        elif pa.types.is_boolean(kind):
            yield "truth", number
        elif pa.types.is_duration(kind) or pa.types.is_integer(kind):
            yield ("number", Decimal(number)) if abs(number) < 10**15 else ("text", str(number))
        elif pa.types.is_floating(kind):
            yield from real(number, item)
        else:
            yield exact(number)


def real(number: float, item: pa.Scalar) -> Iterator[workbooks.Cell]:
    if not math.isfinite(number) or 0 < abs(number) < 1e-307:
        yield "text", repr(number)
    else:
        wide = repr(number) if item.type == pa.float64() else str(pd.Series([number], dtype="float32")[0])
        yield "number", Decimal(wide)


def exact(number: Decimal) -> workbooks.Cell:
    whole, _, fraction = f"{abs(number):f}".partition(".")
    count = len((whole + fraction.rstrip("0")).lstrip("0"))
    return ("number", number) if count <= 15 else ("text", f"{number:f}")


@pytest.mark.parametrize(
    "kind",
    [
        name
        for name in EVERY
        if name.startswith(("int", "uint", "bool", "half", "float", "double", "dec", "dur"))
    ],
)
def test_numbers_are_numbers_where_a_number_says_all(kind: str) -> None:
    column = EVERY[kind]
    cells = workbooks.columns(workbook(row=range(len(column)), value=column))["value"]
    assert cells == list(told(column.type, column))


@pytest.mark.parametrize(
    ("text", "is_number"),
    [
        ("999999999999999", True),
        ("1000000000000000", False),
        ("100000000000000000000", False),
        ("0.100000000000000000", True),
        ("99999999999999.90", True),
        ("-0.000000000000000001", True),
        ("1234567890.123456", False),
        ("0", True),
    ],
)
def test_decimals_of_fifteen_digits_are_numbers(text: str, is_number: bool) -> None:
    [(kind, value)] = workbooks.columns(workbook(d=pa.array([Decimal(text)], pa.decimal256(50, 18))))["d"]
    assert (kind == "number") == is_number
    assert Decimal(value) == Decimal(text)


def test_dates_are_numbers_from_the_day_on_from_which_excel_counts_right() -> None:
    days = [
        dt.date(1, 1, 1),
        dt.date(1900, 2, 28),
        dt.date(1900, 3, 1),
        dt.date(2024, 2, 29),
        dt.date(9999, 12, 31),
    ]
    cells = workbooks.columns(workbook(d=days))["d"]
    assert cells[:2] == [("text", "0001-01-01"), ("text", "1900-02-28")]
    assert {kind for kind, _ in cells[2:]} == {"yyyy\\-mm\\-dd"}
    assert [DAY + dt.timedelta(days=int(number)) for _, number in cells[2:]] == days[2:]
    read = openpyxl.load_workbook(io.BytesIO(workbook(d=days)))["Data"]
    assert [row[0].date() for row in read.iter_rows(min_row=4, values_only=True)] == days[2:]


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/London"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_moments_are_numbers_where_milliseconds_say_all(unit: str, zone: str | None) -> None:
    per = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    numbers = [
        1_700_000_000 * per,
        1_700_000_000 * per + per // 1000 * 123,
        1_700_000_000 * per + 1,
        -(2**62) // 10**3 * 10**3,
    ]
    column = pa.array(numbers, pa.timestamp(unit, zone))
    try:
        cells = workbooks.columns(workbook(row=[1, 2, 3, 4], t=column))["t"]
    except ColumnUnsupported:
        assert unit != "ns", "a year beyond what text has is refused"
        cells = workbooks.columns(workbook(row=[1, 2, 3], t=column.slice(0, 3)))["t"]
    ending = '"Z"' if zone else ""
    assert cells[0][0] == f"yyyy\\-mm\\-dd\\ hh:mm:ss{ending}"
    assert cells[1][0] == (f"yyyy\\-mm\\-dd\\ hh:mm:ss{'.000' if unit != 's' else ''}{ending}")
    for number, (kind, value) in zip(numbers, cells, strict=False):
        thousandths, rest = divmod(number * 1000, per)
        if kind == "text":
            assert rest or number < 0
            assert value.endswith("Z") == bool(zone)
            continue
        assert not rest
        assert round((value - 25569) * 86_400_000) == thousandths


def test_times_are_parts_of_a_day_where_milliseconds_say_all() -> None:
    cells = workbooks.columns(
        workbook(t=pa.array([0, 45_296_789_000, 45_296_000_000, 1, None], pa.time64("us")))
    )["t"]
    assert [kind for kind, _ in cells] == ["hh:mm:ss", "hh:mm:ss.000", "hh:mm:ss", "text", "none"]
    assert round(cells[1][1] * 86_400_000) == 45_296_789
    assert cells[3][1] == "00:00:00.000001"
    with pytest.raises(ColumnUnsupported, match="'t'"):
        workbook(t=pa.array([86_400_000_000], pa.time64("us")))


TEXTS = [
    name
    for name in EVERY
    if not name.startswith(
        ("int", "uint", "bool", "half", "float", "double", "dec", "dur", "date", "time", "dictionary of dec")
    )
]


@pytest.mark.parametrize("kind", TEXTS)
def test_all_else_has_the_text_that_it_has_in_csv(kind: str) -> None:
    column = EVERY[kind]
    cells = workbooks.columns(workbook(row=range(len(column)), value=column))["value"]
    frame = pl.read_csv(
        io.BytesIO(written("csv", pa.table({"row": range(len(column)), "value": column}))),
        schema_overrides={"value": pl.String},
    )
    assert [value for _, value in cells] == frame["value"].to_list()


def test_readers_take_every_type(tmp_path: Path) -> None:
    table = pa.table({name: picked(name, range(10)) for name in EVERY})
    check("xlsx", table.schema)
    body = written("xlsx", table)
    assert openpyxl.load_workbook(io.BytesIO(body))["Data"].dimensions == "A1:BO11"
    for engine in ("openpyxl", "calamine"):
        assert pd.read_excel(io.BytesIO(body), engine=engine).shape == (10, len(EVERY))
    assert pl.read_excel(io.BytesIO(workbook(a=[1], b=["x"])), engine="openpyxl").rows() == [(1, "x")]
    path = tmp_path / "every.xlsx"
    path.write_bytes(body)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, read = pyogrio.read_arrow(path, layer="Data")
    assert (read.num_rows, read.num_columns) == (10, len(EVERY))


def test_the_package_is_as_the_standards_schemas_have_it(tmp_path: Path) -> None:
    table = pa.table({name: picked(name, range(10)) for name in EVERY})
    path = tmp_path / "every.xlsx"
    about = About("d", '{"limit": 1}', "s", "e", title="A & B", columns={"double": "<real>"})
    encoder = FORMATS["xlsx"].open_encoder(about=about)
    chunks = [encoder.start(table.schema), *map(encoder.encode, table.to_batches()), encoder.finish()]
    path.write_bytes(b"".join(chunks))
    found = OpenXmlValidator().validate(str(path)).errors
    schema = [
        item for item in found if item.error_type in {ValidationErrorType.SCHEMA, ValidationErrorType.PACKAGE}
    ]
    assert [item.description for item in schema] == []
    # Colours by name, which nothing here uses.
    assert all("theme" in item.description or "inline" in item.description for item in found)


def test_the_header_stays_in_view_and_filters() -> None:
    body = workbook(name=["Mill Lane " * 3, "b"], n=[1, 2], **{"a long name of a column": [None, "x" * 500]})
    sheet = openpyxl.load_workbook(io.BytesIO(body))["Data"]
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:C3"
    assert sheet["A1"].font.b
    widths = [sheet.column_dimensions[letter].width for letter in "ABC"]
    assert widths == [33, 9, 60]
    assert openpyxl.load_workbook(io.BytesIO(body)).sheetnames == ["Data", "About"]


def test_about_says_whose_data_it_is_and_what_columns_mean() -> None:
    about = About(
        "tree",
        "[" + "9," * 30_000 + "9]",
        "abc",
        "def",
        dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        title="=Trees",
        licence="OGL",
        attribution="© Crown",
        columns={"b": "what b is", "gone": "no such column"},
    )
    encoder = FORMATS["xlsx"].open_encoder(about=about)
    body = b"".join([encoder.start(pa.schema({"a": pa.int64(), "b": pa.string()})), encoder.finish()])
    rows = [[value for _, value in row] for row in workbooks.sheet(body, 2)]
    said = {label: value for label, value in rows if label}
    assert said["Title"] == "=Trees"
    assert (said["Dataset"], said["Licence"], said["Attribution"]) == ("tree", "OGL", "© Crown")
    assert (said["Version of the data (ETag)"], said["Version of this file (ETag)"]) == ("abc", "def")
    assert rows[-3:] == [["Column", "Description"], ["a", None], ["b", "what b is"]]
    start = next(index for index, row in enumerate(rows) if row[0] == "Query")
    pieces = [rows[start][1]]
    for label, value in rows[start + 1 :]:
        if label or not value:
            break
        pieces.append(value)
    assert "".join(pieces) == about.query
    assert max(map(len, pieces)) <= 32_767


@pytest.mark.parametrize(
    ("text", "fits"),
    [("x" * 32_767, True), ("x" * 32_768, False), ("🌳" * 16_384, False), ("é" * 32_767, True)],
)
def test_a_text_that_no_cell_holds_is_refused_by_column_and_row(text: str, fits: bool) -> None:
    table = pa.table({"n": range(200), "long": ["a"] * 150 + [text] + ["b"] * 49})
    if fits:
        assert workbooks.columns(written("xlsx", table))["long"][150] == ("text", text)
        return
    with pytest.raises(
        ResultTooLarge, match=r"'long' has a text of 32,768 UTF-16 units in row 152 of the sheet"
    ):
        written("xlsx", table, table.to_batches(max_chunksize=7))


def test_more_columns_or_rows_than_a_sheet_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ResultTooLarge, match="16,385 columns"):
        check("xlsx", pa.schema([(str(number), pa.int8()) for number in range(16_385)]))
    with pytest.raises(ResultTooLarge, match="32,768 UTF-16"):
        check("xlsx", pa.schema([("n" * 32_768, pa.int8())]))
    monkeypatch.setattr(xlsx, "MOST_ROWS", 10)
    assert FORMATS["xlsx"].most_rows == 1_048_575
    with pytest.raises(ResultTooLarge, match="more rows than the 10"):
        workbook(n=range(11))


def test_more_bytes_than_a_zip_of_the_first_kind_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("application.formats.xlsx_package.MOST_BYTES", 1000)
    package = Package()
    package.open("a")
    package.join(memoryview(pack(b"x" * 1000)))
    with pytest.raises(ResultTooLarge, match="1,000 bytes that a sheet may have"):
        package.join(memoryview(pack(b"x")))


def test_a_zip_reader_that_reads_from_the_start_has_all_it_needs() -> None:
    body = workbook(n=range(1000))
    with zipfile.ZipFile(io.BytesIO(body)) as package:
        assert package.testzip() is None
        assert package.namelist()[0] == "[Content_Types].xml"
        for item in package.infolist():
            assert (item.compress_type, item.flag_bits, item.extra) == (zipfile.ZIP_DEFLATED, 8, b"")
            end = item.header_offset + 30 + len(item.filename) + item.compress_size
            assert body[end : end + 4] == b"PK\x07\x08"


def test_groups_written_by_any_thread_are_the_file_that_one_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "GROUP_ROWS", 30)
    table = pa.table({name: picked(name, range(200)) for name in EVERY})
    encoder = FORMATS["xlsx"].open_encoder()
    assert isinstance(encoder, GroupEncoder)
    opening = bytes(encoder.start(table.schema))
    groups = list(encoder.groups(table.to_batches(max_chunksize=70)))
    # The last first, as another thread may.
    made = [encoder.encode_group(group) for group in reversed(groups)]
    body = opening + b"".join(map(encoder.join, reversed(made))) + bytes(encoder.finish())
    assert body == written("xlsx", table)
    assert len(workbooks.sheet(body)) == 201


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), pa.binary()], ids=str)
def test_a_dictionarys_values_fill_groups_as_often_as_rows_have_them(kind: pa.DataType) -> None:
    size = 30_000
    texts = pa.array([letter * size for letter in "abc"], kind)
    indices = pa.array([None if row % 7 == 0 else row % 3 for row in range(500)], pa.int8())
    spread = pa.concat_arrays(
        [texts.slice(row % 3, 1) if row % 7 else pa.nulls(1, kind) for row in range(500)]
    )
    column = pa.DictionaryArray.from_arrays(indices, texts)
    pair = pa.StructArray.from_arrays([column], names=["of"])
    for packed, plain in ((column, spread), (pair, pa.StructArray.from_arrays([spread], names=["of"]))):
        rows = [
            [group.table.num_rows for group in XlsxEncoder().groups(pa.table({"d": each}).to_batches(chunk))]
            for each in (packed, plain)
            for chunk in (500, 70)
        ]
        assert max(rows[0]) <= 1 + xlsx.GROUP_BYTES * 7 / 6 / size
        assert rows == [rows[0]] * 4


def test_a_dictionary_is_written_as_its_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "GROUP_BYTES", 4_000)
    texts = [None if row % 7 == 0 else "abc"[row % 3] * 300 for row in range(200)]
    column = pa.array(texts).dictionary_encode()
    assert workbook(d=column) == workbook(d=texts)
    table = pa.table({"d": column})
    assert written("xlsx", table, table.to_batches(max_chunksize=13)) == workbook(d=texts)


def test_columns_past_z_and_rows_past_a_batch_have_their_places() -> None:
    wide = workbooks.sheet(workbook(**{f"c{number}": [number] * 3 for number in range(730)}))
    assert [[int(value) for _, value in row] for row in wide[1:]] == [list(range(730))] * 3
    table = pa.table({"n": range(20_000)})
    rows = workbooks.sheet(written("xlsx", table, [*table.to_batches(max_chunksize=300)]))
    assert [int(value) for ((_, value),) in rows[1:]] == list(range(20_000))


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.none() | st.text(st.characters(codec="utf-8"), max_size=20),
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | st.floats(allow_nan=False),
            st.none() | st.decimals(-(10**25), 10**25, places=12),
            st.none() | st.integers(-(2**53), 2**57),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_any_value_is_in_its_cell(rows: list[tuple[Any, ...]]) -> None:
    text, whole, real_number, fraction, instant = zip(*rows, strict=True)
    body = workbook(
        text=pa.array(text, pa.string()),
        whole=pa.array(whole, pa.int64()),
        real=pa.array(real_number, pa.float64()),
        exact=pa.array(fraction, pa.decimal128(38, 12)),
        instant=pa.array(instant, pa.timestamp("us")),
    )
    found = workbooks.columns(body)
    for value, (_, cell) in zip(text, found["text"], strict=True):
        assert cell == value
    for name, values in {"whole": whole, "real": real_number, "exact": fraction}.items():
        for value, (_, cell) in zip(values, found[name], strict=True):
            assert (cell is None) == (value is None)
            assert value is None or float(cell) == value or Decimal(cell) == value
    epoch = dt.datetime(1970, 1, 1)
    for value, (form, cell) in zip(instant, found["instant"], strict=True):
        if value is None:
            assert cell is None
        elif form == "text":
            assert dt.datetime.fromisoformat(cell) == epoch + dt.timedelta(microseconds=value)
        else:
            assert round((cell - 25569) * 86_400_000) * 1000 == value
