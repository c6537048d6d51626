"""The first rows for people to look at: cells as csv has them, told apart and cut, however long they are."""

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from application.formats.base import Chunk
from application.formats.columns import converted
from application.formats.delimited import cells

# What is kept of a cell; that there is more is told by its length.
CELL_CHARACTERS = 400


class PreviewEncoder:
    """Writes a JSON array a row: for each cell its text, cut, and the length of the whole; null for NULL."""

    def start(self, schema: pa.Schema) -> Chunk:
        return b""

    def encode(self, batch: pa.RecordBatch) -> Chunk:
        columns = [_told(column) for column in converted(batch, cells)]
        return b"".join(orjson.dumps(row) + b"\n" for row in zip(*columns, strict=True))

    def finish(self) -> Chunk:
        return b""


def _told(column: pa.Array) -> list[tuple[str, int] | None]:
    text = column.cast(pa.large_string())
    cut = pc.utf8_slice_codeunits(text, 0, CELL_CHARACTERS).to_pylist()
    lengths = pc.utf8_length(text).to_pylist()
    return [None if size is None else (start, size) for start, size in zip(cut, lengths, strict=True)]
