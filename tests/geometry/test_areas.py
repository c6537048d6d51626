"""Which rows are in an area: as shapely says of each alone, whatever is stored, however large the area."""

import math
import threading
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyproj import Geod

from application.geometry.areas import AreaTest, area_test
from application.geometry.places import Place
from application.geometry.reading import PIECE_BYTES
from application.models import Area, Geometry
from tests.support.geometry import BOW, TEXTS

WKT = Geometry("geometry", "wkt", "EPSG:4326")
GRID = Geometry("geometry", "wkt", "EPSG:27700")
ENDS = st.integers(-4, 5).map(float)
POSITIONS = st.tuples(ENDS, ENDS)
RINGS = st.lists(POSITIONS, min_size=3, max_size=7)


def ring(positions: list[tuple[float, float]]) -> str:
    return "(" + ", ".join(f"{x} {y}" for x, y in [*positions, positions[0]]) + ")"


def line(positions: list[tuple[float, float]]) -> str:
    return "(" + ", ".join(f"{x} {y}" for x, y in positions) + ")"


POLYGON_TEXTS = RINGS.map(lambda positions: f"POLYGON ({ring(positions)})")
STORED = (
    POSITIONS.map(lambda place: f"POINT ({place[0]} {place[1]})")
    | RINGS.map(lambda positions: f"LINESTRING {line(positions)}")
    | POLYGON_TEXTS
    | st.tuples(RINGS, RINGS).map(lambda pair: f"MULTIPOLYGON (({ring(pair[0])}), ({ring(pair[1])}))")
    | st.sampled_from([text for text, _ in TEXTS])
    | st.none()
    | st.text(max_size=5)
)


def kept(test: AreaTest, texts: list[str | None]) -> list[bool]:
    found: list[bool] = test.keeps(pa.array(texts, pa.string())).to_pylist()
    return found


# One of its polygons has no area, by which GEOS's first way to make it valid fails.
FLAT_PART = "MULTIPOLYGON (((0 1, 0 1, 0 1, 0 1)), ((0 0, 0 -1, 1 0, 0 0)))"


def alone(text: str | None) -> Any:
    """The valid geometry of a text, read by itself, or None."""
    if text is None or text.count("(") > 1000:
        return None
    try:
        with np.errstate(all="ignore"):
            found = shapely.from_wkt(text, on_invalid="ignore")
    except NotImplementedError:
        return None
    if found is None or not np.isfinite(shapely.get_coordinates(found)).all():
        return None
    return found if shapely.is_valid(found) else made_valid(found)


def made_valid(found: Any) -> Any:
    """The valid form, of what has a part without area by its parts."""
    try:
        return shapely.make_valid(found)
    except shapely.errors.GEOSException:
        return shapely.GeometryCollection([shapely.make_valid(part) for part in found.geoms])


@settings(max_examples=150)
@given(
    texts=st.lists(STORED, max_size=12),
    area=POLYGON_TEXTS,
    relation=st.sampled_from(["intersects", "within"]),
)
@example(
    texts=[FLAT_PART, "POINT (0 1)"], area="POLYGON ((-1 -1, 2 -1, 2 2, -1 2, -1 -1))", relation="within"
)
@example(texts=["POINT (0 1)", "POINT (0.3 -0.3)", "POINT (5 5)"], area=FLAT_PART, relation="intersects")
def test_rows_are_in_an_area_as_each_alone_is(texts: list[str | None], area: str, relation: Any) -> None:
    whole = alone(area)
    if whole is None or shapely.is_empty(whole):
        return
    ask = shapely.intersects if relation == "intersects" else lambda place, item: shapely.within(item, place)
    expected = [item is not None and bool(ask(whole, item)) for item in map(alone, texts)]
    assert kept(area_test(Area(relation, area), WKT), texts) == expected


