"""JSON as one array of objects, and as one object a line."""

import pyarrow as pa

from application.formats.base import Chunk
from application.formats.json_text import lines


class JsonEncoder:
    """Writes one array with an object a row, a row a line; between batches stands what its format says."""

    def start(self, schema: pa.Schema) -> Chunk:
        return b"["

    def encode(self, batch: pa.RecordBatch) -> Chunk:
        return memoryview(lines(batch).replace(b"\n", b",\n"))[:-2] if batch.num_rows else b""

    def finish(self) -> Chunk:
        return b"]"


class NdjsonEncoder:
    """Writes an object a row, a row a line."""

    def start(self, schema: pa.Schema) -> Chunk:
        return b""

    def encode(self, batch: pa.RecordBatch) -> Chunk:
        return lines(batch) if batch.num_rows else b""

    def finish(self) -> Chunk:
        return b""
