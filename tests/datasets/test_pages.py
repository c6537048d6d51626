"""A walk over pages finds every changed bit of what has a checksum, and every count that does not fit."""

import io
import random
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from application.datasets.pages import PageWalk, chunks
from application.errors import DatasetInvalid
from tests.support.footers import recount

ROWS = 3000
WRITERS: dict[str, dict[str, Any]] = {
    "plain": {"compression": "none", "use_dictionary": False},
    "snappy": {"compression": "snappy"},
    "zstd": {"compression": "zstd", "data_page_version": "2.0"},
    "small pages": {"data_page_size": 512, "write_batch_size": 64, "compression": "lz4"},
}


def table() -> pa.Table:
    numbers = range(ROWS)
    return pa.table(
        {
            "n": pa.array(numbers, pa.int64()),
            "t": [None if number % 7 == 0 else f"text {number % 50}" for number in numbers],
            "l": [[number] * (number % 4) for number in numbers],
            "s": [{"a": number / 3, "b": b"x" * (number % 9)} for number in numbers],
            "d": pa.array([f"{number % 3}" for number in numbers]).dictionary_encode(),
        }
    )


def written(**options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(table(), file, row_group_size=1000, **options)
    return file.getvalue()


def walk(data: bytes, *, is_dear: bool = False) -> PageWalk:
    made = PageWalk("x.parquet", len(data), lambda start, end: data[start:end], is_dear=is_dear)
    made.check(pq.read_metadata(io.BytesIO(data)))
    return made


def is_found(data: bytes) -> bool:
    try:
        walk(data)
    except DatasetInvalid:
        return True
    return False


def pages_end(data: bytes) -> int:
    return max(chunk.end for chunk in chunks(pq.read_metadata(io.BytesIO(data))))


@pytest.mark.parametrize("writer", WRITERS)
def test_what_is_as_it_was_written_passes(writer: str) -> None:
    made = walk(written(write_page_checksum=True, **WRITERS[writer]))
    assert made.checksums == made.pages > 15
    made = walk(written(**WRITERS[writer]))
    assert made.pages > 15
    assert made.checksums == 0


@pytest.mark.parametrize("writer", WRITERS)
def test_a_changed_bit_is_never_passed_and_wrong(writer: str) -> None:
    data = written(write_page_checksum=True, **WRITERS[writer])
    original = pq.read_table(io.BytesIO(data))
    dice, missed = random.Random(7), 0
    for _ in range(150):
        place, bit = dice.randrange(4, pages_end(data)), 1 << dice.randrange(8)
        changed = bytearray(data)
        changed[place] ^= bit
        if is_found(bytes(changed)):
            continue
        # In a header, which has no checksum: then the values are the same, or cannot be read.
        missed += 1
        try:
            assert pq.read_table(io.BytesIO(bytes(changed))).equals(original)
        except (pa.ArrowException, OSError):
            continue
    assert missed < 30


@pytest.mark.parametrize("checksums", [True, False])
@pytest.mark.parametrize("columns", [["n"], ["n", "m"]])
def test_a_footer_that_counts_a_value_more_than_the_pages_have_is_found(
    tmp_path: Path, columns: list[str], checksums: bool
) -> None:
    path = tmp_path / "x.parquet"
    made = pa.table({name: pa.array(range(2000), pa.int64()) for name in columns})
    pq.write_table(made, path, row_group_size=1000, write_page_checksum=checksums)
    for _ in range(len(columns) + 1):
        recount(path, 1000, 1001, 0)
    recount(path, 2000, 2001, 0)
    with pytest.raises(DatasetInvalid, match="values where the footer says 1001"):
        walk(path.read_bytes())


def test_other_writers_files_pass(tmp_path: Path) -> None:
    path = tmp_path / "duckdb.parquet"
    duckdb.connect().execute(
        f"COPY (SELECT i, 'text ' || i % 100 t, [i, i] l, {{'a': i}} s FROM range(200000) r(i)) TO '{path}'"
    )
    assert walk(path.read_bytes()).pages > 4
    empty = pa.table({"n": pa.array([], pa.int64())})
    file = io.BytesIO()
    pq.write_table(empty, file, write_page_checksum=True)
    assert walk(file.getvalue()).pages == 0


def test_what_has_no_checksums_is_not_read_where_reading_is_dear() -> None:
    assert walk(written(), is_dear=True).pages == 1
    data = written(write_page_checksum=True)
    assert walk(data, is_dear=True).pages == walk(data).pages