@settings(max_examples=100)
@given(texts=st.lists(STORED, max_size=12), ends=st.tuples(ENDS, ENDS, ENDS, ENDS))
def test_rows_meet_a_box_as_each_alone_does(
    texts: list[str | None], ends: tuple[float, float, float, float]
) -> None:
    west, east = sorted((ends[0], ends[2]))
    south, north = sorted((ends[1], ends[3]))
    corners = [(west, south), (east, south), (east, north), (west, north)]
    box = shapely.convex_hull(shapely.multipoints(corners))
    expected = [item is not None and bool(shapely.intersects(box, item)) for item in map(alone, texts)]
    assert kept(area_test(Area("bbox", f"{west},{south},{east},{north}"), WKT), texts) == expected


def star(points: int, seed: int = 1) -> Any:
    """A polygon of so many vertices, with spikes."""
    dice = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, points, endpoint=False)
    radii = 1 + 0.3 * np.sin(angles * 40) * dice.uniform(0.6, 1, points)
    return shapely.Polygon(np.column_stack([radii * np.cos(angles), radii * np.sin(angles)]))


@pytest.mark.parametrize("relation", ["meets", "contains"])
def test_a_large_area_in_tiles_tells_what_the_whole_tells(relation: str) -> None:
    whole, dice = star(20_000), np.random.default_rng(2)
    points = shapely.points(dice.uniform(-1.4, 1.4, (3000, 2)))
    shapes = shapely.buffer(points[:400], dice.uniform(0.001, 0.2, 400), quad_segs=2)
    vertices = shapely.points(shapely.get_coordinates(whole)[::50])
    corners = shapely.get_coordinates(whole)
    # On edges, as near as numbers come to them.
    middles = shapely.points((corners[:-1:50] + corners[1::50]) / 2)
    # On the lines at which the first cut is.
    west, south, east, north = whole.bounds
    cuts = shapely.points(np.column_stack([np.full(200, (west + east) / 2), np.linspace(south, north, 200)]))
    found = np.concatenate([points, shapes, vertices, middles, cuts])
    place = Place(whole)
    plain = star(20_000)
    expected = shapely.intersects(plain, found) if relation == "meets" else shapely.contains(plain, found)
    assert getattr(place, relation)(found).tolist() == expected.tolist()


@pytest.mark.parametrize("points", [3000, 6000])
def test_a_large_area_that_cannot_be_cut_tells_what_it_tells(points: int) -> None:
    # Spikes so thin that a cut leaves less than a ring of them.
    turns = [2 * math.pi * corner / points for corner in range(points)]
    reaches = [0.15 * (1 - 0.5 * (corner % 2)) for corner in range(points)]
    corners = [
        (round(-1.864 + reach * math.cos(turn), 15), round(51.7 + reach * math.sin(turn), 15))
        for reach, turn in zip(reaches, turns, strict=True)
    ]
    found = shapely.points(np.random.default_rng(4).uniform(-0.16, 0.16, (500, 2)) + np.array([-1.864, 51.7]))
    expected = shapely.contains(shapely.Polygon(corners), found)
    assert Place(shapely.Polygon(corners)).contains(found).tolist() == expected.tolist()
    assert 0 < expected.sum() < 500


