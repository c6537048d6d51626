"""Columns of GeoArrow's coordinates as WKT, for formats that have text in their place."""

from collections.abc import Generator
from contextlib import closing

import pyarrow as pa
import pyarrow.compute as pc

from application.geometry.columns import geoarrow_encoding
from application.models import Query


class GeoarrowTexts:
    """Makes text of such columns of a query's rows, where ``is_text`` wants that.

    But for the geometry column: who writes that has a shape for it.
    """

    def __init__(self, schema: pa.Schema, query: Query, *, is_text: bool) -> None:
        kept = query.shape.geometry.column if query.shape else None
        self._encodings = {
            place: encoding
            for place, field in enumerate(schema)
            if is_text and field.name != kept and (encoding := geoarrow_encoding(field))
        }
        fields = [
            pa.field(field.name, pa.large_string()) if place in self._encodings else field
            for place, field in enumerate(schema)
        ]
        self.schema = pa.schema(fields, metadata=schema.metadata)

    def of(self, batches: Generator[pa.RecordBatch]) -> Generator[pa.RecordBatch]:
        """The batches with such text, in the schema that has it."""
        with closing(batches):
            yield from map(self.batch, batches)

    def batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch with such text; what is no geometry is written as the coordinates that it has."""
        if not self._encodings:
            return batch
        from application.geometry.reading import read, values_text
        from application.geometry.writing import as_wkt

        columns = list(batch.columns)
        for place, encoding in self._encodings.items():
            found = read(columns[place], encoding)
            stored = values_text(columns[place], found, encoding).cast(pa.large_string())
            columns[place] = pc.coalesce(as_wkt(found), stored)
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)
