"""What the engine loses of variants: digits beyond the microsecond of instants in nanoseconds.

Its JSON has microseconds for them. The bytes of variants are looked through for such digits, as Parquet's
variant encoding has them.
"""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

NANOSECONDS = 1000
INSTANT = 18  # TIMESTAMP in nanoseconds, of UTC
HEADER = bytes([INSTANT << 2])
PRIMITIVE, TEXT, OBJECT, ARRAY = range(4)

types = pa.types


def has_finer_instants(variants: pa.Array, name: str = "") -> bool:
    """True where a value of a variant column, as pyarrow reads it, is finer than the engine's."""
    kind = variants.type
    if types.is_struct(kind):
        children = zip(variants.flatten(), kind, strict=True)
        return any(has_finer_instants(child, field.name) for child, field in children)
    if types.is_nested(kind):
        return has_finer_instants(pc.list_flatten(variants), name)
    if types.is_timestamp(kind) and kind.unit == "ns" and kind.tz is not None:
        counts = variants.cast(pa.int64())
        cut = pc.multiply(pc.divide(counts, NANOSECONDS), NANOSECONDS)
        return bool(pc.any(pc.not_equal(counts, cut)).as_py())
    # What is not in columns of its own is in those named `value`.
    if name != "value" or not (types.is_binary(kind) or types.is_large_binary(kind)):
        return False
    return any(any(count % NANOSECONDS for count in _instants(value)) for value in _suspects(variants))


def _suspects(values: pa.Array) -> Iterator[bytes]:
    """The values that have the byte which would begin an instant; most have not."""
    return (value for value in values.to_pylist() if value and HEADER in value)


def _instants(value: bytes) -> Iterator[int]:
    """The instants in nanoseconds of one value; what is malformed the engine refuses itself."""
    left = [0]
    while left:
        at = left.pop()
        header = value[at]
        basic, rest = header & 3, header >> 2
        if basic == PRIMITIVE and rest == INSTANT:
            yield int.from_bytes(value[at + 1 : at + 9], "little", signed=True)
        if basic in (OBJECT, ARRAY):
            left += _members(value, at + 1, rest, is_object=basic == OBJECT)


def _members(value: bytes, at: int, header: int, *, is_object: bool) -> list[int]:
    """Where the members of an object or array begin, whose header of six bits was before ``at``."""
    offset_size = (header & 3) + 1
    id_size = ((header >> 2 & 3) + 1) if is_object else 0
    is_large = header >> (4 if is_object else 2) & 1
    count_size = 4 if is_large else 1
    count = int.from_bytes(value[at : at + count_size], "little")
    offsets = at + count_size + count * id_size
    members = offsets + (count + 1) * offset_size
    if members > len(value):
        return []
    starts = (offsets + place * offset_size for place in range(count))
    found = [members + int.from_bytes(value[start : start + offset_size], "little") for start in starts]
    return [place for place in found if place < len(value)]
