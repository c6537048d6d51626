"""What the engine gives back as the file's own Arrow types, exactly or not at all."""

from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from application.engine.metadata import kept_metadata
from application.formats.wkb import WkbType
from application.models import Dataset, Query


class Disagreement(Exception):
    """The engine gave values of a column that its own type does not hold; the only argument is its name."""


def output_schema(dataset: Dataset, query: Query) -> pa.Schema:
    """The Arrow schema of a query's rows, with the file's metadata where it still tells the truth."""
    metadata = kept_metadata(dataset, query)
    return pa.schema([column.field for column in query.columns], metadata=metadata or None)


def holds_exactly(engine: pa.DataType, own: pa.DataType) -> bool:
    """True when every value of the file's type survives the engine's type."""
    if isinstance(own, pa.DictionaryType):
        return holds_exactly(engine, own.value_type)
    if isinstance(own, WkbType):
        return holds_exactly(engine, own.storage_type)
    if engine == own or types.is_null(own):
        return True
    if isinstance(own, pa.JsonType):
        return isinstance(engine, pa.JsonType) or types.is_string(engine)
    if types.is_time(own):
        return (types.is_time(engine) or _is_zoned_time(engine)) and own.unit != "ns"
    if types.is_timestamp(own):
        return (
            types.is_timestamp(engine)
            and (engine.tz is None) == (own.tz is None)
            and (own.unit != "ns" or engine.unit == "ns")
        )
    if types.is_map(own):
        return (
            types.is_map(engine)
            and holds_exactly(engine.key_type, own.key_type)
            and holds_exactly(engine.item_type, own.item_type)
        )
    if types.is_struct(own):
        return (
            types.is_struct(engine)
            and engine.num_fields == own.num_fields
            and all(holds_exactly(engine.field(i).type, own.field(i).type) for i in range(own.num_fields))
        )
    if _is_list(own):
        return _is_list(engine) and holds_exactly(engine.value_type, own.value_type)
    return any(is_own(own) and is_engine(engine) for is_own, is_engine in SAME_VALUES)


