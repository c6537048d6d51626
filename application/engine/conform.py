"""What the engine gives back as the file's own Arrow types, exactly or not at all."""

from collections.abc import Iterator

import pyarrow as pa
from pyarrow import types

from application.engine.metadata import kept_metadata
from application.models import Dataset, Query


def output_schema(dataset: Dataset, query: Query) -> pa.Schema:
    """The Arrow schema of a query's rows, with the file's metadata where it still tells the truth."""
    metadata = kept_metadata(dataset, query)
    return pa.schema([column.field for column in query.columns], metadata=metadata or None)


def holds_exactly(engine: pa.DataType, own: pa.DataType) -> bool:
    """True when every value of the file's type survives the engine's type."""
    if isinstance(own, pa.DictionaryType):
        return holds_exactly(engine, own.value_type)
    if engine == own or types.is_null(own):
        return True
    if types.is_decimal(own):
        return types.is_decimal(engine)
    if types.is_time(own) or types.is_timestamp(own):
        return types.is_temporal(engine) and (own.unit != "ns" or engine.unit == "ns")
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
    return True


def can_be_read_again(own: pa.DataType) -> bool:
    """True when another reader than the engine gives every value of this type exactly."""
    if types.is_decimal256(own):
        return False
    if isinstance(own, pa.BaseExtensionType):
        return True
    return all(can_be_read_again(own.field(index).type) for index in range(own.num_fields))


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch in ``schema``, column by position; a value that would change raises ArrowInvalid."""
    columns = [_cast(column, field.type) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def bounded(batch: pa.RecordBatch, size: int) -> Iterator[pa.RecordBatch]:
    """Slices of a batch of about ``size`` bytes each, for a row can be 60 bytes or 20 MB."""
    step = max(1, batch.num_rows * size // max(batch.nbytes, 1))
    if step >= batch.num_rows:
        yield batch
        return
    for start in range(0, batch.num_rows, step):
        yield batch.slice(start, step)


def _cast(column: pa.Array, own: pa.DataType) -> pa.Array:
    """Cast by position at every depth: Arrow's own cast matches struct fields by name and invents NULLs.

    DuckDB renames fields that are alike but for case, as it does columns.
    """
    if column.type == own:
        return column
    if types.is_null(own):
        return pa.nulls(len(column))
    if isinstance(own, pa.DictionaryType):
        return _cast(column, own.value_type).dictionary_encode().cast(own)
    if types.is_struct(own):
        fields = [own.field(index) for index in range(own.num_fields)]
        children = [_cast(column.field(index), field.type) for index, field in enumerate(fields)]
        return pa.StructArray.from_arrays(children, fields=fields, mask=column.is_null())
    if types.is_map(own):
        keys, items = _cast(column.keys, own.key_type), _cast(column.items, own.item_type)
        return pa.MapArray.from_arrays(column.offsets, keys, items, type=own, mask=column.is_null())
    if _is_list(own):
        values = _cast(column.values, own.value_type)
        kind = pa.list_(own.value_field)
        return pa.ListArray.from_arrays(column.offsets, values, type=kind, mask=column.is_null()).cast(own)
    return column.cast(own)


def _is_list(kind: pa.DataType) -> bool:
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))
