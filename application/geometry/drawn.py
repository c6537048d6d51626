"""What is drawn of geometries: longitudes and latitudes in words of their own, without a library."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

Kind = Literal["point", "line", "area"]
Bounds = tuple[float, float, float, float]
Path = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A part of a row's geometry: paths of longitudes and latitudes; an area's are its rings."""

    row: int
    kind: Kind
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Sketch:
    """What can be drawn, its bounds, None where that is nothing, and how many rows could not be.

    Where that is less wide across the antimeridian, longitudes go on beyond 180. ``blank`` rows have no
    geometry that can be read, ``left`` ones one that is too large, or nowhere on earth.
    """

    drawn: tuple[Drawn, ...] = ()
    bounds: Bounds | None = None
    blank: int = 0
    left: int = 0

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Self:
        """The sketch whose members JSON has."""
        drawn = tuple(
            Drawn(item["row"], item["kind"], tuple(tuple((x, y) for x, y in path) for path in item["paths"]))
            for item in said["drawn"]
        )
        bounds = said["bounds"] and tuple(said["bounds"])
        return cls(drawn, bounds, said["blank"], said["left"])
