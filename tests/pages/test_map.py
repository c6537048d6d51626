"""The picture of where rows are: what is in it, what it says, and that it is small whatever there is."""

import re

import pytest

from application.geometry.drawn import Drawn, Sketch
from application.pages.map import MOST_HEIGHT, WIDTH, Map, make_map


def point(row: int, x: float, y: float) -> Drawn:
    return Drawn(row, "point", (((x, y),),))


def sketch(*drawn: Drawn, blank: int = 0, left: int = 0) -> Sketch:
    every = [position for item in drawn for path in item.paths for position in path]
    xs, ys = zip(*every, strict=True) if every else ((), ())
    bounds = (min(xs), min(ys), max(xs), max(ys)) if every else None
    return Sketch(drawn, bounds, blank, left)


def starts(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"M(-?[\d.]+) (-?[\d.]+)", path)]


def made(*args, **kwargs) -> Map:
    found = make_map(*args, **kwargs)
    assert found is not None
    return found


def test_north_is_up_east_is_right_and_all_of_it_is_within() -> None:
    found = made(sketch(point(0, -0.2, 51.4), point(1, 0.1, 51.6)), [], None, 2)
    (west, low), (east, high) = starts(found.points)
    assert 0 < west < east < WIDTH
    assert 0 < high < low < found.height <= MOST_HEIGHT


def test_kilometres_are_as_long_across_as_along() -> None:
    corners = ((-0.16, 51.45), (0.0, 51.45), (0.0, 51.55))
    found = made(sketch(*(point(row, x, y) for row, (x, y) in enumerate(corners))), [], None, 3)
    (left, low), (right, _), (_, high) = starts(found.points)
    # By the sphere: 0.16 degrees of longitude at 51.5 north are as long as 0.0996 of latitude.
    assert (right - left) / (low - high) == pytest.approx(0.0996 / 0.1, rel=0.01)


def test_one_place_and_many_in_one_place_are_in_the_middle() -> None:
    for rows in (1, 20):
        found = made(sketch(*(point(row, -0.1278, 51.5) for row in range(rows))), [], None, rows)
        assert set(starts(found.points)) == {(WIDTH / 2, found.height / 2)}
        assert "at 51.5000°\u00a0N, 0.1278°\u00a0W" in found.caption[0]


def test_the_caption_says_what_is_not_there() -> None:
    found = made(sketch(point(0, 1, 2), blank=2, left=1), [], None, 4)
    told = " ".join(found.caption)
    assert "1 of the 4 rows" in told
    assert "2 rows have no geometry that can be read." in told
    assert "1 row cannot be drawn" in told


def test_without_a_row_that_can_be_drawn_the_extent_is_and_without_that_nothing() -> None:
    assert make_map(sketch(blank=3), [], None, 3) is None
    assert make_map(None, [], None, 0) is None
    found = made(sketch(blank=3), [], (-6.0, 49.9, 1.8, 55.8), 3)
    assert found.extent
    assert found.name == "Map of the extent of this dataset"


def test_rows_in_a_small_part_of_the_extent_are_shown_within_it_beside() -> None:
    near = sketch(point(0, -0.2, 51.4), point(1, 0.1, 51.6))
    found = made(near, [], (-6.0, 49.9, 1.8, 55.8), 2)
    assert found.inset is not None
    left, top, width, height = found.inset.mark
    assert 0 < left < left + width < found.inset.width
    assert 0 < top < top + height < found.inset.height
    assert not found.extent
    assert made(near, [], (-0.4, 51.3, 0.2, 51.7), 2).inset is None


def test_an_extent_that_is_what_is_shown_is_not_drawn() -> None:
    found = made(sketch(point(0, 0, 51), point(1, 1, 52)), [], (0.0, 51.0, 1.0, 52.0), 2)
    assert not found.extent
    assert found.inset is None


def test_the_area_that_was_asked_for_is_in_the_picture() -> None:
    area = sketch(Drawn(0, "area", (((0.0, 51.0), (2.0, 51.0), (2.0, 53.0), (0.0, 51.0)),)))
    found = made(sketch(point(0, 1.5, 51.5)), [area], None, 1)
    assert found.areas.endswith("z")
    assert "outline" in " ".join(found.caption)
    assert made(sketch(), [area], None, 0).name == "Map of the area that you chose"


def test_beyond_the_antimeridian_rows_area_and_words_go_on() -> None:
    rows = sketch(point(0, 179.5, -16), point(1, 180.5, -17))
    area = sketch(Drawn(0, "area", (((-180.0, -18.0), (-179.0, -18.0), (-179.0, -15.0), (-180.0, -18.0)),)))
    found = made(rows, [area], (-180.0, -18.0, 180.0, -15.0), 2)
    assert all(0 < x < WIDTH for x, _ in starts(found.areas + found.points))
    assert "from 179.50°\u00a0E to 179.50°\u00a0W" in found.caption[0]
    assert not found.extent
