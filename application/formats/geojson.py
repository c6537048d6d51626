"""GeoJSON (RFC 7946): one FeatureCollection, and a Feature a line; WGS 84, longitude first."""

import struct

import pyarrow as pa
import pyarrow.compute as pc

from application.formats.base import Chunk
from application.formats.columns import converted, normalise
from application.formats.features import FeatureReader, key_texts
from application.formats.json_text import objects
from application.geometry import WGS84
from application.geometry.writing import as_geojson
from application.models import Shape


class GeojsonLinesEncoder:
    """Writes a Feature a line."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def start(self, schema: pa.Schema) -> Chunk:
        self._reader = FeatureReader(self._shape, schema, WGS84)
        self._key = schema.get_field_index(self._shape.key) if self._shape.key else -1
        return b""

    def encode(self, batch: pa.RecordBatch) -> Chunk:
        return self._features(batch, "\n") if batch.num_rows else b""

    def finish(self) -> Chunk:
        return b""

    def _features(self, batch: pa.RecordBatch, end: str) -> memoryview:
        """The rows' Features, each followed by ``end``."""
        geometries, properties = self._reader.read(batch)
        shown = as_geojson(geometries).fill_null("null")
        members = objects(converted(properties, normalise), properties.schema.names).cast(pa.large_string())
        key = key_texts(batch.column(self._key)) if self._key >= 0 else None
        ids = "" if key is None else _joined('"id":', key, ",").fill_null("")
        rows = _joined('{"type":"Feature",', ids, '"geometry":', shown, ',"properties":', members, "}" + end)
        _, offsets, data = rows.buffers()
        size = 8 * (rows.offset + len(rows))
        first, last = (
            struct.unpack_from("q", offsets, 8 * rows.offset)[0],
            struct.unpack_from("q", offsets, size)[0],
        )
        return memoryview(data)[first:last]


class GeojsonEncoder(GeojsonLinesEncoder):
    """Writes one FeatureCollection, a Feature a line; what joins batches is in the format's row."""

    def start(self, schema: pa.Schema) -> Chunk:
        super().start(schema)
        return b'{"type":"FeatureCollection","features":[\n'

    def encode(self, batch: pa.RecordBatch) -> Chunk:
        return self._features(batch, ",\n")[:-2]

    def finish(self) -> Chunk:
        return b"\n]}\n"


def _joined(*parts: pa.Array | str) -> pa.Array:
    """Texts of each row joined; NULL where one is."""
    kind = pa.large_string()
    texts = [pa.scalar(part, kind) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*texts, pa.scalar("", kind))
