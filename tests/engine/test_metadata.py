"""GeoParquet's metadata in filtered Parquet: what is left of it is true of what is left."""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.serving import Served, serving_folder

COVERING = {"bbox": {side: ["bbox", side] for side in ("xmin", "ymin", "xmax", "ymax")}}
GEO = {
    "version": "1.1.0",
    "primary_column": "geometry",
    "columns": {
        "geometry": {
            "encoding": "WKB",
            "geometry_types": ["Point", "Polygon"],
            "bbox": [0, 0, 9, 9],
            "covering": COVERING,
        },
        "point": {"encoding": "WKB", "geometry_types": ["Point"], "crs": None},
    },
}
ROWS = pa.table(
    {
        "entity": pa.array([1, 2], pa.int64()),
        "geometry": [b"\x01", b"\x02"],
        "point": [b"\x03", b"\x04"],
        "bbox": [{"xmin": 0.0, "ymin": 0.0, "xmax": 9.0, "ymax": 9.0}] * 2,
    }
)
MALFORMED = (
    b"{",
    b"[]",
    b'{"columns": []}',
    b'{"columns": {"geometry": 1}, "primary_column": "geometry"}',
    b"\xff",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Datasets with `geo` metadata, well-formed and not."""
    root = tmp_path_factory.mktemp("geo")
    for name, geo in {
        "places": json.dumps(GEO).encode(),
        **{f"bad-{i}": bad for i, bad in enumerate(MALFORMED)},
    }.items():
        pq.write_table(ROWS.replace_schema_metadata({b"geo": geo}), root / f"{name}.parquet")
    with serving_folder(root) as served:
        yield served


def geo_of(server: Served, path: str) -> Any:
    """The `geo` metadata of a download, or None."""
    response = server.get(path)
    assert response.status_code == 200, response.text
    found = pq.read_metadata(BytesIO(response.content)).metadata.get(b"geo")
    return None if found is None else json.loads(found)


def test_a_filtered_geoparquet_stays_one(server: Served) -> None:
    found = geo_of(server, "/places.parquet?entity=1")
    assert (found["version"], found["primary_column"]) == ("1.1.0", "geometry")
    assert found["columns"]["geometry"]["covering"] == COVERING


def test_rows_that_are_left_out_take_what_was_said_of_all_with_them(server: Served) -> None:
    found = geo_of(server, "/places.parquet?entity=1")["columns"]
    assert "bbox" not in found["geometry"]
    # Of several kinds nobody knows which are left; of one every row is.
    assert found["geometry"]["geometry_types"] == []
    assert found["point"]["geometry_types"] == ["Point"]


def test_without_its_column_of_boxes_a_geometry_has_no_covering(server: Served) -> None:
    found = geo_of(server, "/places.parquet?exclude_field=bbox")["columns"]["geometry"]
    assert "covering" not in found
    assert found["bbox"] == [0, 0, 9, 9]


def test_another_geometry_is_the_primary_one_where_the_first_is_left_out(server: Served) -> None:
    found = geo_of(server, "/places.parquet?exclude_field=geometry")
    assert (found["primary_column"], list(found["columns"])) == ("point", ["point"])


def test_a_file_without_geometry_is_no_geoparquet(server: Served) -> None:
    assert geo_of(server, "/places.parquet?field=entity") is None


@pytest.mark.parametrize("number", range(len(MALFORMED)))
def test_metadata_that_cannot_be_read_is_left_out(server: Served, number: int) -> None:
    assert geo_of(server, f"/bad-{number}.parquet?entity=1") is None


def test_the_stored_object_has_what_its_writer_said(server: Served) -> None:
    assert geo_of(server, "/places.parquet") == GEO
