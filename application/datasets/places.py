"""A pass over the values of a geometry column: their kinds and their bounds, if each can be looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from application.datasets.profile import GeometryProfile

if TYPE_CHECKING:
    from application.models import Geometry

# Read at a time, which holds Python's lock for some milliseconds; a value of more is not looked at.
PIECE_BYTES = 256 << 10
# Of stored values that are looked at for one profile.
MOST_BYTES = 64 << 20
# What coordinates in Arrow's own types take of it, and how many are read at a time.
NESTED_BYTES, NESTED_ROWS = 64, 1024


class PlaceSurvey:
    """Takes in the values of a geometry column."""

    def __init__(self, geometry: Geometry) -> None:
        # What reads geometry takes a while to load.
        from application.geometry.writing import Extent

        self._encoding = geometry.encoding
        self._extent = Extent()
        self._unreadable = 0
        self._left = MOST_BYTES

    def add(self, array: pa.Array) -> None:
        """Take in some rows."""
        if self._left < 0:
            return
        from application.geometry.reading import byte_sizes, runs

        is_nested = self._encoding not in ("wkt", "wkb")
        sizes = np.full(len(array), NESTED_BYTES) if is_nested else byte_sizes(array)
        self._left -= int(sizes.sum())
        if self._left < 0 or (len(sizes) and sizes.max() > PIECE_BYTES):
            self._left = -1
            return
        most = NESTED_BYTES * NESTED_ROWS if is_nested else PIECE_BYTES
        for start, end in runs(sizes, most):
            self._add(array.slice(start, end - start))

    def _add(self, array: pa.Array) -> None:
        from application.geometry.reading import plain, read

        array = plain(array)
        geometries = read(array, self._encoding)
        self._extent.add(geometries)
        self._unreadable += sum(item is None for item in geometries) - array.null_count - _blanks(array)

    def profile(self) -> GeometryProfile | None:
        """What was found; None where there is a value that nobody looked at."""
        if self._left < 0:
            return None
        bounds = self._extent.bounds
        return GeometryProfile(
            types=tuple(sorted(self._extent.kinds)),
            bbox=(bounds[0], bounds[1], bounds[2], bounds[3]) if bounds else None,
            unreadable=self._unreadable,
        )


def _blanks(array: pa.Array) -> int:
    """How many plain texts have nothing in them."""
    if not pa.types.is_large_string(array.type):
        return 0
    return int(pc.sum(pc.equal(pc.utf8_trim_whitespace(array), "")).as_py() or 0)
