"""What comes out equals what is in the Parquet, as an independent reader sees it, through the service."""

import csv
import io
import json
import uuid
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from application.main import create_app
from application.settings import Settings
from tests.support import workbooks

pytestmark = pytest.mark.slow

GEO = '{"version": "1.1.0", "primary_column": "a", "columns": {}}'
ONE = uuid.UUID("6f1e2a34-0000-4000-8000-1234567890ab")
INTEGERS = {
    f"{sign}int{bits}": [0, None, 2 ** (bits - (sign == "")) - 1]
    for sign in ("", "u")
    for bits in (8, 16, 32, 64)
}
MOMENTS = [1_600_000_000_123_456_789, None, -5, 0]

COLUMNS: dict[str, pa.Array] = {
    **{name: pa.array(values, getattr(pa, name)()) for name, values in INTEGERS.items()},
    "float16": pa.array([1.5, None, float("inf")], pa.float16()),
    "float32": pa.array([0.1, None, float("-inf")], pa.float32()),
    "float64": pa.array([0.1, None, 1e300, -0.0], pa.float64()),
    "bool": pa.array([True, None, False]),
    "decimal32": pa.array([Decimal("1.23"), None], pa.decimal32(5, 2)),
    "decimal64": pa.array([Decimal("-1.23"), None], pa.decimal64(15, 2)),
    "decimal128": pa.array([Decimal("12345678901234567890.1234567891"), None], pa.decimal128(38, 10)),
    "decimal256-that-fits": pa.array([Decimal("1.23"), None], pa.decimal256(20, 2)),
    "date32": pa.array([date(1, 1, 1), None, date(9999, 12, 31)]),
    "date64": pa.array([date(2020, 2, 29), None], pa.date64()),
    **{f"time32-{unit}": pa.array([time(1, 2, 3), None], pa.time32(unit)) for unit in ("s", "ms")},
    **{f"time64-{unit}": pa.array([1_234_567, None, 0], pa.time64(unit)) for unit in ("us", "ns")},
    **{
        f"timestamp-{unit}-{zone}": pa.array(
            [None if m is None else m // step for m in MOMENTS], pa.timestamp(unit, zone)
        )
        for unit, step in (("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1))
        for zone in (None, "UTC", "Europe/London")
    },
    "duration": pa.array([1, None], pa.duration("ms")),
    "string": pa.array(["", None, 'a "quote"', "a,b\r\nc\nd\re", "𐍈 é \u2028 \x1f", "NULL", " "]),
    "large-string": pa.array(["x", None, ""], pa.large_string()),
    "string-view": pa.array(["x", None, ""], pa.string_view()),
    "binary": pa.array([b"\0\xff", None, b""]),
    "fixed-size-binary": pa.array([b"abcd", None], pa.binary(4)),
    "uuid": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([ONE.bytes, None], pa.binary(16))),
    "json": pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a": 1.10}', None, "[]"])),
    "dictionary": pa.array(["a", None, "b", "a"]).dictionary_encode(),
    "null": pa.nulls(3),
    "list": pa.array([[1, None], None, []], pa.list_(pa.int32())),
    "large-list": pa.array([[1, None], None, []], pa.large_list(pa.int32())),
    "fixed-size-list": pa.array([[1, None], None, [3, 4]], pa.list_(pa.int32(), 2)),
    "struct": pa.array(
        [{"a": 1, "A": Decimal("1.10")}, None, {"a": None, "A": None}],
        pa.struct([("a", pa.int8()), ("A", pa.decimal128(9, 2))]),
    ),
    "list-of-struct-of-uuid": pa.array(
        [[{"t": 5, "s": "x"}, None], None, []],
        pa.list_(pa.struct([("t", pa.timestamp("ms")), ("s", pa.string())])),
    ),
    "map": pa.array([[("k", 1), ("l", None)], None, []], pa.map_(pa.string(), pa.int32())),
    "nested-nanoseconds": pa.array(
        [{"t": 1}, None, {"t": None}], pa.struct([("t", pa.timestamp("ns", "UTC"))])
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each test writes its files over those of the others."""
    made = tmp_path_factory.mktemp("round_trip") / "dataset"
    made.mkdir()
    return made


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(dataset_bucket=str(folder.parent), catalogue_max_age=0))) as found:
        yield found


def table_of(column: pa.Array, rows: int = 5000) -> pa.Table:
    """The column's values over and over, in rows that can be told apart."""
    indices = pa.array([row % len(column) for row in range(rows)])
    # Views have no `take`.
    plain = column.cast(pa.string()) if column.type == pa.string_view() else column
    return pa.table({"row": pa.array(range(rows)), "a column": plain.take(indices).cast(column.type)})


def decoded(table: pa.Table) -> pa.Table:
    """Without dictionaries, whose order is the writer's own business, and views, which have no `take`."""
    plain = {pa.string_view(): pa.string()}
    kinds = [
        kind.value_type if isinstance(kind, pa.DictionaryType) else plain.get(kind, kind)
        for kind in table.schema.types
    ]
    return table.cast(pa.schema(list(zip(table.column_names, kinds, strict=True))))


def as_stored(schema: pa.Schema) -> pa.Schema:
    """The schema without what a made file says of itself."""
    made = (b"source", b"query")
    return schema.with_metadata({key: it for key, it in schema.metadata.items() if key not in made})


@pytest.mark.parametrize("kind", COLUMNS)
def test_filtered_parquet_equals_the_file_in_every_type(kind: str, client: TestClient, folder: Path) -> None:
    pq.write_table(
        table_of(COLUMNS[kind]).replace_schema_metadata({"licence": "OGL"}),
        folder / "t.parquet",
        row_group_size=1700,
    )
    source = pq.read_table(folder / "t.parquet")
    wanted = [3, 1699, 1700, 4999]
    response = client.get("/t.parquet", params=[("row", str(row)) for row in wanted])
    assert response.status_code == 200, response.text
    result = pq.read_table(io.BytesIO(response.content))
    assert as_stored(result.schema).equals(source.schema, check_metadata=True)
    assert decoded(result).equals(decoded(source).filter(pc.is_in(source["row"], pa.array(wanted))))


@pytest.mark.parametrize("kind", COLUMNS)
def test_text_formats_agree_on_every_row_of_every_type(kind: str, client: TestClient, folder: Path) -> None:
    pq.write_table(table_of(COLUMNS[kind]), folder / "t.parquet")
    rows = list(csv.reader(io.StringIO(client.get("/t.csv").text, newline="")))
    objects = client.get("/t.json").json()
    lines = (
        [json.loads(line) for line in client.get("/t.ndjson").text.splitlines()]
        if kind != "string"
        else objects
    )
    source = pq.read_table(folder / "t.parquet")["a column"]
    assert rows[0] == ["row", "a column"]
    assert len(rows) - 1 == len(objects) == len(source) == 5000
    assert lines == objects
    for value, row, item in zip(source.is_null().to_pylist(), rows[1:], objects, strict=True):
        if value:
            assert row[1] == ""
            assert item["a column"] is None


@pytest.mark.parametrize("kind", COLUMNS)
def test_arrow_equals_the_file_in_every_type(kind: str, client: TestClient, folder: Path) -> None:
    pq.write_table(table_of(COLUMNS[kind], 50), folder / "t.parquet", row_group_size=17)
    source = pq.read_table(folder / "t.parquet")
    result = pa.ipc.open_stream(client.get("/t.arrow").content).read_all()
    anew = {pa.string_view(): pa.string()}
    expected = [anew.get(field.type, field.type) for field in source.schema]
    assert result.schema.types == expected
    assert decoded(result).equals(decoded(source))


@pytest.mark.parametrize("kind", COLUMNS)
def test_workbooks_and_tsv_have_every_value_of_every_type(
    kind: str, client: TestClient, folder: Path
) -> None:
    pq.write_table(table_of(COLUMNS[kind], 50), folder / "t.parquet")
    source = pq.read_table(folder / "t.parquet")["a column"]
    texts = [row[1] for row in csv.reader(io.StringIO(client.get("/t.csv").text, newline=""))][1:]
    tabbed = csv.reader(io.StringIO(client.get("/t.tsv").text, newline=""), "excel-tab")
    assert [row[1] for row in tabbed][1:] == texts
    cells = workbooks.columns(client.get("/t.xlsx").content)["a column"]
    for is_absent, text, (form, value) in zip(source.is_null().to_pylist(), texts, cells, strict=True):
        if is_absent:
            assert form == "none"
        elif form == "text":
            assert value == text
        elif form == "truth":
            assert str(value).lower() == text
        elif form == "number":
            assert value == Decimal(text)
        elif form.startswith("hh"):
            assert datetime.fromisoformat(shown(value)).time() == time.fromisoformat(text[:12])
        else:
            day = shown(value)
            assert datetime.fromisoformat(day) == datetime.fromisoformat(text.removesuffix("Z")[:23])


def shown(days: Decimal) -> str:
    """A day and time as a spreadsheet shows a number."""
    thousandths = round(days * 86_400_000)
    return (datetime(1899, 12, 30) + timedelta(milliseconds=thousandths)).isoformat(timespec="milliseconds")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_keep_every_digit(unit: str, client: TestClient, folder: Path) -> None:
    values = pa.array([1_600_000_001, None, -1], pa.timestamp(unit, "UTC"))
    pq.write_table(pa.table({"t": values}), folder / "t.parquet")
    source = pq.read_table(folder / "t.parquet")["t"]
    shown = [row["t"] for row in client.get("/t.json").json()]
    back = pa.array([None if text is None else text.removesuffix("Z") for text in shown]).cast(
        pa.timestamp(source.type.unit)
    )
    assert back.cast(pa.int64()).to_pylist() == source.cast(pa.int64()).to_pylist()


def test_int96_timestamps_of_old_writers_are_exact(client: TestClient, folder: Path) -> None:
    values = pa.array([1_600_000_000_123_456_789, None], pa.timestamp("ns"))
    pq.write_table(
        pa.table({"t": values, "k": [1, 2]}), folder / "t.parquet", use_deprecated_int96_timestamps=True
    )
    result = pq.read_table(io.BytesIO(client.get("/t.parquet?k=1").content))
    assert result["t"].cast(pa.int64()).to_pylist() == [1_600_000_000_123_456_789]


def test_an_int96_timestamp_beyond_nanoseconds_is_written_in_microseconds(
    client: TestClient, folder: Path
) -> None:
    values = pa.array([-62_135_596_800_000_000, 5], pa.timestamp("us"))  # the year 1
    pq.write_table(pa.table({"t": values}), folder / "t.parquet", use_deprecated_int96_timestamps=True)
    assert client.get("/t.csv").text == '"t"\n"0001-01-01T00:00:00.000000"\n"1970-01-01T00:00:00.000005"\n'


def test_exact_columns_follow_the_rows_through_parts(client: TestClient, folder: Path) -> None:
    (folder / "parts").mkdir()
    for part in range(3):
        moments = pa.array([part * 10**6 + row for row in range(5000)], pa.timestamp("ns", "UTC"))
        numbers = pa.array([row % 7 for row in range(5000)])
        pq.write_table(
            pa.table({"t": moments, "n": numbers}), folder / "parts" / f"{part}.parquet", row_group_size=900
        )
    result = pq.read_table(io.BytesIO(client.get("/parts.parquet?n=3").content))
    assert result["t"].cast(pa.int64()).to_pylist() == [
        part * 10**6 + row for part in range(3) for row in range(5000) if row % 7 == 3
    ]


def test_a_decimal_of_fifty_digits_is_refused_by_name(client: TestClient, folder: Path) -> None:
    pq.write_table(
        pa.table({"d": pa.array([Decimal(1)], pa.decimal256(50, 2)), "k": [1]}), folder / "t.parquet"
    )
    for extension in ("csv", "json", "ndjson"):
        response = client.get(f"/t.{extension}")
        assert response.status_code == 422
        assert "'d'" in response.json()["detail"]
        assert "exclude_field=d" in response.json()["detail"]
        assert client.get(f"/t.{extension}?exclude_field=d").status_code == 200


def test_nan_and_infinities_are_null_in_json_and_kept_in_parquet(client: TestClient, folder: Path) -> None:
    table = pa.table({"f": pa.array([float("nan"), float("inf"), -1.5]), "k": [0, 0, 0]})
    pq.write_table(table, folder / "t.parquet")
    assert [row["f"] for row in client.get("/t.json").json()] == [None, None, -1.5]
    result = pq.read_table(io.BytesIO(client.get("/t.parquet?k=0").content))
    assert str(result["f"].to_pylist()) == "[nan, inf, -1.5]"


def test_variants_come_out_as_json(client: TestClient, folder: Path) -> None:
    duckdb.sql("SELECT {'a': [1, 2]}::VARIANT AS v, 1 AS k").write_parquet(str(folder / "t.parquet"))
    assert client.get("/t.json").json() == [{"v": {"a": [1, 2]}, "k": 1}]
    assert client.get("/t.csv").text == '"v","k"\n"{""a"":[1,2]}",1\n'
    refused = client.get("/t.parquet?k=1")
    assert refused.status_code == 422
    assert "'v'" in refused.json()["detail"]


@pytest.mark.parametrize("extension", ["csv", "tsv", "json", "ndjson", "parquet", "arrow", "xlsx"])
def test_zero_rows_are_a_valid_file(extension: str, client: TestClient, folder: Path) -> None:
    pq.write_table(table_of(COLUMNS["string"]), folder / "t.parquet")
    body = client.get(f"/t.{extension}?row=-1").content
    empty = {"csv": b'"row","a column"\n', "tsv": b"row\ta column\n", "ndjson": b""}
    if extension in empty:
        assert body == empty[extension]
    elif extension == "json":
        assert json.loads(body) == []
    elif extension == "arrow":
        assert pa.ipc.open_stream(body).read_all().num_rows == 0
    elif extension == "xlsx":
        assert workbooks.sheet(body) == [[("text", "row"), ("text", "a column")]]
    else:
        assert pq.read_table(io.BytesIO(body)).num_rows == 0


def test_metadata_that_describes_columns_goes_when_columns_are_chosen(
    client: TestClient, folder: Path
) -> None:
    table = pa.table({"a": [1], "b": [2]}).replace_schema_metadata(
        {"pandas": "{}", "geo": GEO, "licence": "OGL"}
    )
    pq.write_table(table, folder / "t.parquet")
    chosen = pq.read_schema(io.BytesIO(client.get("/t.parquet?field=a").content))
    assert as_stored(chosen).metadata == {b"licence": b"OGL"}
    kept = pq.read_schema(io.BytesIO(client.get("/t.parquet?a=1").content))
    # What is left of `geo` is tests/engine/test_metadata.py's.
    assert {**as_stored(kept).metadata, b"geo": b""} == {b"pandas": b"{}", b"geo": b"", b"licence": b"OGL"}


def test_columns_alike_but_for_case_keep_their_values(client: TestClient, folder: Path) -> None:
    pq.write_table(pa.table({"a": [1], "A": [2], 'b "q" c': [3], "x\ny": [4]}), folder / "t.parquet")
    assert client.get("/t.json").json() == [{"a": 1, "A": 2, 'b "q" c': 3, "x\ny": 4}]
    assert client.get("/t.json?A=2&field=A&field=a").json() == [{"A": 2, "a": 1}]
    assert client.get("/t.json?A=1").json() == []


@settings(max_examples=25)
@given(
    rows=st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
            st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=12)),
            st.one_of(st.none(), st.dates(date(1, 1, 1))),
        ),
        max_size=40,
    ),
    group=st.integers(1, 7),
)
def test_any_rows_come_back_as_they_are(
    rows: list[tuple[object, ...]], group: int, client: TestClient, folder: Path
) -> None:
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    names, kinds = ("n", "s", "d"), (pa.int64(), pa.string(), pa.date32())
    table = pa.table(
        {name: pa.array(column, kind) for name, column, kind in zip(names, columns, kinds, strict=True)}
    )
    pq.write_table(table, folder / "t.parquet", row_group_size=group)
    assert client.get("/t.json").json() == [
        {"n": n, "s": s, "d": d.isoformat() if isinstance(d, date) else None} for n, s, d in rows
    ]
    shown = list(csv.reader(io.StringIO(client.get("/t.csv").text, newline="")))[1:]
    assert shown == [["" if v is None else str(v) for v in row] for row in rows]
    for text in {s for _, s, _ in rows if s}:
        found = client.get("/t.json", params={"s": text}).json()
        assert [row["n"] for row in found] == [n for n, s, _ in rows if s == text]
