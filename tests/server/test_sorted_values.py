"""A sort changes the order of rows, and no value."""

import struct
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support import tables
from tests.support.serving import serving_folder

# In their order; what equals another is in the file's.
VALUES: dict[str, tuple[pa.DataType, list[Any]]] = {
    "half": (pa.float16(), [-1.5, -0.0, 0.0, -0.0, 2.0]),
    "float": (pa.float32(), [-1.5, -0.0, 0.0, -0.0, 1.5]),
    "double": (pa.float64(), [-1.5, -0.0, 0.0, -0.0, 5e-324]),
    "text": (pa.string(), ["", "\0", "\0\0a", "a\0", "é"]),
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("sort", ["{}", "-{}"])
def test_sorted_values_are_those_of_the_file_to_the_bit(name: str, sort: str, tmp_path: Path) -> None:
    kind, values = VALUES[name]
    tables.write(pa.table({name: pa.array(values, kind)}), tmp_path / "values.parquet")
    with serving_folder(tmp_path) as served:
        body = served.get(f"/values.parquet?sort={sort.format(name)}").content
    found = pq.read_table(pa.BufferReader(body))[name].to_pylist()
    expected = values
    if sort == "-{}":
        expected = sorted(values, reverse=True)
    assert [bits(value) for value in found] == [bits(value) for value in expected]


def bits(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else struct.pack("d", value)
