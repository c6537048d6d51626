"""How deep collections lie in collections, told before anything reads them."""

import re
import struct

# GEOS goes down into collections by recursion, which ends the process where there are enough.
MOST_DEPTH = 32
COLLECTION = "GEOMETRYCOLLECTION"
PARENTHESES = re.compile(r"[()]")


def is_deep(text: str) -> bool:
    """True for collections within collections beyond what can be read."""
    if text.upper().count(COLLECTION) <= MOST_DEPTH:
        return False
    depth = 0
    for found in PARENTHESES.finditer(text):
        depth += 1 if found.group() == "(" else -1
        if depth > MOST_DEPTH:
            return True
    return False


def is_deep_wkb(value: bytes) -> bool:
    """The same of WKB; what is malformed its reader refuses."""
    at, left = 0, [1]  # how many geometries are still to come at each level
    try:
        while left:
            left[-1] -= 1
            if left[-1] < 0:
                left.pop()
                continue
            order = "<" if value[at] else ">"
            (kind,) = struct.unpack_from(f"{order}I", value, at + 1)
            at += 9 if kind & 0x20000000 else 5
            basic = kind & 0xFF if kind & 0xE0000000 else kind % 1000
            at, members = _past(value, at, order, basic, 8 * _dimensions(kind))
            if members:
                left.append(members)
            if len(left) > MOST_DEPTH:
                return True
    except (struct.error, IndexError):
        return False
    return False


def _dimensions(kind: int) -> int:
    """How many numbers a position has: by flags, or by thousands as ISO has it."""
    flags = bool(kind & 0x80000000) + bool(kind & 0x40000000)
    return 2 + (flags or (0, 1, 1, 2)[kind // 1000 % 4])


def _past(value: bytes, at: int, order: str, basic: int, size: int) -> tuple[int, int]:
    """Where a geometry's own numbers end, and how many geometries it is made of."""
    if basic == 1:
        return at + size, 0
    (count,) = struct.unpack_from(f"{order}I", value, at)
    at += 4
    if basic == 2:
        return at + count * size, 0
    if basic == 3:
        for _ in range(count):
            (points,) = struct.unpack_from(f"{order}I", value, at)
            at += 4 + points * size
        return at, 0
    return at, count
