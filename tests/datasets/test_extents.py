"""What rows take once they are read, told from footers alone."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from application.datasets.footer import Footer, read_footer
from application.storage import open_storage

MEGABYTE = 1_000_000


def footer(folder: Path, name: str = "x") -> Footer:
    storage = open_storage(str(folder), "")
    meta = storage.head(f"{name}.parquet")
    assert meta
    return read_footer(storage, meta)


def about(expected: int) -> object:
    return pytest.approx(expected, rel=0.05)


def test_few_rows_take_what_they_are(tmp_path: Path) -> None:
    cells = ["".join(chr(97 + (n * k) % 23) for k in range(MEGABYTE)) for n in range(1, 4)]
    pq.write_table(pa.table({"n": [1, 2, 3], "g": cells}), tmp_path / "x.parquet")
    extents = footer(tmp_path).extents
    assert extents.vectors["g"] == about(3 * MEGABYTE)
    assert extents.groups == ((3,),)


def test_the_widest_row_group_counts_by_the_rows_that_are_read_at_a_time(tmp_path: Path) -> None:
    schema = pa.schema([("t", pa.string())])
    with pq.ParquetWriter(tmp_path / "x.parquet", schema, use_dictionary=False) as writer:
        writer.write_table(pa.table({"t": ["x" * 100] * 10_000}))
        writer.write_table(pa.table({"t": ["x" * 10_000] * 20}))
    extents = footer(tmp_path).extents
    assert extents.vectors["t"] == about(2048 * 104)
    assert extents.groups == ((10_000, 20),)


@pytest.mark.parametrize("writer", ["pyarrow", "without sizes", "duckdb"])
def test_a_large_value_that_is_repeated_counts_for_each_row(tmp_path: Path, writer: str) -> None:
    table = pa.table({"n": range(5000), "g": ["x" * 100_000] * 5000})
    path = tmp_path / "x.parquet"
    if writer == "duckdb":
        duckdb.connect().from_arrow(table).write_parquet(str(path))
    else:
        pq.write_table(table, path, write_statistics=writer == "pyarrow")
    assert path.stat().st_size < MEGABYTE
    read = footer(tmp_path)
    assert read.extents.vectors["g"] == about(2048 * 100_000)
    assert read.data_bytes == about(5000 * 100_000)


def test_a_columns_parts_count_together_whatever_their_names(tmp_path: Path) -> None:
    table = pa.table(
        {
            "a": [{"b": 1, "c": {"d": "x"}}],
            "a.b": [1],
            "m": pa.array([[("k", [1.0])]], pa.map_(pa.string(), pa.list_(pa.float64()))),
            "u": pa.array([b"0" * 16], pa.uuid()),
            "j": pa.array(["{}"], pa.json_()),
        }
    )
    pq.write_table(table, tmp_path / "x.parquet")
    assert footer(tmp_path).extents.leaves == {"a": 2, "a.b": 1, "m": 2, "u": 1, "j": 1}


def test_values_that_are_stored_as_next_to_nothing_take_their_place(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": [7] * 100_000}), tmp_path / "x.parquet")
    assert footer(tmp_path).extents.vectors["n"] == 2048 * 8
