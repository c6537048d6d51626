"""A file joined of row groups that were written by themselves is what pyarrow writes of them in one go."""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from application.formats import FORMATS, GroupEncoder, parquet
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
