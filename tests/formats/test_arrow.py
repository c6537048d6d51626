"""The Arrow streams, read back by pyarrow, polars, pandas and DuckDB."""

from io import BytesIO

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pytest

from application.about import About
from application.errors import ColumnUnsupported
from application.formats import FORMATS
from application.formats.arrow import BATCH_BYTES, BATCH_ROWS, check
from application.models import Column
from tests.formats.support import EVERY, picked, written

# Laid out in a way that some readers do not know, with the type that has the same values.
ANEW = {
    "string_view": pa.string(),
    "binary_view": pa.binary(),
    "list view": pa.list_(pa.int16()),
    "struct of dictionary": pa.struct([("d", pa.string())]),
}
# Polars has no such numbers, and no zones by their distance.
NOT_POLARS = {"decimal256", *(kind for kind in EVERY if kind.endswith("+01:30"))}


def read(body: bytes) -> pa.Table:
    return pyarrow.ipc.open_stream(body).read_all()


@pytest.mark.parametrize("kind", EVERY)
def test_each_type_comes_back_as_it_was(kind: str) -> None:
    table = pa.table({"value": picked(kind, range(10))})
    again = read(written("arrow", table))
    again.validate(full=True)
    assert again.schema.field(0).type == ANEW.get(kind, table.schema.field(0).type)
    # Python has no date for some instants, and Arrow's own text shows what lies under a NULL.
    told = pa.ChunkedArray.to_pylist if pa.types.is_nested(again.schema.field(0).type) else str
    assert str(told(again["value"])) == str(told(read_as(table["value"], again.schema.field(0).type)))
    if kind not in NOT_POLARS:
        assert pl.read_ipc_stream(BytesIO(written("arrow", table))).height == 10


def read_as(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if column.type == kind:
        return column
    return pa.chunked_array([pa.array(column.to_pylist(), kind)])


def test_what_lies_under_a_null_is_not_in_the_bytes() -> None:
    def table(spare: int) -> pa.Table:
        rows = 64
        valid = pa.py_buffer(b"\x0f" * 8)
        is_valid = np.arange(rows) % 8 < 4
        numbers = pa.py_buffer(np.where(is_valid, np.arange(rows), spare))
        letters = pa.py_buffer(np.where(is_valid, 97, spare).astype("uint8"))
        ends = pa.py_buffer(np.arange(rows + 1, dtype="int32"))
        n = pa.Array.from_buffers(pa.int64(), rows, [valid, numbers])
        whole = pa.Array.from_buffers(pa.int64(), rows, [None, numbers])
        within = pa.struct([("n", pa.int64())])
        required = pa.struct([pa.field("n", pa.int64(), nullable=False)])
        return pa.table(
            {
                "number": n,
                "text": pa.Array.from_buffers(pa.string(), rows, [valid, ends, letters]),
                "struct": pa.Array.from_buffers(within, rows, [valid], children=[whole]),
                "structs": pa.Array.from_buffers(
                    pa.list_(within),
                    rows,
                    [None, ends],
                    children=[pa.Array.from_buffers(within, rows, [valid], children=[whole])],
                ),
                "required": pa.Array.from_buffers(required, rows, [valid], children=[whole]),
                "list": pa.Array.from_buffers(pa.list_(pa.int64()), rows, [valid, ends], children=[whole]),
                "truth": pa.Array.from_buffers(pa.bool_(), rows, [valid, pa.py_buffer(bytes([spare] * 8))]),
            }
        ).slice(3, 40)

    # The four lower bits are of truths that are there.
    one, other = table(0x20), table(0x40)
    assert one.equals(other)
    assert written("arrow", one) == written("arrow", other)
    again = read(written("arrow", one))
    assert again.equals(one)
    again.validate(full=True)


def test_batches_end_by_rows_and_by_bytes() -> None:
    table = pa.table({"n": range(BATCH_ROWS + 1)})
    body = written("arrow", table, table.to_batches(max_chunksize=7_777))
    assert [batch.num_rows for batch in pyarrow.ipc.open_stream(body)] == [BATCH_ROWS, 1]
    wide = pa.table({"t": ["x" * (BATCH_BYTES // 4)] * 6})
    assert [batch.num_rows for batch in pyarrow.ipc.open_stream(written("arrow", wide))] == [4, 2]


def test_dictionaries_that_change_are_read_by_all() -> None:
    texts = [f"word {row % 70_000}" for row in range(2 * BATCH_ROWS)]
    body = written("arrow", pa.table({"d": pa.array(texts).dictionary_encode()}))
    table = read(body)
    assert table.schema.field("d").type == pa.dictionary(pa.int32(), pa.string())
    assert table["d"].to_pylist() == texts
    assert pl.read_ipc_stream(BytesIO(body))["d"].to_list() == texts
    with duckdb.connect() as database:
        database.register("rows", pyarrow.ipc.open_stream(body))
        assert [text for (text,) in database.execute("SELECT d FROM rows").fetchall()] == texts
    assert pyarrow.ipc.open_stream(body).read_pandas()["d"].tolist() == texts


def test_the_schema_says_whose_data_it_is_and_keeps_what_was_said() -> None:
    encoder = FORMATS["arrow"].open_encoder(about=About(source="abc", licence="OGL", query='{"limit": 1}'))
    schema = pa.schema([pa.field("n", pa.int64(), nullable=False, metadata={"unit": "m"})], {"own": "words"})
    body = b"".join([encoder.start(schema), encoder.finish()])
    expected = schema.with_metadata(
        {"own": "words", "licence": "OGL", "query": '{"limit": 1}', "source": "abc"}
    )
    assert read(body).schema.equals(expected, check_metadata=True)


def test_a_column_of_variants_is_refused_by_name() -> None:
    column = Column("v", "v", "VARIANT", pa.field("v", pa.json_()))
    with pytest.raises(ColumnUnsupported, match="'v'"):
        check([column], "arrow")
