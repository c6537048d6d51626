"""Reference systems: their names, and geometries from one into another, with how exact that is."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from application.geometry import WGS84
from application.geometry.columns import crs_name
from application.geometry.reading import Geometries, in_pieces

Numbers = npt.NDArray[np.float64]
Function = Callable[[Numbers, Numbers], tuple[Numbers, Numbers]]

NATIONAL_GRID = "EPSG:27700"
# Where OSTN15 has shifts, in metres east and north.
GRID_EXTENT = (700_000.0, 1_250_000.0)
OSTN15 = "OSTN15"
URI = re.compile(r"https?://www\.opengis\.net/def/crs/(\w+)/[\w.]+/(\w+)|urn:ogc:def:crs:(\w+):[\w.]*:(\w+)")
NAME = re.compile(r"[A-Za-z]+:[A-Za-z0-9_.]+", re.ASCII)
_WARNINGS = threading.Lock()


class OutsideSystem(Exception):
    """A position that the other reference system has no place for."""


@dataclass(frozen=True, slots=True)
class Change:
    """From one reference system into another: by which operation, how exactly (metres, None: unknown)."""

    operation: str
    accuracy: float | None
    function: Function | None

    def points(self, x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
        """Positions in the other system; what has no place there is no finite number."""
        return self.function(x, y) if self.function else (x, y)

    def apply(self, geometries: Geometries) -> Geometries:
        """The geometries in the other system, heights as they are; raises OutsideSystem."""
        return in_pieces(geometries, self._applied) if self.function else geometries

    def _applied(self, geometries: Geometries) -> Geometries:
        def move(positions: Numbers) -> Numbers:
            x, y = self.points(positions[:, 0], positions[:, 1])
            if not (np.isfinite(x).all() and np.isfinite(y).all()):
                raise OutsideSystem
            return np.column_stack([x, y, *positions.T[2:]])

        moved = np.array(geometries, dtype=object)
        is_high = shapely.has_z(geometries)
        for chosen, include_z in ((is_high, True), (~is_high, False)):
            if chosen.any():
                moved[chosen] = shapely.transform(moved[chosen], move, include_z=include_z)
        return moved


def read_system(text: str) -> str:
    """The canonical name of a reference system of the plane; raises ValueError with what would be right."""
    uri = URI.fullmatch(text)
    name = ":".join(part for part in uri.groups() if part) if uri else text
    if not NAME.fullmatch(name):
        raise ValueError(f"{text[:60]!r} is no reference system: use a code such as EPSG:27700")
    name = crs_name(name)
    try:
        found = _system(name)
    except ValueError:
        raise ValueError(f"{text[:60]!r} is no known reference system: use one such as EPSG:27700") from None
    if not (found.is_geographic or found.is_projected) or len(found.axis_info) != 2:
        raise ValueError(
            f"{text[:60]!r} is no reference system of two dimensions: use one such as EPSG:27700"
        )
    return name


def is_geographic(name: str) -> bool:
    """True where positions are degrees."""
    return name == WGS84 or bool(_system(name).is_geographic)


def projjson(name: str) -> str:
    """The system as PROJJSON; raises ValueError where it is not known."""
    text: str = _system(name).to_json()
    return text


def well_known_text(name: str) -> str:
    """The system as GDAL takes it."""
    return name if NAME.fullmatch(name) else str(_system(name).to_wkt())


@cache
def change(source: str, target: str) -> Change:
    """How to get from one system into another; raises ValueError where there is no way."""
    if source == target:
        return Change("", 0.0, None)
    if NATIONAL_GRID not in (source, target):
        return _by_proj(source, target)
    first, last = source == NATIONAL_GRID, target == NATIONAL_GRID
    other = target if first else source
    if other == WGS84:
        return Change(OSTN15, 0.1, _from_grid if first else _to_grid)
    beside = _by_proj(WGS84, other) if first else _by_proj(other, WGS84)
    steps = (_from_grid, beside.points) if first else (beside.points, _to_grid)

    def both(x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
        return steps[1](*steps[0](x, y))

    accuracy = None if beside.accuracy is None else beside.accuracy + 0.1
    names = (OSTN15, beside.operation) if last is False else (beside.operation, OSTN15)
    return Change(" + ".join(names), accuracy, both)


@cache
def change_anywhere(source: str, target: str) -> Change:
    """As ``change``, but for places beyond OSTN15 as well, where metres are as exact as it gets."""
    exact = change(source, target)
    if NATIONAL_GRID not in (source, target) or source == target:
        return exact
    beyond = _by_proj(source, target)

    def move(x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
        found_x, found_y = (np.array(numbers) for numbers in exact.points(x, y))
        left = ~(np.isfinite(found_x) & np.isfinite(found_y))
        found_x[left], found_y[left] = beyond.points(x[left], y[left])
        return found_x, found_y

    return Change(exact.operation, exact.accuracy, move)


@cache
def _system(name: str) -> Any:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        return CRS.from_user_input(name)
    except CRSError as error:
        raise ValueError(f"{name[:60]!r} is not known") from error


def _by_proj(source: str, target: str) -> Change:
    from pyproj.transformer import TransformerGroup

    with _WARNINGS, warnings.catch_warnings():
        # It warns where a grid would do better, which is told as the accuracy.
        warnings.simplefilter("ignore")
        group = TransformerGroup(_system(source), _system(target), always_xy=True)
    if not group.transformers:
        raise ValueError(f"there is no way from {source[:60]!r} into {target[:60]!r}")
    chosen = group.transformers[0]
    accuracy = None if chosen.accuracy < 0 else float(chosen.accuracy)

    def move(x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
        return chosen.transform(x, y)

    return Change(str(chosen.description), accuracy, move)


def _to_grid(x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
    from convertbng.cutil import convert_bng

    east, north = convert_bng(x, y)
    outside = ~((east >= 0) & (east <= GRID_EXTENT[0]) & (north >= 0) & (north <= GRID_EXTENT[1]))
    return np.where(outside, np.nan, east), np.where(outside, np.nan, north)


def _from_grid(x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
    from convertbng.cutil import convert_lonlat

    found: tuple[Numbers, Numbers] = convert_lonlat(x, y)
    return found
