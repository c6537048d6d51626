"""The first rows for people to look at, and after them where they are, simplified for a picture."""

from dataclasses import asdict

import orjson
import pyarrow as pa

from application.formats.base import Chunk
from application.formats.geometry_text import GeometryText
from application.formats.preview import PreviewEncoder
from application.geometry.sketch import Sketcher
from application.models import Shape


class MappedPreviewEncoder:
    """Writes the preview's lines, and at the end a sketch of all rows as JSON."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._cells = PreviewEncoder()
        self._sketcher = Sketcher(shape.geometry)

    def start(self, schema: pa.Schema) -> Chunk:
        name, shape = self._shape.geometry.column, self._shape
        self._place = schema.get_field_index(name)
        # What is text is shown as it is stored.
        is_stored = shape.geometry.encoding == "wkt" and not shape.crs
        wanted = Shape(shape.geometry, "wkt", shape.crs)
        self._shown = self._cells if is_stored else GeometryText(self._cells, wanted)
        return self._shown.start(schema)

    def encode(self, batch: pa.RecordBatch) -> Chunk:
        self._sketcher.add(batch.column(self._place))
        return self._shown.encode(batch)

    def finish(self) -> Chunk:
        return orjson.dumps(asdict(self._sketcher.finish())) + b"\n"
