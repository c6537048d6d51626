"""GeoParquet 1.1: plain WKB, `geo` metadata, and a column of bounding boxes by which readers skip rows."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from application.about import About
from application.formats.base import Chunk
from application.formats.features import FeatureReader
from application.formats.parquet import ParquetEncoder
from application.formats.words import NOTHING
from application.geometry import WGS84
from application.geometry.columns import CORNERS
from application.geometry.systems import projjson
from application.geometry.writing import Extent, as_wkb, boxes
from application.models import Shape

GEO = b"geo"
BOX = "bbox"


class GeoparquetEncoder(ParquetEncoder):
    """Writes row groups as Parquet has them; what is told of all geometries comes at the end."""

    def __init__(self, shape: Shape, about: About = NOTHING) -> None:
        super().__init__(about)
        self._shape = shape
        self._name = shape.geometry.column
        self._crs = shape.crs or shape.geometry.crs
        self._extent = Extent()

    def start(self, schema: pa.Schema) -> Chunk:
        self._reader = FeatureReader(self._shape, schema, self._crs)
        known, covering = self._reader.schema, self._shape.geometry.covering
        # The source's own boxes are in its reference system, and as exact as it wanted them.
        own = known.get_field_index(covering[0]) if covering else -1
        self._kept = [place for place in range(len(known)) if place != own]
        self._place = self._kept.index(schema.get_field_index(self._name))
        fields = [pa.field(known.field(place).name, _plain(known.field(place).type)) for place in self._kept]
        self._box = _free_name([field.name for field in fields], self._name)
        fields.insert(self._place, pa.field(self._name, pa.binary()))
        box = pa.field(self._box, pa.struct([(corner, pa.float64()) for corner in CORNERS]))
        kept = {key: value for key, value in (schema.metadata or {}).items() if key != GEO}
        self._schema = pa.schema([*fields, box], kept)
        return super().start(self._schema)

    def encode(self, batch: pa.RecordBatch) -> Chunk:
        return super().encode(self._boxed(batch))

    def groups(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
        return super().groups(map(self._boxed, batches))

    def finish(self) -> Chunk:
        # What is told of all geometries is known now; the footer is written of this schema.
        geo = {GEO: json.dumps(self._geo(), separators=(",", ":"))}
        self._schema = self._schema.with_metadata({**(self._schema.metadata or {}), **geo})
        return super().finish()

    def _boxed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        geometries, properties = self._reader.read(batch)
        self._extent.add(geometries)
        columns = [properties.column(place) for place in self._kept]
        columns = [column.storage if _is_wkb(column.type) else column for column in columns]
        columns.insert(self._place, as_wkb(geometries))
        columns.append(boxes(geometries, self._schema.field(self._box).type))
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)

    def _geo(self) -> dict[str, Any]:
        said: dict[str, Any] = {"encoding": "WKB", "geometry_types": sorted(self._extent.kinds)}
        if not self._crs:
            said["crs"] = None
        elif self._crs != WGS84:
            said["crs"] = json.loads(projjson(self._crs))
        if self._extent.bounds:
            said["bbox"] = self._extent.bounds
        said["covering"] = {"bbox": {corner: [self._box, corner] for corner in CORNERS}}
        return {"version": "1.1.0", "primary_column": self._name, "columns": {self._name: said}}


def _free_name(names: Sequence[str], geometry: str) -> str:
    """A name for the boxes that no other column has, whatever its case."""
    taken, name = {known.lower() for known in (*names, geometry)}, BOX
    while name.lower() in taken:
        name = f"{geometry}_{name}"
    return name


def _is_wkb(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.ExtensionType) and kind.extension_name == "geoarrow.wkb"


def _plain(kind: pa.DataType) -> pa.DataType:
    """Another geometry's WKB as bytes: of its own type QGIS 3.44 refuses the file."""
    return kind.storage_type if _is_wkb(kind) else kind
