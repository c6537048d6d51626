"""Statistics leave out parts, and never one that has a row of the query."""

import datetime as dt
import io
import itertools
import math
import tempfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application.datasets.bounds import read_bounds
from application.datasets.catalogue import Catalogue
from application.datasets.footer import TRAILER
from application.engine.cancellation import Cancellation
from application.engine.database import Database
from application.engine.scan import Engine
from application.models import Column, Dataset, Filter, Query
from application.query.parsed import parse
from application.query.pruning import UNKNOWN, Bounds, excludes, includes
from application.storage import open_storage

NAMES = itertools.count()


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def engine(root: Path) -> Iterator[Engine]:
    database = Database(
        open_storage(f"{root}/", ""), memory_limit="256MB", threads=1, temp_directory=None, temp_limit="1GB"
    )
    made = Engine(open_storage(f"{root}/", ""), database)
    yield made
    made.close()


def footer(table: pa.Table, **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    data = file.getvalue()
    return data[-TRAILER - int.from_bytes(data[-8:-4], "little") :]


def bounds(values: list[Any], kind: pa.DataType, **options: Any) -> Bounds:
    return read_bounds(footer(pa.table({"x": pa.array(values, kind)}), **options), "x")


@pytest.mark.parametrize(
    ("values", "kind", "low", "high"),
    [
        ([2, None, -1], pa.int8(), -1, 2),
        ([1, 2**63 + 5], pa.uint64(), None, None),
        ([2**63, 2**64 - 1], pa.uint64(), 2**63, 2**64 - 1),
        ([1, 2**31 + 5], pa.uint32(), 1, 2**31 + 5),
        ([1.5, math.nan, 3.0], pa.float64(), 1.5, 3.0),
        ([math.nan], pa.float32(), None, None),
        (["b", "a"], pa.large_string(), b"a", b"b"),
        (["a", "b" * 999], pa.string(), b"a", None),
        (["c" * 999, None], pa.string(), b"c" * 256, None),
        ([False, True], pa.bool_(), False, True),
        ([Decimal("-1.50"), Decimal("9.25")], pa.decimal128(38, 2), Decimal("-1.50"), Decimal("9.25")),
        ([dt.date(1970, 1, 2), dt.date(1969, 12, 31)], pa.date32(), -1, 1),
        ([dt.datetime(1970, 1, 1, 0, 0, 1)], pa.timestamp("ms"), 10**9, 10**9),
        ([dt.datetime(1970, 1, 1, 0, 0, 1)], pa.timestamp("us", "UTC"), 10**9, 10**9),
        ([dt.time(0, 0, 1)], pa.time64("ns"), 10**9, 10**9),
        ([b"a"], pa.binary(), None, None),
        ([{"y": 1}], pa.struct([("y", pa.int64())]), None, None),
        ([[1]], pa.list_(pa.int64()), None, None),
    ],
)
def test_bounds_are_read_in_the_column_s_own_order(
    values: list[Any], kind: pa.DataType, low: Any, high: Any
) -> None:
    found = bounds(values, kind)
    if (kind, low) == (pa.uint64(), None):
        # Written in their own order by some writers, and by no certain one by others.
        assert (found.low, found.high) in ((None, None), (1, 2**63 + 5))
        return
    assert (found.low, found.high) == (low, high)


def test_bounds_are_those_of_every_row_group() -> None:
    assert bounds([5, 6, None, None, 1, 2], pa.int64(), row_group_size=2) == Bounds(1, 6, True, True)
    assert bounds([None, None], pa.int64()) == Bounds(None, None, False, True)
    assert bounds([1, 2], pa.int64(), write_statistics=False) == UNKNOWN
    assert bounds([], pa.int64()) == UNKNOWN
    int96 = bounds([dt.datetime(2024, 1, 1)], pa.timestamp("us"), use_deprecated_int96_timestamps=True)
    assert (int96.low, int96.high) == (None, None)
    assert read_bounds(b"no footer", "x") == UNKNOWN


def column(kind: pa.DataType) -> Column:
    return Column("x", "x", "", pa.field("x", kind))


@pytest.mark.parametrize(
    ("operator", "kind", "values", "known", "is_out"),
    [
        ("exact", pa.int64(), ("5",), Bounds(1, 4), True),
        ("exact", pa.int64(), ("5", "4"), Bounds(1, 4), False),
        ("exact", pa.int64(), ("5",), Bounds(1, None), False),
        ("exact", pa.int64(), ("5",), Bounds(has_values=False), True),
        ("exact", pa.int64(), (), Bounds(1, 4), False),
        ("exact", pa.float64(), ("0.0",), Bounds(-0.0, -0.0), False),
        ("exact", pa.string(), ("b",), Bounds(b"c", None), True),
        # Where bytes were compared as signed, é comes before all ASCII.
        ("exact", pa.string(), ("zé",), Bounds(b"a", b"zb"), False),
        ("exact", pa.string(), ("zc",), Bounds(b"a", "é".encode()), False),
        ("exact", pa.uuid(), ("6f1e2a34-0000-4000-8000-1234567890ab",), Bounds(), False),
        ("in", pa.date32(), ("1970-01-02", "1970-01-09"), Bounds(2, 7), True),
        ("gt", pa.int64(), ("4",), Bounds(1, 4), True),
        ("gt", pa.int64(), ("3",), Bounds(1, 4), False),
        ("gte", pa.int64(), ("4",), Bounds(1, 4), False),
        ("gte", pa.int64(), ("5",), Bounds(1, 4), True),
        ("lt", pa.decimal128(9, 2), ("1.5",), Bounds(Decimal("1.50"), Decimal(2)), True),
        ("lte", pa.decimal128(9, 2), ("1.5",), Bounds(Decimal("1.50"), Decimal(2)), False),
        # NaN is more than every number, and no bounds tell of it.
        ("gt", pa.float64(), ("9",), Bounds(1.0, 4.0), False),
        ("lt", pa.float64(), ("1",), Bounds(1.0, 4.0), True),
        # Dates in text are compared in another way.
        ("gt", pa.string(), ("2024",), Bounds(b"2020", b"2021"), False),
        ("isnull", pa.int64(), (), Bounds(1, 4, True, False), True),
        ("isnull", pa.int64(), (), Bounds(1, 4, True, None), False),
        ("notnull", pa.int64(), (), Bounds(has_values=False), True),
        ("not", pa.int64(), ("5",), Bounds(5, 5, True, False), False),
        ("notin", pa.int64(), ("5",), Bounds(has_values=False), False),
        ("contains", pa.string(), ("b",), Bounds(b"x", b"y"), False),
        ("one to come", pa.int64(), ("9",), Bounds(1, 4), False),
    ],
)
def test_a_filter_leaves_out_only_what_is_certain(
    operator: str, kind: pa.DataType, values: tuple[str, ...], known: Bounds, is_out: bool
) -> None:
    assert excludes(Filter(column(kind), operator, values), known) is is_out


@pytest.mark.parametrize(
    ("operator", "kind", "values", "known", "is_in"),
    [
        ("exact", pa.int64(), ("5",), Bounds(5, 5, True, False), True),
        ("exact", pa.int64(), ("5",), Bounds(5, 6, True, False), False),
        ("exact", pa.int64(), ("5", "6"), Bounds(5, 6, True, False), False),
        ("exact", pa.int64(), ("4", "5"), Bounds(5, 5, True, False), True),
        ("in", pa.date32(), ("1970-01-02", "1970-01-09"), Bounds(1, 1, True, False), True),
        # NULL meets nothing; where nobody says that there is none, there may be some.
        ("exact", pa.int64(), ("5",), Bounds(5, 5, True, True), False),
        ("exact", pa.int64(), ("5",), Bounds(5, 5, True, None), False),
        ("gt", pa.int64(), ("4",), Bounds(5, 9, True, False), True),
        ("gt", pa.int64(), ("5",), Bounds(5, 9, True, False), False),
        ("gte", pa.int64(), ("5",), Bounds(5, 9, True, False), True),
        ("lt", pa.int64(), ("10",), Bounds(5, 9, True, False), True),
        ("lt", pa.int64(), ("9",), Bounds(5, 9, True, False), False),
        ("lte", pa.int64(), ("9",), Bounds(5, 9, True, False), True),
        ("lte", pa.int64(), ("9",), Bounds(5, None, True, False), False),
        # NaN is in no bounds, text is cut, and is compared with dates in another way than by its bytes.
        ("lte", pa.float64(), ("9.0",), Bounds(5.0, 9.0, True, False), False),
        ("exact", pa.string(), ("a",), Bounds(b"a", b"a", True, False), False),
        ("isnull", pa.string(), (), Bounds(None, None, False, True), True),
        ("isnull", pa.string(), (), Bounds(None, None, True, True), False),
        ("notnull", pa.string(), (), Bounds(b"a", None, True, False), True),
        ("notnull", pa.string(), (), Bounds(b"a", None, True, None), False),
        ("icontains", pa.string(), ("a",), Bounds(b"a", b"a", True, False), False),
        ("not", pa.int64(), ("5",), Bounds(6, 6, True, False), False),
    ],
)
def test_bounds_tell_that_every_row_meets_a_filter(
    operator: str, kind: pa.DataType, values: tuple[str, ...], known: Bounds, is_in: bool
) -> None:
    assert includes(Filter(column(kind), operator, values), known) == is_in


# Types, values, and how a value is written in a URL.
INTEGERS = st.integers(-3, 3)
MOMENTS = st.integers(-2, 2).map(lambda n: dt.datetime(1970, 1, 1) + dt.timedelta(seconds=n, microseconds=n))
FLOATS = st.sampled_from([-1.5, -0.0, 0.0, 1.0, 2.25, math.nan, math.inf, -math.inf])
KINDS: dict[pa.DataType, tuple[st.SearchStrategy[Any], Callable[[Any], str]]] = {
    pa.int16(): (INTEGERS, str),
    pa.uint32(): (st.sampled_from([0, 1, 2**31 - 1, 2**31, 2**32 - 1]), str),
    pa.uint64(): (st.sampled_from([0, 1, 2**63 - 1, 2**63, 2**64 - 1]), str),
    pa.float32(): (FLOATS, repr),
    pa.float64(): (FLOATS, repr),
    pa.decimal128(20, 2): (st.decimals(-2, 2, places=2), "{:f}".format),
    pa.decimal128(9, 2): (st.decimals(-2, 2, places=2), "{:f}".format),
    pa.string(): (st.sampled_from(["", "a", "b", "zé", "zb", "é", "日本", "\x7f"]), str),
    pa.bool_(): (st.booleans(), lambda value: str(value).lower()),
    pa.date32(): (st.dates(dt.date(1969, 12, 30), dt.date(1970, 1, 3)), str),
    pa.timestamp("us"): (MOMENTS, dt.datetime.isoformat),
    pa.timestamp("ns"): (MOMENTS, dt.datetime.isoformat),
    pa.timestamp("us", "UTC"): (MOMENTS, lambda value: value.replace(tzinfo=None).isoformat() + "Z"),
    pa.time64("us"): (MOMENTS.map(dt.datetime.time), dt.time.isoformat),
}


@st.composite
def written(draw: st.DrawFn) -> tuple[list[pa.Table], list[dict[str, Any]], str]:
    """Parts with a column in one type, how each is written, and a value of it as text."""
    kind = draw(st.sampled_from(list(KINDS)))
    values, spell = KINDS[kind]
    tables = []
    for rows in draw(st.lists(st.lists(st.none() | values, max_size=5), min_size=2, max_size=4)):
        tables.append(pa.table({"x": pa.array(rows, kind), "n": list(range(len(rows)))}))
    options = [
        {
            "row_group_size": draw(st.integers(1, 5)),
            "write_statistics": draw(st.booleans() | st.just(True)),
            "store_decimal_as_integer": draw(st.booleans()),
            "version": draw(st.sampled_from(["1.0", "2.6"])),
        }
        for _ in tables
    ]
    finite = values.filter(lambda value: not isinstance(value, float) or math.isfinite(value))
    return tables, options, spell(draw(finite))


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=written())
def test_what_is_left_out_has_no_row_of_the_query(
    data: tuple[list[pa.Table], list[dict[str, Any]], str], root: Path, engine: Engine
) -> None:
    tables, options, text = data
    name = f"parts{next(NAMES)}"
    (root / name).mkdir()
    for place, (table, how) in enumerate(zip(tables, options, strict=True)):
        # 1.0 has no nanoseconds: then they are another type than in the other parts.
        version = "2.6" if table.schema.field("x").type == pa.timestamp("ns") else how["version"]
        pq.write_table(table, root / name / f"{place}.parquet", **{**how, "version": version})
    catalogue = Catalogue(open_storage(f"{root}/", ""), engine, 0)
    dataset = catalogue.get(name)
    query = parse([("x", text)], dataset.columns).query
    left = catalogue.matching(dataset, query)
    wanted = read_value(text, dataset)
    expected = []
    for place, table in enumerate(tables):
        rows = [row["n"] for row in table.to_pylist() if row["x"] is not None and row["x"] == wanted]
        expected += rows
        if rows:
            assert dataset.parts[place].meta in [part.meta for part in left]
    found = engine.batches(dataset, query, Cancellation(), left)
    assert [row["n"] for batch in found for row in batch.to_pylist()] == expected


