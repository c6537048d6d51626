"""Long WKT with fewer positions, by its signs: to parse all of it would hold Python's lock."""

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa

COMMA, OPEN, CLOSE = ord(","), ord("("), ord(")")
# A ring has at least four.
LEAST_POSITIONS = 4
# Where positions have parentheses of their own, as in a MULTIPOINT, and collections, there is more to mind.
KIND = re.compile(rb"\s*(MULTI)?(POLYGON|LINESTRING)\b", re.IGNORECASE)


def thinned(value: pa.Array, most: int) -> str | None:
    """The one text of an array with so few positions that it has at most so many bytes; None if it cannot.

    The first and the last positions of each ring and line are kept, so that what was closed is closed.
    """
    _, offsets, data = value.buffers()
    wide = pa.types.is_large_string(value.type)
    if data is None or not (wide or pa.types.is_string(value.type)):
        return None
    ends = np.frombuffer(offsets, np.int64 if wide else np.int32)[value.offset : value.offset + 2]
    signs = np.frombuffer(data, np.uint8)[ends[0] : ends[1]]
    if not KIND.match(signs[:64].tobytes()):
        return None
    places = np.flatnonzero((signs == COMMA) | (signs == OPEN) | (signs == CLOSE))
    if not len(places):
        return None
    kept = _kept(signs[places], -(-2 * len(signs) // most))
    lengths = np.diff(np.append(places, len(signs)))
    size = places[0] + int(lengths[kept].sum())
    if size > most:
        return None
    starts = places[kept]
    pieces = [signs[: places[0]], *(signs[a : a + n] for a, n in zip(starts, lengths[kept], strict=True))]
    return np.concatenate(pieces).tobytes().decode("ascii", "replace")


def _kept(kinds: npt.NDArray[np.uint8], step: int) -> npt.NDArray[np.bool_]:
    """Which pieces are kept, each of which begins with a comma or a parenthesis."""
    is_comma = kinds == COMMA
    kept = ~is_comma
    # A comma between rings follows a parenthesis that closes, or goes before one that opens.
    after = np.append(kinds[1:], CLOSE)
    before = np.append(CLOSE, kinds[:-1])
    kept |= (after == OPEN) | (before == CLOSE) | (after == CLOSE)
    # Counted from the parenthesis that opens its ring.
    numbers = np.arange(len(kinds))
    begin = np.maximum.accumulate(np.where(kinds == OPEN, numbers, 0))
    nth = numbers - begin
    kept |= (nth < LEAST_POSITIONS - 1) | (nth % step == 0)
    return kept