def can_be_read_again(own: pa.DataType) -> bool:
    """True when another reader than the engine gives every value of this type exactly."""
    if types.is_decimal256(own):
        return False
    if isinstance(own, pa.BaseExtensionType):
        return True
    return all(can_be_read_again(own.field(index).type) for index in range(own.num_fields))


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch in ``schema``, column by position; raises Disagreement for a value that would change."""
    columns = []
    for column, field in zip(batch.columns, schema, strict=True):
        try:
            columns.append(cast(column, field.type))
        except (pa.ArrowException, ValueError) as error:
            raise Disagreement(field.name) from error
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def in_microseconds(kind: pa.DataType) -> pa.DataType:
    """The type with microseconds for nanoseconds in its timestamps, at any depth."""
    if types.is_timestamp(kind) and kind.unit == "ns":
        return pa.timestamp("us", kind.tz)
    if types.is_struct(kind):
        return pa.struct([_of_microseconds(field) for field in kind])
    if types.is_map(kind):
        return pa.map_(_of_microseconds(kind.key_field), _of_microseconds(kind.item_field), kind.keys_sorted)
    if types.is_fixed_size_list(kind):
        return pa.list_(_of_microseconds(kind.value_field), kind.list_size)
    return pa.list_(_of_microseconds(kind.value_field)) if types.is_list(kind) else kind


def _of_microseconds(field: pa.Field) -> pa.Field:
    return field.with_type(in_microseconds(field.type))


def sliced(batches: Iterable[pa.RecordBatch], offset: int, limit: int | None) -> Iterator[pa.RecordBatch]:
    """The rows from the one numbered ``offset`` on, at most ``limit``; asks for no batch beyond them."""
    left = limit
    if left == 0:
        return
    for batch in batches:
        rows = batch.slice(offset, left)
        offset = max(0, offset - batch.num_rows)
        if rows.num_rows:
            yield rows
        if left is not None:
            left -= rows.num_rows
            if left == 0:
                return


def bounded(batch: pa.RecordBatch, size: int, spread: int) -> Iterator[pa.RecordBatch]:
    """Slices of a batch of about ``size`` bytes each, for a row can be 60 bytes or 20 MB.

    ``spread`` is what the batch takes without dictionaries, as most formats write it.
    """
    step = max(1, batch.num_rows * size // max(batch.nbytes, spread, 1))
    if step >= batch.num_rows:
        yield batch
        return
    for start in range(0, batch.num_rows, step):
        yield batch.slice(start, step)


def cast(column: pa.Array, own: pa.DataType) -> pa.Array:
    """The column in its own type, by position at every depth.

    Arrow's own cast matches struct fields by name and invents NULLs, and DuckDB renames fields that are
    alike but for case, as it does columns.
    """
    if column.type == own:
        return column
    if types.is_null(own):
        return pa.nulls(len(column))
    if isinstance(own, pa.DictionaryType):
        return cast(column, own.value_type).dictionary_encode().cast(own)
    if isinstance(own, WkbType):
        return pa.ExtensionArray.from_storage(own, cast(column, own.storage_type))
    if types.is_struct(own):
        fields = [own.field(index) for index in range(own.num_fields)]
        children = [cast(column.field(index), field.type) for index, field in enumerate(fields)]
        whole = [_required(child, field, column) for child, field in zip(children, fields, strict=True)]
        return pa.StructArray.from_arrays(whole, fields=fields, mask=column.is_null())
    if types.is_map(own):
        keys, items = cast(column.keys, own.key_type), cast(column.items, own.item_type)
        return pa.MapArray.from_arrays(column.offsets, keys, items, type=own, mask=column.is_null())
    if _is_list(own):
        values = cast(column.values, own.value_type)
        kind = pa.list_(own.value_field)
        whole = pa.ListArray.from_arrays(column.offsets, values, type=kind, mask=column.is_null())
        return _view(whole, own) if _is_list_view(own) else whole.cast(own)
    if _is_zoned_time(column.type):
        return _time_of_day(column.storage).cast(own)
    return column.cast(own)


def _view(lists: pa.ListArray, own: pa.DataType) -> pa.Array:
    """The lists as views, for which Arrow has no cast."""
    is_large = types.is_large_list_view(own)
    kind, offset = (pa.LargeListViewArray, pa.int64()) if is_large else (pa.ListViewArray, pa.int32())
    starts, ends = lists.offsets[:-1].cast(offset), lists.offsets[1:].cast(offset)
    return kind.from_arrays(starts, pc.subtract(ends, starts), lists.values, type=own, mask=lists.is_null())


def _required(child: pa.Array, field: pa.Field, parent: pa.Array) -> pa.Array:
    """The child as its field demands: a required one has no NULL, not even where its parent is NULL."""
    if field.nullable or not child.null_count:
        return child
    if pc.any(pc.and_(child.is_null(), parent.is_valid())).as_py():
        raise pa.ArrowInvalid(f"the required field {field.name!r} has a NULL")
    return _without_validity(child)


def _without_validity(array: pa.Array) -> pa.Array:
    """The array with some value in the place of each NULL; nobody looks at it."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, _without_validity(array.storage))
    if isinstance(kind, pa.DictionaryType):
        values = array.dictionary if len(array.dictionary) else pa.nulls(1, kind.value_type)
        return pa.DictionaryArray.from_arrays(array.indices.fill_null(0), values, ordered=kind.ordered)
    if types.is_struct(kind):
        children = [array.field(index) for index in range(kind.num_fields)]
    elif types.is_map(kind):
        entries = pa.StructArray.from_arrays(
            [array.keys, array.items], fields=[kind.key_field, kind.item_field]
        )
        children = [entries]
    else:
        children = [array.values] if types.is_nested(kind) else []
    # The validity comes first, what belongs to children last.
    own = array.buffers()[1 : kind.num_buffers if children else None]
    return pa.Array.from_buffers(kind, len(array), [None, *own], offset=array.offset, children=children)


def _time_of_day(storage: pa.Array) -> pa.Array:
    """DuckDB's TIME WITH TIME ZONE, 40 bits of microseconds over 24 bits of zone, as the time in its zone.

    Parquet has times of UTC alone, so the zone says nothing.
    """
    validity, data = storage.buffers()
    bits = pa.Array.from_buffers(pa.uint64(), len(storage), [validity, data], offset=storage.offset)
    return pc.shift_right(bits, pa.scalar(24, pa.uint64())).cast(pa.int64()).cast(pa.time64("us"))


def _is_zoned_time(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.OpaqueType) and kind.type_name == "time_tz"


def _is_list(kind: pa.DataType) -> bool:
    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return bool(is_list or _is_list_view(kind))


def _is_list_view(kind: pa.DataType) -> bool:
    return bool(types.is_list_view(kind) or types.is_large_list_view(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_binary_view(kind)
        or types.is_fixed_size_binary(kind)
    )


# Types that hold the same values: of the file on the left, of the engine on the right. ENUM is text to it.
SAME_VALUES: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType], bool]], ...] = (
    (_is_text, _is_text),
    (_is_bytes, lambda kind: _is_bytes(kind) or _is_text(kind)),
    (types.is_boolean, lambda kind: isinstance(kind, pa.Bool8Type)),
    (types.is_integer, types.is_integer),
    (types.is_duration, types.is_integer),
    (types.is_floating, types.is_floating),
    (types.is_decimal, types.is_decimal),
    (types.is_date, types.is_date),
)
