"""Sketches for pictures: right where the places are, bounded whatever they are, and no lock held for long."""

import math
import threading
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
import shapely

from application.geometry import WGS84
from application.geometry.areas import area_test
from application.geometry.lines import MOST_POSITIONS
from application.geometry.sketch import Sketcher, bounds_in_degrees, sketch_of
from application.models import Area, Geometry
from tests.support.geometry import TEXTS

LARGE = 8 << 20


def sketched(values: pa.Array, encoding: str = "wkt", crs: str = WGS84):
    sketcher = Sketcher(Geometry("geometry", encoding, crs))
    sketcher.add(values)
    return sketcher.finish()


def positions(sketch) -> int:
    return sum(len(path) for item in sketch.drawn for path in item.paths)


def ring(count: int, width: float = 0.01) -> shapely.Polygon:
    """A coast round (0, 51): one degree away, and somewhat to and fro."""
    angles = np.linspace(0, 2 * math.pi, count)
    radius = 1 + width * np.random.default_rng(5).random(count)
    around = np.column_stack([np.cos(angles) * radius, 51 + np.sin(angles) * radius])
    around[-1] = around[0]
    return shapely.Polygon(around)


def test_what_can_be_read_is_drawn_and_the_rest_is_counted() -> None:
    texts = [text for text, _ in TEXTS]
    drawable = [
        place
        for place, (_, shape) in enumerate(TEXTS)
        if shape and (shape.get("coordinates") or shape.get("geometries"))
    ]
    sketch = sketched(pa.array(texts))
    assert sorted({item.row for item in sketch.drawn}) == drawable
    # The one too long to be looked at is said to be so.
    assert (sketch.blank, sketch.left) == (len(TEXTS) - len(drawable) - 1, 1)
    assert sketch.bounds == (-0.1278, 0, 4, 51.5)


def test_kinds_are_told_apart_and_holes_stay_with_their_area() -> None:
    sketch = sketched(
        pa.array(
            [
                "POINT (1 2)",
                "LINESTRING (0 0, 1 1)",
                "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 2 1, 2 2, 1 2, 1 1))",
            ]
        )
    )
    assert [(item.kind, len(item.paths)) for item in sketch.drawn] == [("point", 1), ("line", 1), ("area", 2)]


