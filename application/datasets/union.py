"""The schema of all parts together: the widest type of each column, as long as nothing is lost by it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pyarrow as pa
from pyarrow import types

from application.errors import DatasetInvalid

Wider = Callable[[pa.DataType, pa.DataType], pa.DataType | None]

MOST_DIGITS = 38  # that the engine's decimals hold
INTEGER_DIGITS = {8: 3, 16: 5, 32: 10, 64: 19}
# How many bits of an integer a floating-point number holds exactly.
FLOAT_BITS = {16: 11, 32: 24, 64: 53}
FLOATS = {16: pa.float16(), 32: pa.float32(), 64: pa.float64()}
SIGNED = {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}
UNITS = ("s", "ms", "us", "ns")


@dataclass(slots=True)
class _Seen:
    """A column of the parts so far: its field, the part that gave it its type, and how many parts have it."""

    field: pa.Field
    part: str
    parts: int


def unite(parts: Iterable[tuple[str, pa.Schema]], *, nanoseconds: frozenset[str] = frozenset()) -> pa.Schema:
    """The schema that holds every value of these parts, each a name and a schema, without metadata.

    The first part's columns come first, in its order, then what later parts add. A column is required where
    it is in every part. Timestamps of unlike units become nanoseconds for the columns of which it is known
    that all values fit. Raises DatasetInvalid with two parts and the column where a value might be lost.
    """
    columns: dict[str, _Seen] = {}
    count = 0
    for name, schema in parts:
        count += 1
        for field in schema:
            seen = columns.get(field.name)
            if seen is None:
                columns[field.name] = _Seen(field, name, 1)
                continue
            seen.parts += 1
            kind = wider(seen.field.type, field.type, to_nanoseconds=field.name in nanoseconds)
            if kind is None:
                raise DatasetInvalid(
                    f"Column {field.name!r} is {seen.field.type} in part {seen.part!r} and {field.type} in "
                    f"part {name!r}: no one type holds both without a loss."
                )
            if kind != seen.field.type:
                seen.part = name
            nullable = seen.field.nullable or field.nullable
            seen.field = seen.field.with_type(kind).with_nullable(nullable)
    return pa.schema(
        [seen.field if seen.parts == count else seen.field.with_nullable(True) for seen in columns.values()]
    )


def wider(one: pa.DataType, other: pa.DataType, *, to_nanoseconds: bool = False) -> pa.DataType | None:
    """The type that holds every value of both and tells them apart, or None where there is none.

    Where both hold the same values it is the first. ``to_nanoseconds``: all timestamps fit nanoseconds.
    """
    if one == other or types.is_null(other):
        return one
    if types.is_null(one):
        return other
    if isinstance(one, pa.DictionaryType) or isinstance(other, pa.DictionaryType):
        return wider(_plain(one), _plain(other), to_nanoseconds=to_nanoseconds)
    if isinstance(one, pa.BaseExtensionType) or isinstance(other, pa.BaseExtensionType):
        return _wider_extension(one, other)
    for matches, make in FAMILIES:
        if matches(one) and matches(other):
            return make(one, other)
    if types.is_timestamp(one) and types.is_timestamp(other):
        return _wider_timestamp(one, other, to_nanoseconds)
    return None


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if isinstance(kind, pa.DictionaryType) else kind


def _wider_extension(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """JSON is text; of other extensions nobody knows what their storage means without them."""
    if all(_is_text(kind) or isinstance(kind, pa.JsonType) for kind in (one, other)):
        storages = [kind.storage_type if isinstance(kind, pa.JsonType) else kind for kind in (one, other)]
        return wider(*storages)
    return None


def _wider_text(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    return pa.large_string() if pa.large_string() in (one, other) else pa.string()


def _wider_binary(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    return pa.large_binary() if pa.large_binary() in (one, other) else pa.binary()


def _wider_number(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    if types.is_integer(one) and types.is_integer(other):
        return _wider_integer(one, other)
    if types.is_floating(one) or types.is_floating(other):
        return _wider_float(one, other)
    whole = max(_digits(one)[0], _digits(other)[0])
    scale = max(_digits(one)[1], _digits(other)[1])
    return pa.decimal128(whole + scale, scale) if whole + scale <= MOST_DIGITS else None


def _wider_integer(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if types.is_signed_integer(one) == types.is_signed_integer(other):
        return max(one, other, key=lambda kind: kind.bit_width)
    signed, unsigned = (one, other) if types.is_signed_integer(one) else (other, one)
    width = max(signed.bit_width, 2 * unsigned.bit_width)
    return SIGNED.get(width) or pa.decimal128(20, 0)


def _wider_float(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    if types.is_decimal(one) or types.is_decimal(other):
        return None
    bits, width = 0, 16
    for kind in (one, other):
        if types.is_floating(kind):
            width = max(width, kind.bit_width)
        else:
            # The smallest of them is a power of two, which every width holds.
            bits = kind.bit_width - types.is_signed_integer(kind)
    return next((FLOATS[wide] for wide in FLOATS if wide >= width and FLOAT_BITS[wide] >= bits), None)


def _digits(kind: pa.DataType) -> tuple[int, int]:
    """Digits before and after the point."""
    if types.is_decimal(kind):
        return kind.precision - kind.scale, kind.scale
    return (20 if kind == pa.uint64() else INTEGER_DIGITS[kind.bit_width]), 0


def _wider_time(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    return max(one, other, key=lambda kind: UNITS.index(kind.unit))


def _wider_timestamp(one: pa.DataType, other: pa.DataType, to_nanoseconds: bool) -> pa.DataType | None:
    if (one.tz is None) != (other.tz is None):
        return None
    unit = max(one.unit, other.unit, key=UNITS.index)
    if unit == "ns" and one.unit != other.unit and not to_nanoseconds:
        # 9999-12-31 is no timestamp of nanoseconds.
        return None
    return pa.timestamp(unit, one.tz if one.tz == other.tz else "UTC")


def _wider_struct(one: pa.StructType, other: pa.StructType) -> pa.DataType | None:
    names = [[kind.field(place).name for place in range(kind.num_fields)] for kind in (one, other)]
    # Fields are joined by name, which the engine does whatever their case.
    known: dict[str, set[str]] = {}
    for name in (*names[0], *names[1]):
        known.setdefault(name.lower(), set()).add(name)
    if any(len(found) > 1 for found in known.values()) or not set(names[0]) & set(names[1]):
        return None
    if any(len(set(found)) != len(found) for found in names):
        return None
    fields = []
    for name in dict.fromkeys((*names[0], *names[1])):
        if name not in names[0] or name not in names[1]:
            only = one if name in names[0] else other
            fields.append(only.field(name).with_nullable(True))
            continue
        field = _wider_field(one.field(name), other.field(name))
        if field is None:
            return None
        fields.append(field)
    return pa.struct(fields)


def _wider_field(one: pa.Field, other: pa.Field) -> pa.Field | None:
    kind = wider(one.type, other.type)
    return None if kind is None else one.with_type(kind).with_nullable(one.nullable or other.nullable)


def _wider_list(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    value = _wider_field(one.value_field, other.value_field)
    if value is None:
        return None
    if types.is_fixed_size_list(one) and types.is_fixed_size_list(other) and one.list_size == other.list_size:
        return pa.list_(value, one.list_size)
    is_large = any(types.is_large_list(kind) or types.is_large_list_view(kind) for kind in (one, other))
    return pa.large_list(value) if is_large else pa.list_(value)


def _wider_map(one: pa.MapType, other: pa.MapType) -> pa.DataType | None:
    key, item = _wider_field(one.key_field, other.key_field), _wider_field(one.item_field, other.item_field)
    return None if key is None or item is None else pa.map_(key, item)


def _is_text(kind: pa.DataType) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_binary(kind: pa.DataType) -> bool:
    checks = (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
    return any(check(kind) for check in checks)


def _is_number(kind: pa.DataType) -> bool:
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _is_list(kind: pa.DataType) -> bool:
    checks = (types.is_list, types.is_large_list, types.is_fixed_size_list, types.is_list_view)
    return any(check(kind) for check in (*checks, types.is_large_list_view))


# Types whose values one type of the family holds: who is in it, and how it is found.
FAMILIES: tuple[tuple[Callable[[pa.DataType], bool], Wider], ...] = (
    (_is_text, _wider_text),
    (_is_binary, _wider_binary),
    (_is_number, _wider_number),
    (types.is_date, lambda *_: pa.date32()),
    (types.is_time, _wider_time),
    (types.is_struct, _wider_struct),
    (_is_list, _wider_list),
    (types.is_map, _wider_map),
)
