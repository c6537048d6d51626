"""JSON as one array of objects, and as one object a line."""

import pyarrow as pa

from application.formats.base import Chunk
from application.formats.json_text import lines


class JsonEncoder:
    """Writes one array with an object a row, a row a line."""

    def __init__(self) -> None:
        self._started = False

    def start(self, schema: pa.Schema) -> Chunk:
        return b"["

    def encode(self, batch: pa.RecordBatch) -> Chunk:
        if not batch.num_rows:
            return b""
        # A newline ahead becomes the separator from the rows before, with no copy to put it there.
        rows = lines(batch, b"\n" if self._started else b"").replace(b"\n", b",\n")
        self._started = True
        return memoryview(rows)[:-2]

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
