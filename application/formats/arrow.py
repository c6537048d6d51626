"""An Arrow IPC stream: the file's own types, dictionaries kept, its batches cut by rows and bytes.

Buffers are not compressed, for not every reader takes that; the codings of HTTP are for it.
"""

from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc

from application.about import About
from application.errors import ColumnUnsupported
from application.formats.base import Chunk, unsupported
from application.formats.columns import entries, spans
from application.formats.groups import Groups, in_order
from application.formats.sink import Sink
from application.formats.words import NOTHING, key_values
from application.models import Column

types = pa.types

BATCH_ROWS = 65_536
BATCH_BYTES = 16 * 2**20


class ArrowEncoder:
    """Writes record batches that end with their 65,536th row, or with the row that fills 16 MiB.

    A batch brings dictionaries of its own, in the order of its rows: to polars those that grow are unknown.
    """

    def __init__(self, about: About = NOTHING) -> None:
        self._about = about
        self._sink = Sink()
        self._groups = Groups(BATCH_ROWS, BATCH_BYTES)

    def start(self, schema: pa.Schema) -> Chunk:
        said = {**(schema.metadata or {}), **key_values(self._about)}
        self._schema = pa.schema(map(_taken, schema), metadata=said or None)
        self._writer = pyarrow.ipc.new_stream(self._sink, self._schema)
        return self._sink.take()

    def encode(self, batch: pa.RecordBatch) -> Chunk:
        self._write(self._groups.add(batch))
        return self._sink.take()

    def finish(self) -> Chunk:
        self._write(self._groups.rest())
        self._writer.close()
        return self._sink.take()

    def _write(self, groups: Iterable[pa.Table]) -> None:
        for group in groups:
            columns = [
                _clean(column.combine_chunks(), field.type)
                for column, field in zip(in_order(group).columns, self._schema, strict=True)
            ]
            self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))


def check(columns: Sequence[Column], extension: str) -> None:
    """Raise ColumnUnsupported for the first column that Arrow, or pyarrow, has no form for."""
    for column in columns:
        if column.engine_type == "VARIANT":
            raise ColumnUnsupported(
                f"Column {column.name!r} holds variants, which Arrow has no type for; "
                f"leave it out with exclude_field={column.name} or choose json."
            )
        field = column.field
        try:
            _clean(pa.nulls(0, field.type), _taken(field).type)
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
            raise unsupported(field, extension) from error


def _taken(field: pa.Field) -> pa.Field:
    """Return a column's field as every reader takes it."""
    kind = field.type
    if types.is_dictionary(kind):
        values = pa.field("", kind.value_type)
        return field.with_type(pa.dictionary(kind.index_type, _plain(values).type, kind.ordered))
    return _plain(field)


def _plain(field: pa.Field) -> pa.Field:
    """Return a field without views, which some readers do not know, and without dictionaries in it.

    Those of values within others could not be put in the order of the rows.
    """
    kind = field.type
    if types.is_dictionary(kind):
        return _plain(field.with_type(kind.value_type))
    if types.is_string_view(kind):
        return field.with_type(pa.string())
    if types.is_binary_view(kind):
        return field.with_type(pa.binary())
    if types.is_struct(kind):
        return field.with_type(pa.struct([_plain(child) for child in kind]))
    if types.is_map(kind):
        return field.with_type(pa.map_(_plain(kind.key_field), _plain(kind.item_field), kind.keys_sorted))
    if types.is_fixed_size_list(kind):
        return field.with_type(pa.list_(_plain(kind.value_field), kind.list_size))
    if types.is_large_list(kind) or types.is_large_list_view(kind):
        return field.with_type(pa.large_list(_plain(kind.value_field)))
    if types.is_list(kind) or types.is_list_view(kind):
        return field.with_type(pa.list_(_plain(kind.value_field)))
    return field


def _clean(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return a copy in the type that ``_taken`` says, with nothing of its maker's left under a NULL."""
    absent = array.is_null()
    if types.is_struct(kind):
        pairs = zip(array.flatten(), kind, strict=True)
        children = [_required(_clean(child, field.type), field) for child, field in pairs]
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=absent)
    if types.is_map(kind):
        keys, items = entries(array)
        sides = _clean(keys, kind.key_type), _clean(items, kind.item_type)
        return pa.MapArray.from_arrays(spans(array), *sides, type=kind, mask=absent)
    if types.is_list(kind) or types.is_large_list(kind):
        # Arrow's own cast is wrong about views of lists.
        values = _clean(pc.list_flatten(array), kind.value_type)
        lists = pa.LargeListArray if types.is_large_list(kind) else pa.ListArray
        offset = pa.int64() if types.is_large_list(kind) else pa.int32()
        return lists.from_arrays(spans(array).cast(offset), values, type=kind, mask=absent)
    plain = array if array.type == kind else array.cast(kind)
    return plain.take(pa.arange(0, len(plain)))


def _required(child: pa.Array, field: pa.Field) -> pa.Array:
    """Return a field's values without NULLs where it has none of its own, but only those of its parents."""
    kind = field.type
    if (
        field.nullable
        or not child.null_count
        or types.is_nested(kind)
        or isinstance(kind, pa.BaseExtensionType)
    ):
        return child
    return pa.Array.from_buffers(kind, len(child), [None, *child.buffers()[1:]])
