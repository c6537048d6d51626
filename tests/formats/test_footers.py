"""A file joined of row groups is what pyarrow writes of them in one go; others are cut out of a file."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from application.formats import FORMATS, GroupEncoder, parquet
from application.formats.footers import CutFile
from application.formats.thrift import Malformed
from tests.formats.support import EVERY, picked

# In a footer's list the count of items has one byte, or more from 15 on.
ROWS = (1, 3, 9, 1000)


def at_once(table: pa.Table, rows: int) -> bytes:
    sink = BytesIO()
    options = {"compression": "zstd", "compression_level": 1, "write_page_checksum": True}
    with pq.ParquetWriter(sink, table.schema, **options) as writer:
        for start in range(0, len(table), rows):
            writer.write_table(table.slice(start, rows).combine_chunks())
    return sink.getvalue()


def opened() -> GroupEncoder[pa.Table]:
    encoder = FORMATS["parquet"].open_encoder()
    assert isinstance(encoder, GroupEncoder)
    return encoder


@pytest.mark.parametrize("rows", ROWS)
def test_joined_groups_are_the_file_that_one_writer_writes(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", rows)
    names = [name for name in EVERY if "dictionary" not in name]
    table = pa.table({name: picked(name, range(40)) for name in names}).replace_schema_metadata({"k": "v"})
    encoder = opened()
    opening = encoder.start(table.schema)
    groups = list(encoder.groups(table.to_batches(max_chunksize=7)))
    with ThreadPoolExecutor(3) as threads:
        written = list(threads.map(encoder.encode_group, groups))
    body = b"".join([opening, *map(encoder.join, written), encoder.finish()])
    assert body == at_once(table, rows)


def test_no_groups_are_a_file_without_rows() -> None:
    schema = pa.schema([("a", pa.int64()), ("b", pa.list_(pa.string()))])
    encoder = opened()
    assert bytes(encoder.start(schema)) + bytes(encoder.finish()) == at_once(schema.empty_table(), 1)


@pytest.mark.parametrize("columns", [1, 20, 3000])
def test_files_of_few_and_many_columns_are_joined_alike(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 2)
    table = pa.table({f"c{at}": [at, None, 2] for at in range(columns)})
    encoder = opened()
    body = bytes(encoder.start(table.schema))
    body += b"".join(bytes(encoder.encode(batch)) for batch in table.to_batches()) + bytes(encoder.finish())
    assert body == at_once(table, 2)


def by_duckdb(table: pa.Table, path: Path, rows: int) -> None:
    with duckdb.connect() as engine:
        engine.register("rows", table)
        engine.execute(f"COPY rows TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE {rows})")


WRITERS: dict[str, Callable[[pa.Table, Path, int], None]] = {
    "pyarrow": lambda table, path, rows: pq.write_table(
        table, path, row_group_size=rows, write_page_index=True, write_page_checksum=True
    ),
    "polars": lambda table, path, rows: pl.DataFrame(table).write_parquet(path, row_group_size=rows),
    "duckdb": by_duckdb,
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(("groups", "first", "last"), [(1, 0, 0), (5, 0, 2), (5, 4, 4), (40, 3, 30)])
def test_row_groups_are_cut_out_of_what_anyone_wrote(
    tmp_path: Path, writer: str, groups: int, first: int, last: int
) -> None:
    """DuckDB has 2,048 rows in a row group at least."""
    path, rows = tmp_path / "t.parquet", 2048
    count = groups * rows
    table = pa.table({"n": range(count), "text": [f"{n % 99}" if n % 7 else None for n in range(count)]})
    WRITERS[writer](table, path, rows)
    data, metadata = path.read_bytes(), pq.read_metadata(path)
    assert metadata.num_row_groups == groups
    footer = data[-8 - metadata.serialized_size : -8]
    chunks = [metadata.row_group(group).column(at) for group in range(first, last + 1) for at in range(2)]
    starts = [min(chunk.data_page_offset, chunk.dictionary_page_offset or sys.maxsize) for chunk in chunks]
    start = min(starts)
    end = max(at + chunk.total_compressed_size for at, chunk in zip(starts, chunks, strict=True))
    chosen = table.slice(first * rows, (last - first + 1) * rows)
    cut = CutFile(footer).cut(range(first, last + 1), len(chosen), start, [data[start:end]])
    assert pq.read_table(BytesIO(cut)).to_pylist() == chosen.to_pylist()
    assert pl.read_parquet(cut).rows() == [tuple(row.values()) for row in chosen.to_pylist()]


@pytest.mark.parametrize("footer", [b"", b"\x00", b"\x15", b"\xff" * 40])
def test_what_is_no_footer_is_no_file_to_cut(footer: bytes) -> None:
    with pytest.raises((Malformed, LookupError, TypeError, ValueError)):
        CutFile(footer)
