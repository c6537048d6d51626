"""What is told of columns, against what pyarrow computes from the rows themselves."""

import datetime as dt
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from application import demo
from application.datasets.catalogue import Catalogue
from application.datasets.description import ColumnDescription
from application.datasets.figures import Figures
from application.engine.database import Database
from application.engine.scan import Engine
from application.storage import open_storage

KINDS: dict[str, pa.Array] = {
    "int8": pa.array([3, None, -128, 127], pa.int8()),
    "uint64": pa.array([1, 2**64 - 1, None, 5], pa.uint64()),
    "float": pa.array([0.1, -0.5, None, 3.25], pa.float32()),
    "nan": pa.array([0.1, math.nan, None, 3.25]),
    "zero": pa.array([0.0, -0.0, None, 1.0]),
    "infinite": pa.array([0.5, math.inf, None, 1.0]),
    "decimal": pa.array([Decimal("1.50"), None, Decimal("-999.99"), Decimal(0)], pa.decimal128(21, 2)),
    "text": pa.array(["b", "", None, "é 🌳"]),
    "word": pa.array(["x", "y", None, "x"]).dictionary_encode(),
    "truth": pa.array([True, False, None, True]),
    "day": pa.array([dt.date(1, 1, 1), None, dt.date(9999, 12, 31), dt.date(2024, 2, 29)]),
    "moment": pa.array([0, None, 10**15, -(10**12)], pa.timestamp("us")),
    "instant": pa.array([0, None, 10**12, -(10**9)], pa.timestamp("ms", "Europe/London")),
    "nanosecond": pa.array([1, None, 10**18, -1], pa.timestamp("ns")),
    "time": pa.array([0, None, 86_399_999_999, 1], pa.time64("us")),
    "nothing": pa.nulls(4, pa.string()),
    "list": pa.array([[1], [], None, [2]]),
    "struct": pa.array([{"a": 1}, None, {"a": None}, {"a": 2}]),
    "bytes": pa.array([b"\xff", b"", None, b"a"]),
}


def described(folder: Path, name: str) -> dict[str, ColumnDescription]:
    storage = open_storage(f"{folder}/", "")
    database = Database(storage, memory_limit="256MB", threads=1, temp_directory=None, temp_limit="1GB")
    catalogue = Catalogue(storage, Engine(storage, database), max_age=0)
    columns = catalogue.describe(catalogue.get(name)).columns
    return {column.name: column for column in columns}


def plain(value: Any) -> Any:
    """A value as Python has it, as JSON downloads have it."""
    if isinstance(value, dt.datetime):
        utc = value if value.tzinfo is None else value.astimezone(dt.UTC).replace(tzinfo=None)
        return utc.isoformat(timespec="microseconds")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat() if isinstance(value, dt.date) else value.isoformat("microseconds")
    return str(value) if isinstance(value, Decimal) else value


def assert_true(found: Figures, column: pa.ChunkedArray, *, is_all: bool = True) -> None:
    """Compare with the rows: what is told is right, and ``is_all`` wants all of it told."""
    kind = column.type
    values = column.cast(kind.value_type) if pa.types.is_dictionary(kind) else column
    if found.nulls is not None or is_all:
        assert found.nulls == column.null_count
    if found.low is None:
        assert found.high is None or not is_all
        return
    bounds = pc.min_max(values)
    low, high = (bounds[end].as_py() for end in ("min", "max"))
    if pa.types.is_timestamp(kind):
        # Digits are cut where Python has none for them.
        text = [str(end).removesuffix("Z") for end in (found.low, found.high)]
        assert [end[:26] if kind.unit != "ms" else f"{end}000" for end in text] == [plain(low), plain(high)]
    elif pa.types.is_float64(kind):
        # JSON has no infinity.
        assert [found.low, found.high] == [end if math.isfinite(end) else None for end in (low, high)]
    elif pa.types.is_float32(kind):
        assert [pa.scalar(end, kind).as_py() for end in (found.low, found.high)] == [low, high]
    else:
        assert (found.low, found.high) == (plain(low), plain(high))


@pytest.mark.parametrize("name", KINDS)
def test_figures_are_those_of_the_rows(tmp_path: Path, name: str) -> None:
    table = pa.table({name: KINDS[name]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=3)
    assert_true(
        described(tmp_path, "a")[name].figures, table[name], is_all=not pa.types.is_nested(table[name].type)
    )


@pytest.mark.parametrize("name", ["int8", "uint64", "float", "decimal", "text", "truth", "day", "moment"])
def test_what_has_values_in_order_has_bounds(tmp_path: Path, name: str) -> None:
    pq.write_table(pa.table({name: KINDS[name]}), tmp_path / "a.parquet")
    figures = described(tmp_path, "a")[name].figures
    assert None not in (figures.nulls, figures.low, figures.high)


def test_every_column_of_the_demo_is_told_truly(tmp_path: Path) -> None:
    for name, make in demo.TABLES.items():
        if name == "tree":
            continue  # for its size; its columns are those of others
        table = make()
        pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=1000)
        columns = described(tmp_path, name)
        assert list(columns) == table.column_names
        for column in columns.values():
            assert_true(column.figures, table[column.name], is_all=False)


def test_a_dataset_without_rows_has_no_bounds(tmp_path: Path) -> None:
    pq.write_table(pa.table(KINDS).slice(0, 0), tmp_path / "a.parquet")
    assert {column.figures for column in described(tmp_path, "a").values()} <= {Figures(0), Figures()}


def test_what_has_no_statistics_is_not_told(tmp_path: Path) -> None:
    pq.write_table(pa.table(KINDS), tmp_path / "a.parquet", write_statistics=False)
    assert {column.figures for column in described(tmp_path, "a").values()} == {Figures()}


def test_parts_and_folders_are_told_together(tmp_path: Path) -> None:
    for year, value in ((2023, 5), (2024, None), (2022, -1)):
        path = tmp_path / f"a/year={year}/p.parquet"
        path.parent.mkdir(parents=True)
        more = {"only": ["x"]} if year == 2024 else {}
        pq.write_table(pa.table({"n": pa.array([value], pa.int32()), **more}), path)
    columns = described(tmp_path, "a")
    assert {name: column.figures for name, column in columns.items()} == {
        "n": Figures(1, -1, 5),
        "only": Figures(2, "x", "x"),
        "year": Figures(0, 2022, 2024),
    }


def test_eight_thousand_columns_are_described(tmp_path: Path) -> None:
    table = pa.table({f"c{number}": pa.array([number, None], pa.int32()) for number in range(8000)})
    pq.write_table(table, tmp_path / "a.parquet")
    columns = described(tmp_path, "a")
    assert [column.figures for column in columns.values()] == [Figures(1, n, n) for n in range(8000)]


def test_a_bound_that_its_writer_has_cut_is_not_told(tmp_path: Path) -> None:
    texts = ["a" * 300, "b" * 300, "c"]
    pl.DataFrame({"t": texts}).write_parquet(tmp_path / "polars.parquet")
    duckdb.sql("SELECT repeat('é', 200) AS t").write_parquet(str(tmp_path / "duck.parquet"))
    pq.write_table(pa.table({"t": texts}), tmp_path / "arrow.parquet")
    for name in ("polars", "duck", "arrow"):
        figures = described(tmp_path, name)["t"].figures
        assert {figures.low, figures.high} <= {None, *texts}