def read_value(text: str, dataset: Dataset) -> Any:
    """The value of a URL by Python's own readers."""
    kind = dataset.columns[0].field.type
    if pa.types.is_boolean(kind):
        return text == "true"
    if pa.types.is_timestamp(kind):
        return dt.datetime.fromisoformat(text)
    readers: tuple[tuple[Callable[[pa.DataType], bool], Callable[[str], Any]], ...] = (
        (pa.types.is_integer, int),
        (pa.types.is_floating, float),
        (pa.types.is_decimal, Decimal),
        (pa.types.is_date, dt.date.fromisoformat),
        (pa.types.is_time, dt.time.fromisoformat),
        (pa.types.is_string, str),
    )
    return next(read for matches, read in readers if matches(kind))(text)


def test_parts_without_a_row_are_left_out(root: Path, engine: Engine) -> None:
    (root / "sorted").mkdir()
    for place in range(10):
        table = pa.table({"x": list(range(place * 10, place * 10 + 10)), "t": [f"name {place}"] * 10})
        pq.write_table(table, root / "sorted" / f"{place}.parquet")
    catalogue = Catalogue(open_storage(f"{root}/", ""), engine, 0)
    dataset = catalogue.get("sorted")
    for pairs, places in (
        ([("x", "35")], [3]),
        ([("x", "35"), ("x", "71")], [3, 7]),
        ([("x", "100")], []),
        ([("t", "name 4")], [4]),
        ([("t", "name 4"), ("x", "35")], []),
        ([], list(range(10))),
    ):
        query: Query = parse(pairs, dataset.columns).query
        left = catalogue.matching(dataset, query)
        assert [dataset.objects.index(part.meta) for part in left] == places


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ([], 50),
        ([("x", "7")], 10),
        ([("x__gte", "20"), ("x__lt", "40")], 20),
        ([("x", "7"), ("y", "7")], 10),
        ([("x", "7"), ("y", "17")], 0),
        ([("z__contains", "7")], 50),
    ],
)
def test_row_groups_without_a_row_of_the_query_are_not_counted(
    root: Path, engine: Engine, asked: list[tuple[str, str]], expected: int
) -> None:
    name = f"groups{next(NAMES)}"
    numbers = pa.array(range(50), pa.int64())
    table = pa.table({"x": numbers, "y": numbers, "z": pa.array([f"{n * 7 % 50}" for n in range(50)])})
    pq.write_table(table, root / f"{name}.parquet", row_group_size=10)
    catalogue = Catalogue(open_storage(f"{root}/", ""), engine, max_age=0)
    dataset = catalogue.get(name)
    query = parse(tuple(asked), dataset.columns).query
    assert catalogue.rows_at_most(dataset, query) == expected
