"""The same rows give the same bytes, however the engine cut them into batches."""

import json
from decimal import Decimal
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from application.formats import FORMATS
from tests.formats.support import EVERY, cut, picked, written

pytestmark = pytest.mark.slow


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """A few columns of any types, their rows in any order."""
    names = draw(st.lists(st.sampled_from(sorted(EVERY)), min_size=1, max_size=5, unique=True))
    rows = draw(st.lists(st.integers(0, 99), max_size=12))
    return pa.table({name: picked(name, rows) for name in names})


@pytest.mark.parametrize("extension", FORMATS)
def test_bytes_do_not_depend_on_where_batches_end(extension: str) -> None:
    # GDAL takes a second for a file, in a database of its own.
    @settings(max_examples=4 if FORMATS[extension].layer else 60)
    @given(table=tables(), places=st.lists(st.integers(0, 12), max_size=4))
    def holds(table: pa.Table, places: list[int]) -> None:
        batches = cut(table, places) if len(table) else []
        assert written(extension, table, batches) == written(extension, table)

    holds()


@pytest.mark.parametrize("extension", [name for name, row in FORMATS.items() if row.layer])
def test_a_layer_does_not_depend_on_where_batches_end(extension: str) -> None:
    table = pa.table({name: picked(name, [5, 0, 2, 1, 3, 2]) for name in sorted(EVERY)})
    once = written(extension, table)
    for places in ([1], [2, 2, 5], list(range(6))):
        assert written(extension, table, cut(table, places)) == once


@settings(max_examples=60)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "text": st.none() | st.text(),
                "whole": st.none() | st.integers(-(2**63), 2**63 - 1),
                "real": st.none() | st.floats(),
                "exact": st.none() | st.decimals(-(10**20), 10**20, places=6),
                "many": st.none() | st.lists(st.none() | st.text(), max_size=3),
                "pair": st.none()
                | st.fixed_dictionaries({"d": st.none() | st.decimals(-9, 9, places=6), "t": st.text()}),
            }
        ),
        min_size=1,
        max_size=8,
    ),
    st.lists(st.integers(0, 8), max_size=3),
)
def test_any_values_come_back_from_json_and_parquet(rows: list[dict[str, object]], places: list[int]) -> None:
    number = pa.decimal128(38, 6)
    schema = pa.schema(
        {
            "text": pa.string(),
            "whole": pa.int64(),
            "real": pa.float64(),
            "exact": number,
            "many": pa.list_(pa.string()),
            "pair": pa.struct({"d": number, "t": pa.string()}),
        }
    )
    table = pa.Table.from_pylist(rows, schema)
    again = pq.read_table(BytesIO(written("parquet", table, cut(table, places))))
    assert str(again.to_pylist()) == str(table.to_pylist())
    expected = table.to_pylist()
    for row in expected:
        real = row["real"]
        row["real"] = real if real is not None and abs(real) < float("inf") else None
    parsed = json.loads(written("json", table, cut(table, places)), parse_float=Decimal)
    for row in parsed:
        row["real"] = None if row["real"] is None else float(row["real"])
    assert parsed == expected
