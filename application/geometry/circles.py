"""What is within some metres of a position, by geodesics on WGS 84."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

Bounds = tuple[float, float, float, float]

EVERYWHERE: Bounds = (-180.0, -90.0, 180.0, 90.0)
# A degree of latitude is at least so long.
DEGREE_METRES = 110_500.0
# Of the edge, the first being the last.
CORNERS = 73


@dataclass(frozen=True, slots=True)
class Circle:
    """A position in degrees, and metres from it."""

    longitude: float
    latitude: float
    metres: float

    @property
    def bounds(self) -> Bounds:
        """Degrees that hold every place within it, and some more."""
        height = self.metres / DEGREE_METRES + 1e-6
        south, north = self.latitude - height, self.latitude + height
        if max(abs(south), abs(north)) >= 89.9:
            return EVERYWHERE[0], max(south, -90.0), EVERYWHERE[2], min(north, 90.0)
        width = height / np.cos(np.radians(max(abs(south), abs(north))))
        west, east = self.longitude - width, self.longitude + width
        if west < EVERYWHERE[0] or east > EVERYWHERE[2]:
            # Beyond the antimeridian it begins anew.
            west, east = EVERYWHERE[0], EVERYWHERE[2]
        return float(west), south, float(east), north

    def edge(self) -> Any:
        """A polygon that is about its edge, with a pole that is within it."""
        from pyproj import Geod

        earth = Geod(ellps="WGS84")
        x, y, _ = earth.fwd(
            [self.longitude] * CORNERS,
            [self.latitude] * CORNERS,
            np.linspace(0.0, 360.0, CORNERS),
            [self.metres] * CORNERS,
        )
        pole = 90.0 if self.latitude > 0 else -90.0
        if earth.inv(self.longitude, self.latitude, self.longitude, pole)[2] < self.metres:
            edge = sorted(zip(x, y, strict=True))
            return shapely.Polygon(
                [(-180.0, pole), (-180.0, edge[0][1]), *edge, (180.0, edge[-1][1]), (180.0, pole)]
            )
        # Round the middle, for each begins anew at the antimeridian.
        x = self.longitude + (np.array(x) - self.longitude + 180.0) % 360.0 - 180.0
        if x.min() < EVERYWHERE[0]:
            x += 360.0
        return shapely.Polygon(np.column_stack([x, y]))

    def plane(self) -> Callable[[Any], Any]:
        """What moves positions into a plane in which every distance from its middle is right."""
        from pyproj import Transformer

        plane = (
            f"+proj=aeqd +lat_0={self.latitude!r} +lon_0={self.longitude!r} +datum=WGS84 +units=m +no_defs"
        )
        to_plane = Transformer.from_crs("OGC:CRS84", plane, always_xy=True)

        def move(positions: Any) -> Any:
            return np.column_stack(to_plane.transform(positions[:, 0], positions[:, 1]))

        return move