def test_a_large_area_is_for_many_threads() -> None:
    place, dice = Place(star(5000)), np.random.default_rng(3)
    points = shapely.points(dice.uniform(-1.4, 1.4, (2000, 2)))
    found: list[list[bool]] = []
    threads = [threading.Thread(target=lambda: found.append(place.meets(points).tolist())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [shapely.intersects(star(5000), points).tolist()] * 8


def test_what_crosses_itself_is_where_its_valid_form_is() -> None:
    # Of the bow the left and the right quarter are outside.
    assert kept(area_test(Area("intersects", "2.0,0.5"), WKT), [BOW]) == [False]
    assert kept(area_test(Area("intersects", "0.5,2.0"), WKT), [BOW]) == [True]
    assert kept(area_test(Area("intersects", BOW), WKT), ["POINT (2 0.5)", "POINT (0.5 2)"]) == [False, True]


@settings(max_examples=100)
@given(
    place=st.tuples(st.floats(-179, 179), st.floats(-80, 80)),
    away=st.tuples(st.floats(0, 360), st.floats(0, 900_000)),
    metres=st.integers(1, 1_000_000),
)
def test_points_are_near_by_geodesics(
    place: tuple[float, float], away: tuple[float, float], metres: int
) -> None:
    geod = Geod(ellps="WGS84")
    x, y, _ = geod.fwd(*place, *away)
    if abs(away[1] - metres) < 0.001:
        return
    test = area_test(Area("near", f"{place[0]!r},{place[1]!r},{metres}"), WKT)
    assert kept(test, [f"POINT ({x!r} {y!r})"]) == [away[1] < metres]


def test_the_nearest_part_of_a_geometry_counts() -> None:
    geod = Geod(ellps="WGS84")
    # An edge 3 km long, whose middle is nearest: its ends are 1.8 km away, and it passes at 1 km.
    west, east = (geod.fwd(-0.1, 51.5, bearing, 1802.7756)[:2] for bearing in (303.69, 56.31))
    edge = f"LINESTRING ({west[0]} {west[1]}, {east[0]} {east[1]})"
    polygon = f"POLYGON (({west[0]} {west[1]}, {east[0]} {east[1]}, 0 53, {west[0]} {west[1]}))"
    rows: list[str | None] = [
        edge,
        polygon,
        "POLYGON ((-1 51, 0.5 51, 0.5 52, -1 52, -1 51))",
        None,
        "POLYGON EMPTY",
    ]
    assert kept(area_test(Area("near", "-0.1,51.5,1010"), WKT), rows) == [True, True, True, False, False]
    assert kept(area_test(Area("near", "-0.1,51.5,990"), WKT), rows) == [False, False, True, False, False]


def test_an_area_in_degrees_is_found_on_the_national_grid() -> None:
    # Caister water tower.
    rows: list[str | None] = ["POINT (651409.804 313177.450)", "POINT (530000 180000)"]
    assert kept(area_test(Area("bbox", "1.7,52.6,1.8,52.7"), GRID), rows) == [True, False]
    assert kept(area_test(Area("near", "1.716073973,52.658007833,1"), GRID), rows) == [True, False]
    degrees: list[str | None] = ["POINT (1.716073973 52.658007833)"]
    for east, is_in in ((651409.8045, True), (651409.803, False)):
        box = Area("bbox", f"651400.0,313177.0,{east},313178.0", "EPSG:27700")
        assert kept(area_test(box, WKT), degrees) == [is_in]


def test_a_box_over_the_antimeridian_has_both_sides() -> None:
    rows: list[str | None] = ["POINT (179 0)", "POINT (-179 0)", "POINT (0 0)"]
    assert kept(area_test(Area("bbox", "170,-1,-170,1"), WKT), rows) == [True, True, False]


@pytest.mark.parametrize(
    ("area", "words"),
    [
        (Area("bbox", "0,2,1,1"), "minx,miny,maxx,maxy"),
        (Area("bbox", "5,0,1,1", "EPSG:27700"), "minx,miny,maxx,maxy"),
        (Area("bbox", "51,0,52,100"), "longitude first"),
        (Area("intersects", "POLYGON ((0 0, 1 1))"), "POLYGON (("),
        (Area("intersects", "POLYGON EMPTY"), "DATASET:REFERENCE"),
        (Area("within", "51.5,181.0"), "longitude first"),
        (Area("near", "0,0,2000000"), "1,000,000"),
    ],
)
def test_what_is_no_area_is_told(area: Area, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        area_test(area, WKT)


def test_no_reading_of_a_piece_is_of_more_than_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    parse = shapely.from_wkt

    def from_wkt(texts: Any, **options: Any) -> Any:
        sizes.append(sum(len(text) for text in texts if text))
        return parse(texts, **options)

    monkeypatch.setattr(shapely, "from_wkt", from_wkt)
    vertices = ", ".join(f"{math.cos(k):.15f} {math.sin(k):.15f}" for k in range(3000))
    texts: list[str | None] = [f"LINESTRING ({vertices})"] * 40
    assert len(texts) * len(texts[0] or "") > 2 * PIECE_BYTES
    assert kept(area_test(Area("bbox", "-1,-1,1,1"), WKT), texts) == [True] * 40
    assert max(sizes) <= PIECE_BYTES
