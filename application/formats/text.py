"""Arrow values as csv and json write them: dates, binary and their like become text, at any depth."""

from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from application.formats.base import unsupported

types = pa.types


def check(schema: pa.Schema, extension: str) -> None:
    """Raise ColumnUnsupported for the first column that has no text form."""
    for field in schema:
        try:
            normalise(pa.nulls(0, field.type))
        except pa.ArrowNotImplementedError as error:
            raise unsupported(field, extension) from error


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
        from application.formats.fragments import texts

        return texts(keys)
    return (keys.storage if is_json(keys.type) else keys).cast(pa.string())


def _scalar(array: pa.Array) -> pa.Array:
    kind = array.type
    if types.is_timestamp(kind):
        # Dropping the zone for UTC changes no instant, and asks no zone database.
        zoned = array if kind.tz is None else array.cast(pa.timestamp(kind.unit, "UTC"))
        text = zoned.cast(pa.string())
        # Years past 32767, DuckDB's infinity among them, come as "<value out of range: …>".
        dated = pc.replace_substring(text, " ", "T", max_replacements=1)
        return pc.if_else(pc.starts_with(text, "<"), text, dated)
    if types.is_date(kind):
        return array.cast(pa.date32()).cast(pa.string())
    if types.is_time(kind):
        return array.cast(pa.string())
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


def _encoded(array: pa.Array, coding: Literal["hex", "base64"]) -> pa.Array:
    """Return binary as text; pyarrow has no kernel for it, polars has."""
    import polars as pl

    return pl.Series(pl.from_arrow(array.cast(pa.large_binary()))).bin.encode(coding).to_arrow()


def _uuid(storage: pa.Array) -> pa.Array:
    digits = _encoded(storage, "hex")
    parts = [pc.utf8_slice_codeunits(digits, *cut) for cut in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))]
    return pc.binary_join_element_wise(*parts, pa.scalar("-", digits.type))
