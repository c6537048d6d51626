"""Columns as csv and json write them: each value without a form of its own becomes text, at any depth."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from application.errors import ColumnUnsupported
from application.formats.base import unsupported
from application.formats.scalars import NoText, is_json, is_plain, is_string, scalar, uuid
from application.models import Column

types = pa.types
Converted = TypeVar("Converted")


def check(columns: Sequence[Column], extension: str) -> None:
    """Raise ColumnUnsupported for the first column that has no text form."""
    for column in columns:
        try:
            normalise(pa.nulls(0, column.field.type))
        except pa.ArrowNotImplementedError as error:
            raise unsupported(column.field, extension) from error


def converted(batch: pa.RecordBatch, convert: Callable[[pa.Array], Converted]) -> list[Converted]:
    """Convert each column; raises ColumnUnsupported, which names it, for a value that has no text."""
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            columns.append(convert(column))
        except NoText as error:
            raise ColumnUnsupported(
                f"Column {name!r} has {error}; leave it out with exclude_field={name}, or choose parquet."
            ) from error
    return columns


def normalise(array: pa.Array) -> pa.Array:
    """Return the array with every value that needs it as text, and decimals and JSON as they are.

    What needs nothing is not copied. The rest is rebuilt, with lists of 32-bit offsets.
    """
    kind = array.type
    if is_plain(kind) or types.is_decimal(kind) or is_json(kind):
        return array
    if isinstance(kind, pa.BaseExtensionType):
        return uuid(array.storage) if isinstance(kind, pa.UuidType) else normalise(array.storage)
    if types.is_dictionary(kind):
        return normalise(array.dictionary.take(array.indices))
    if types.is_nested(kind):
        return _nested(array)
    return scalar(array)


def spans(array: pa.Array) -> pa.Array:
    """Return the 32-bit offsets of a list or map array, from zero, however it was sliced."""
    if types.is_map(array.type):
        return pc.subtract(array.offsets, array.offsets[0])
    # Neither `offsets` nor a cast is right for each kind of list once it is sliced; lengths are.
    zero = pa.scalar(0, pa.int32())
    lengths = pc.if_else(array.is_valid(), pc.list_value_length(array).cast(pa.int32()), zero)
    return pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths)])


def entries(array: pa.MapArray) -> tuple[pa.Array, pa.Array]:
    """Return the keys and the items that ``spans`` of a map array counts."""
    first, last = array.offsets[0].as_py(), array.offsets[-1].as_py()
    return array.keys.slice(first, last - first), array.items.slice(first, last - first)


def _nested(array: pa.Array) -> pa.Array:
    kind, absent = array.type, array.is_null()
    if types.is_struct(kind):
        children = [normalise(child) for child in array.flatten()]
        return pa.StructArray.from_arrays(children, names=[field.name for field in kind], mask=absent)
    if types.is_map(kind):
        keys, items = entries(array)
        return pa.MapArray.from_arrays(spans(array), _names(keys), normalise(items), mask=absent)
    if types.is_union(kind):
        raise pa.ArrowNotImplementedError(f"no text for {kind}")
    return pa.ListArray.from_arrays(spans(array), normalise(pc.list_flatten(array)), mask=absent)


def _names(keys: pa.Array) -> pa.Array:
    """Return a map's keys as the strings that JSON demands; nested ones are left to who writes them."""
    keys = normalise(keys)
    if is_string(keys.type) or types.is_nested(keys.type):
        return keys
    return (keys.storage if is_json(keys.type) else keys).cast(pa.string())
