"""Arrow values as csv and json write them: dates, binary and their like become text, at any depth."""

from collections.abc import Callable
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from application.errors import ColumnUnsupported
from application.formats.base import unsupported

types = pa.types

# What pyarrow can write as text: the years -32767 to 32767, and times of one day.
DAYS = (-12_687_428, 11_248_737)
DAY_SECONDS = 86_400
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


class NoText(Exception):
    """A value is outside what ISO 8601 text, as pyarrow writes it, can hold."""


def check(schema: pa.Schema, extension: str) -> None:
    """Raise ColumnUnsupported for the first column that has no text form."""
    for field in schema:
        try:
            normalise(pa.nulls(0, field.type))
        except pa.ArrowNotImplementedError as error:
            raise unsupported(field, extension) from error


def converted(batch: pa.RecordBatch, convert: Callable[[pa.Array], pa.Array]) -> list[pa.Array]:
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
        return _uuid(array.storage) if isinstance(kind, pa.UuidType) else normalise(array.storage)
    if types.is_dictionary(kind):
        return normalise(array.dictionary.take(array.indices))
    if types.is_nested(kind):
        return _nested(array)
    return _scalar(array)


def is_plain(kind: pa.DataType) -> bool:
    """Say whether polars writes a type as JSON just as we want it."""
    if types.is_struct(kind):
        return all(is_plain(field.type) for field in kind)
    if types.is_list(kind) or types.is_large_list(kind):
        return is_plain(kind.value_type)
    if types.is_map(kind):
        return is_string(kind.key_type) and is_plain(kind.item_type)
    return (
        is_string(kind)
        or types.is_null(kind)
        or types.is_boolean(kind)
        or types.is_integer(kind)
        or types.is_float32(kind)
        or types.is_float64(kind)
    )


def is_string(kind: pa.DataType) -> bool:
    """Say whether a type is one of Arrow's three kinds of string."""
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def is_json(kind: pa.DataType) -> bool:
    """Say whether a type is Arrow's JSON."""
    return isinstance(kind, pa.JsonType)


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
    """Return a map's keys as the strings that JSON demands."""
    keys = normalise(keys)
    if is_string(keys.type):
        return keys
    if types.is_nested(keys.type):
        from application.formats.json_text import texts

        return texts(keys)
    return (keys.storage if is_json(keys.type) else keys).cast(pa.string())


def _scalar(array: pa.Array) -> pa.Array:
    kind = array.type
    if types.is_timestamp(kind):
        # Dropping the zone for UTC changes no instant, and asks no zone database.
        zoned = array if kind.tz is None else array.cast(pa.timestamp(kind.unit, "UTC"))
        text = writable(zoned).cast(pa.string())
        return pc.replace_substring(text, " ", "T", max_replacements=1)
    if types.is_date(kind):
        return writable(array.cast(pa.date32())).cast(pa.string())
    if types.is_time(kind):
        return writable(array).cast(pa.string())
    if types.is_duration(kind):
        return array.cast(pa.int64())
    if types.is_float16(kind):
        return array.cast(pa.float32())
    if (
        types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_binary_view(kind)
        or types.is_fixed_size_binary(kind)
    ):
        return _encoded(array, "base64")
    raise pa.ArrowNotImplementedError(f"no text for {kind}")


def writable(array: pa.Array) -> pa.Array:
    """Return dates (of 32 bits), times or timestamps as they are, or raise NoText.

    pyarrow would write "<value out of range: …>" of the rest, DuckDB's infinity among it.
    """
    kind = array.type
    if types.is_date32(kind):
        low, high = DAYS
        what = "dates outside the years -32767 to 32767"
    elif types.is_time(kind):
        low, high = 0, DAY_SECONDS * PER_SECOND[kind.unit] - 1
        what = "times of 24:00 or later"
    else:
        day = DAY_SECONDS * PER_SECOND[kind.unit]
        low, high = DAYS[0] * day, (DAYS[1] + 1) * day - 1
        what = "timestamps outside the years -32767 to 32767"
    numbers = array.view(pa.int32() if kind.bit_width == 32 else pa.int64())
    found = pc.min_max(numbers).as_py()
    if found["min"] is not None and (found["min"] < low or found["max"] > high):
        raise NoText(what)
    return array


def _encoded(array: pa.Array, coding: Literal["hex", "base64"]) -> pa.Array:
    """Return binary as text; pyarrow has no kernel for it, polars has."""
    import polars as pl

    return pl.Series(pl.from_arrow(array.cast(pa.large_binary()))).bin.encode(coding).to_arrow()


def _uuid(storage: pa.Array) -> pa.Array:
    digits = _encoded(storage, "hex")
    parts = [pc.utf8_slice_codeunits(digits, *cut) for cut in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))]
    return pc.binary_join_element_wise(*parts, pa.scalar("-", digits.type))
