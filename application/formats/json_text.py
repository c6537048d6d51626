"""JSON text of Arrow values: polars writes what it can, decimals and JSON are spliced in as they are."""

import struct
from collections.abc import Sequence
from itertools import groupby
from typing import IO, cast

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from application.formats.columns import converted, entries, normalise, spans
from application.formats.handles import begin_polars
from application.formats.scalars import is_json, is_plain

types = pa.types
# Days of the years 1 to 9999, which all who write dates write alike.
COMMON_DAYS = (-719_162, 2_932_896)


def lines(batch: pa.RecordBatch) -> bytes:
    """Return one JSON object a row, each ended by a newline; no other newline is in it."""
    columns = converted(batch, _readied)
    names = batch.schema.names
    if all(_is_written(column.type) for column in columns):
        return _written(columns, names)
    rows = objects(columns, names, end="}\n")
    _, offsets, data = rows.buffers()
    first, last = struct.unpack_from("i", offsets, 0)[0], struct.unpack_from("i", offsets, 4 * len(rows))[0]
    return bytes(memoryview(data)[first:last])


def objects(columns: Sequence[pa.Array], names: Sequence[str], end: str = "}") -> pa.Array:
    """Return each row of normalised columns as the text of one JSON object."""
    parts: list[pa.Array | str] = []
    for is_written, run in groupby(zip(columns, names, strict=True), lambda each: _is_written(each[0].type)):
        members = list(run)
        if is_written:
            body = _written([column for column, _ in members], [name for _, name in members])
            parts += [",", _split(body, b"{")]
            continue
        for column, name in members:
            parts += [f",{orjson.dumps(name).decode()}:", texts(column)]
    parts[0] = "{" + str(parts[0])[1:]
    return pc.binary_join_element_wise(*parts, end, "")


def _readied(column: pa.Array) -> pa.Array:
    """A column as ``normalise`` has it, but for dates that polars writes as quickly as they become text."""
    if types.is_date32(column.type):
        found = pc.min_max(column.view(pa.int32())).as_py()
        first, last = COMMON_DAYS
        if found["min"] is None or first <= found["min"] <= found["max"] <= last:
            return column
    return normalise(column)


def _is_written(kind: pa.DataType) -> bool:
    """True for what polars writes as JSON just as we want it."""
    return is_plain(kind) or bool(types.is_date32(kind))


def texts(array: pa.Array) -> pa.Array:
    """Return the JSON text of each normalised value; a NULL is ``null``."""
    kind = array.type
    if is_plain(kind):
        return _split(_written([array], ["v"]), b'{"v":')
    if types.is_decimal(kind):
        return array.cast(pa.string()).fill_null("null")
    if is_json(kind):
        return pa.array([_embedded(text) for text in array.storage.to_pylist()], pa.string())
    if types.is_struct(kind):
        rows = objects(array.flatten(), [field.name for field in kind])
        return pc.if_else(array.is_valid(), rows, "null")
    if types.is_map(kind):
        keys, items = entries(array)
        # JSON demands strings: a nested key is the string that has its text.
        names = texts(keys) if not types.is_nested(keys.type) else texts(texts(keys))
        return _enclosed(array, "{", pc.binary_join_element_wise(names, texts(items), ":"), "}")
    return _enclosed(array, "[", texts(pc.list_flatten(array)), "]")


def _enclosed(array: pa.Array, opening: str, members: pa.Array, closing: str) -> pa.Array:
    grouped = pa.ListArray.from_arrays(spans(array), members, mask=array.is_null())
    return pc.binary_join_element_wise(opening, pc.binary_join(grouped, ","), closing, "").fill_null("null")


def _embedded(text: str | None) -> str:
    """Return JSON text on one line as it is, and what is no JSON as a string."""
    if text is None:
        return "null"
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return orjson.dumps(text).decode()
    # In valid JSON a raw line end is only ever blank space between tokens.
    return text.replace("\n", " ").replace("\r", " ")


def _written(columns: Sequence[pa.Array], names: Sequence[str]) -> bytes:
    sink = _Sink()
    # From a whole batch polars would give a column without a name one of its own.
    frame = {name: pl.from_arrow(column) for name, column in zip(names, columns, strict=True)}
    begin_polars()
    pl.DataFrame(frame).write_ndjson(cast("IO[bytes]", sink))
    return sink.data


class _Sink:
    """Takes what polars writes, all at once, without a copy."""

    data = b""

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""


def _split(body: bytes, opening: bytes) -> pa.Array:
    """Return the rows of polars' lines without what opens and closes each."""
    if not body:
        return pa.array([], pa.string())
    inner = pa.py_buffer(memoryview(body)[len(opening) : -len(b"}\n")])
    whole = pa.StringArray.from_buffers(1, pa.py_buffer(struct.pack("ii", 0, inner.size)), inner)
    # A raw newline stands only between rows: polars escapes the others.
    return pc.split_pattern(whole, (b"}\n" + opening).decode()).values
