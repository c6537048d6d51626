"""The Parquet files, read back by pyarrow and DuckDB."""

from io import BytesIO
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from application.errors import ColumnUnsupported
from application.formats import FORMATS, parquet
from tests.formats.support import EVERY, check, cut, written


def _read(body: bytes) -> pa.Table:
    return pq.ParquetFile(BytesIO(body), page_checksum_verification=True).read()


def _source(name: str) -> pa.Table:
    """Return the column as a Parquet file gives it, which is how all data comes to us."""
    source = BytesIO()
    pq.write_table(pa.table({"value": EVERY[name]}), source)
    return pq.read_table(BytesIO(source.getvalue()))


@pytest.mark.parametrize("name", EVERY)
def test_each_type_comes_back_as_it_was(name: str) -> None:
    table = _source(name)
    check("parquet", table.schema)
    again = _read(written("parquet", table))
    assert again.schema.equals(table.schema, check_metadata=True)
    # Arrow's NaN equals nothing; its text does.
    assert str(again["value"]) == str(table["value"])


def test_metadata_and_names_are_kept(tmp_path: Path) -> None:
    names = ['quote " and\nnewline', "a", "A", "é😀"]
    table = pa.Table.from_arrays([pa.array([1])] * 4, names=names).replace_schema_metadata({"licence": "OGL"})
    body = written("parquet", table)
    assert _read(body).schema.equals(table.schema, check_metadata=True)
    path = tmp_path / "data.parquet"
    path.write_bytes(body)
    assert duckdb.sql(f"SELECT * FROM '{path}'").fetchall() == [(1, 1, 1, 1)]


def test_row_groups_have_a_hundred_thousand_rows() -> None:
    table = pa.table({"n": range(250_001)})
    file = pq.ParquetFile(BytesIO(written("parquet", table, table.to_batches(max_chunksize=7_777))))
    sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert sizes == [100_000, 100_000, 50_001]
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    assert file.read().equals(table)


def test_a_full_row_group_leaves_before_the_end() -> None:
    encoder = FORMATS["parquet"].open_encoder()
    batch = pa.record_batch({"n": range(100_000)})
    encoder.start(batch.schema)
    assert len(encoder.encode(batch.slice(0, 99_999))) == 0
    assert len(encoder.encode(batch.slice(99_999))) > 100_000


@settings(max_examples=30)
@given(
    places=st.lists(st.integers(0, 400), max_size=6),
    lengths=st.lists(st.integers(0, 60), min_size=1, max_size=400),
)
def test_row_groups_end_with_the_row_that_fills_them_wherever_batches_end(
    places: list[int], lengths: list[int]
) -> None:
    table = pa.table(
        {"s": pa.array(["x" * n for n in lengths]), "l": pa.array([["y"] * (n % 4) for n in lengths])}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "ROW_GROUP_BYTES", 500)
        body = written("parquet", table, cut(table, places))
        assert body == written("parquet", table)
    file = pq.ParquetFile(BytesIO(body))
    start = 0
    for index in range(file.num_row_groups):
        stop = start + file.metadata.row_group(index).num_rows
        sizes = [4 + n + 4 + 5 * (n % 4) for n in lengths[start:stop]]
        assert sum(sizes[:-1]) < 500
        assert sum(sizes) >= 500 or stop == len(lengths)
        start = stop
    assert file.read().equals(table)


def test_dictionaries_that_differ_between_batches_leave_no_trace() -> None:
    kind = pa.dictionary(pa.int32(), pa.string())
    values = ["b", "a", None, "c", "a"]
    whole = pa.table({"d": pa.array(values, kind)})
    parts = [pa.record_batch({"d": pa.array(part, kind)}) for part in (values[:3], values[3:])]
    assert written("parquet", whole, parts) == written("parquet", whole)


def test_no_rows_make_a_valid_file() -> None:
    table = pa.schema(
        [("a", pa.int64()), ("b", pa.list_(pa.field("element", pa.string())))], {"k": "v"}
    ).empty_table()
    assert _read(written("parquet", table, [])).schema.equals(table.schema, check_metadata=True)


def test_a_file_without_its_end_is_not_valid() -> None:
    encoder = FORMATS["parquet"].open_encoder()
    batch = pa.record_batch({"n": range(100_000)})
    begun = encoder.start(batch.schema) + encoder.encode(batch)
    with pytest.raises(pa.ArrowInvalid, match="magic bytes"):
        pq.read_table(BytesIO(begun))


def test_a_type_that_parquet_lacks_is_refused_by_name() -> None:
    schema = pa.schema([("fine", pa.int8()), ("hollow", pa.struct([]))])
    with pytest.raises(ColumnUnsupported, match=r"'hollow'.*exclude_field=hollow"):
        check("parquet", schema)
