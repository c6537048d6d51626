"""The geometry column of a text format in another form or reference system, before its own encoder."""

import pyarrow as pa
import pyarrow.compute as pc

from application.errors import ColumnUnsupported
from application.formats.base import Chunk, Encoder
from application.formats.features import moved
from application.geometry.reading import has_measures, read, values_text
from application.geometry.systems import change
from application.geometry.writing import as_geojson, as_wkt
from application.models import Shape


class GeometryText:
    """Hands batches on with their geometry as a shape wants it; what is none stays as stored."""

    def __init__(self, encoder: Encoder, shape: Shape) -> None:
        self._encoder = encoder
        self._shape = shape
        self._change = change(shape.geometry.crs, shape.crs or shape.geometry.crs)

    def start(self, schema: pa.Schema) -> Chunk:
        self._place = schema.get_field_index(self._shape.geometry.column)
        kind = pa.json_(pa.large_string()) if self._shape.form == "geojson" else pa.large_string()
        # Its own metadata tells of another type.
        field = pa.field(self._shape.geometry.column, kind)
        self._schema = schema.set(self._place, field)
        return self._encoder.start(self._schema)

    def encode(self, batch: pa.RecordBatch) -> Chunk:
        columns = list(batch.columns)
        texts = self._texts(columns[self._place])
        kind = self._schema.field(self._place).type
        is_json = isinstance(kind, pa.JsonType)
        columns[self._place] = pa.ExtensionArray.from_storage(kind, texts) if is_json else texts
        return self._encoder.encode(pa.RecordBatch.from_arrays(columns, schema=self._schema))

    def finish(self) -> Chunk:
        return self._encoder.finish()

    def _texts(self, column: pa.Array) -> pa.Array:
        shape = self._shape
        geometries = read(column, shape.geometry.encoding)
        stored = values_text(column, geometries, shape.geometry.encoding).cast(pa.large_string())
        if self._change.function and has_measures(geometries):
            raise ColumnUnsupported(
                f"Column {shape.geometry.column!r} has measures (M), which no change of reference system "
                "keeps; ask without crs, or leave it out with geometry=none."
            )
        geometries = moved(geometries, self._change, shape)
        if shape.form != "geojson":
            return pc.coalesce(as_wkt(geometries), stored)
        # JSON has no place for M either.
        return pc.if_else(stored.is_valid(), stored, as_geojson(geometries))
