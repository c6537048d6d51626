"""Single Arrow values as csv and json write them: dates, binary and their like become text."""

from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

types = pa.types

# What pyarrow can write as text: the years -32767 to 32767, and times of one day.
DAYS = (-12_687_428, 11_248_737)
DAY_SECONDS = 86_400
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


class NoText(Exception):
    """A value is outside what ISO 8601 text, as pyarrow writes it, can hold."""


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


def scalar(array: pa.Array) -> pa.Array:
    """Return values that are not nested as text, or as the number that says the same.

    Raises NoText for a value, and ArrowNotImplementedError for a type, that has none.
    """
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


def uuid(storage: pa.Array) -> pa.Array:
    """Return 16 bytes each as a UUID's text."""
    digits = _encoded(storage, "hex")
    parts = [pc.utf8_slice_codeunits(digits, *cut) for cut in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))]
    return pc.binary_join_element_wise(*parts, pa.scalar("-", digits.type))