TEXT_TYPES = [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
BINARY_TYPES = [pa.large_binary(), pa.binary_view(), pa.dictionary(pa.int8(), pa.binary())]


@pytest.mark.parametrize("kind", [*TEXT_TYPES, *BINARY_TYPES], ids=str)
def test_however_text_and_bytes_are_stored_the_same_is_drawn(kind: pa.DataType) -> None:
    texts = ["POINT (1 2)", None, "x", shapely.to_wkt(ring(20_000)), "POINT (1 2)"]
    values, encoding = pa.array(texts), "wkt"
    if kind in BINARY_TYPES:
        values, encoding = pa.array([ring(9).wkb, None, b"x", shapely.Point(1, 2).wkb]), "wkb"
    other = values.dictionary_encode() if isinstance(kind, pa.DictionaryType) else values
    sketch = sketched(other.cast(kind), encoding)
    assert sketch.drawn
    assert sketch == sketched(values, encoding)


@pytest.mark.parametrize("encoding", ["wkt", "wkb"])
def test_twenty_values_of_8_mb_are_drawn_where_they_are_in_few_positions(encoding: str) -> None:
    place = ring(520_000 if encoding == "wkb" else 371_000)
    value = place.wkb if encoding == "wkb" else shapely.to_wkt(place, rounding_precision=7)
    assert len(value) > 8_000_000
    sketch = sketched(pa.array([value] * 20), encoding)
    assert {item.row for item in sketch.drawn} == set(range(20))
    assert positions(sketch) <= MOST_POSITIONS
    assert sketch.bounds == pytest.approx(place.bounds, abs=0.02)
    drawn = shapely.Polygon(sketch.drawn[0].paths[0])
    assert shapely.hausdorff_distance(drawn, shapely.Polygon(ring(1000))) < 0.05


def longest_pause(work: Callable[[], object]) -> float:
    """For how long at once another thread could not go on, in seconds."""
    pauses, done = [0.0], threading.Event()

    def look() -> None:
        last = time.perf_counter()
        while not done.is_set():
            time.sleep(0.0005)
            now = time.perf_counter()
            pauses.append(now - last)
            last = now

    thread = threading.Thread(target=look)
    thread.start()
    work()
    done.set()
    thread.join()
    return max(pauses)


def test_no_value_holds_pythons_lock_for_long() -> None:
    text = shapely.to_wkt(ring(370_000), rounding_precision=7)
    column = pa.array([text])
    sketched(column)
    # To parse it at once takes a quarter of a second; what others do on this machine comes on top.
    assert min(longest_pause(lambda: sketched(column)) for _ in range(5)) < 0.02


def test_what_is_empty_in_a_collection_takes_nothing_from_the_rest() -> None:
    sketch = sketched(pa.array(["GEOMETRYCOLLECTION (POLYGON EMPTY, POINT (1 2), LINESTRING (0 0, 3 3))"]))
    assert [item.kind for item in sketch.drawn] == ["point", "line"]


def islands(count: int) -> shapely.MultiPolygon:
    """Small squares side by side, and after them a large one."""
    small = [shapely.box(n % 100, n // 100, n % 100 + 0.4, n // 100 + 0.4) for n in range(count)]
    return shapely.multipolygons([*small, shapely.box(-20, -20, -5, -5)])


def test_of_very_many_parts_the_largest_are_drawn() -> None:
    sketch = sketched(pa.array([islands(3000).wkb]), "wkb")
    assert sketch.left == 0
    assert sketch.bounds is not None
    assert sketch.bounds[:2] == (-20, -20)
    assert positions(sketch) <= MOST_POSITIONS


def test_what_has_too_many_parts_to_look_at_is_counted_and_not_drawn() -> None:
    sketch = sketched(pa.array([islands(60_000).wkb, shapely.Point(1, 2).wkb]), "wkb")
    assert ([item.row for item in sketch.drawn], sketch.left) == ([1], 1)


def test_hundreds_of_parts_in_each_of_twenty_rows_stay_within_bounds_and_every_row_is_seen() -> None:
    rows = [
        shapely.multipolygons(
            [
                shapely.box(n + k / 50, m / 50, n + k / 50 + 0.01, m / 50 + 0.01)
                for k in range(30)
                for m in range(30)
            ]
        )
        for n in range(20)
    ]
    sketch = sketched(pa.array([row.wkb for row in rows]), "wkb")
    assert positions(sketch) <= MOST_POSITIONS
    assert {item.row for item in sketch.drawn} == set(range(20))


def test_places_on_both_sides_of_the_antimeridian_lie_beside_each_other() -> None:
    sketch = sketched(pa.array(["POINT (179.5 -16)", "POINT (-179.5 -17)"]))
    assert sketch.bounds == (179.5, -17, 180.5, -16)


def test_places_that_are_all_in_the_west_stay_there() -> None:
    dice = np.random.default_rng(7)
    for west, width in zip(-dice.random(50) * 100 - 1, dice.random(50), strict=True):
        sketch = sketched(pa.array([f"LINESTRING ({west} 0, {west + width} 1)"]))
        assert sketch.bounds == (west, 0, west + width, 1)


def test_the_national_grid_becomes_degrees_and_what_is_on_no_earth_is_left_out() -> None:
    # By the Ordnance Survey: OSGB TQ 30 80 is in London, at 51.504 N, 0.1284 W.
    sketch = sketched(
        pa.array(["POINT (530000 180000)", "POINT (1e300 5)", "POINT (1e12 5)"]), crs="EPSG:27700"
    )
    ((longitude, latitude),) = sketch.drawn[0].paths[0]
    assert (longitude, latitude) == pytest.approx((-0.12833, 51.50399), abs=1e-4)
    assert ([item.row for item in sketch.drawn], sketch.left) == ([0], 2)
    assert sketched(pa.array(["POINT (530000 180000)"])).left == 1


@pytest.mark.parametrize("crs", ["", "EPSG:999999", "nonsense"])
def test_nothing_is_drawn_where_nobody_knows_the_reference_system(crs: str) -> None:
    sketch = sketched(pa.array(["POINT (1 2)"]), crs=crs)
    assert (sketch.drawn, sketch.bounds, sketch.left) == ((), None, 1)
    assert bounds_in_degrees((0, 0, 1, 1), crs) is None


def test_many_points_are_thinned_without_being_taken_apart() -> None:
    many = shapely.multipoints(np.random.default_rng(1).random((200_000, 2)))
    sketch = sketch_of(many, WGS84)
    assert 100 < positions(sketch) <= MOST_POSITIONS


def test_an_extent_in_metres_is_told_in_degrees_with_its_bent_edges() -> None:
    west, south, east, north = bounds_in_degrees((0, 0, 700_000, 1_250_000), "EPSG:27700") or (0,) * 4
    assert (west, south, east, north) == pytest.approx((-9.39, 49.77, 3.55, 61.13), abs=0.1)
    assert bounds_in_degrees((-6, 49, 0, 2, 56, 100), WGS84) == (-6, 49, 2, 56)
    assert bounds_in_degrees((-600, 49, 2, 56), WGS84) is None


# A degree of the equator, and of a meridian at a pole, in metres.
EQUATOR, MERIDIAN = 111_320, 111_694


def circle(text: str, crs: str = WGS84):
    test = area_test(Area("near", text), Geometry("geometry", "wkt", crs))
    return sketch_of(test.outline, test.outline_crs)


@pytest.mark.parametrize("crs", [WGS84, "EPSG:3857"])
@pytest.mark.parametrize(("longitude", "middle"), [(179.95, 179.95), (-179.95, 180.05), (-0.2, -0.2)])
def test_what_is_near_is_drawn_round_its_middle(longitude: float, middle: float, crs: str) -> None:
    found = circle(f"{longitude},0,50000", crs)
    half = 50_000 / EQUATOR
    assert found.bounds is not None
    assert found.bounds == pytest.approx((middle - half, -half, middle + half, half), abs=0.01)


@pytest.mark.parametrize("latitude", [89.9, -89.9])
def test_what_is_near_a_pole_is_drawn_as_far_as_it(latitude: float) -> None:
    found = circle(f"20,{latitude},50000")
    edge = 89.9 - 50_000 / MERIDIAN
    south, north = (edge, 90) if latitude > 0 else (-90, -edge)
    assert found.bounds is not None
    assert found.bounds == pytest.approx((-180, south, 180, north), abs=0.01)
    assert found.left == 0
