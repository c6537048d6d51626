"""What the engine gives back as the file's own Arrow types, exactly or not at all; a leaf."""

import pyarrow as pa
from pyarrow import types


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


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch in ``schema``, column by position; a value that would change raises ArrowInvalid."""
    columns = [_cast(column, field.type) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _cast(column: pa.Array, own: pa.DataType) -> pa.Array:
    if column.type == own:
        return column
    if types.is_null(own):
        return pa.nulls(len(column))
    if isinstance(own, pa.DictionaryType):
        return _cast(column, own.value_type).dictionary_encode().cast(own)
    return column.cast(own)


def _is_list(kind: pa.DataType) -> bool:
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))
