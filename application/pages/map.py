"""Where the rows of a preview are, as a picture that needs no script: paths in a frame, and words for it."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from application.geometry.drawn import Bounds, Kind, Sketch
from application.pages import figures
from application.pages.geography import DEGREE_KM, extent_words, round_length

# Of the picture, in units of its own.
WIDTH, LEAST_HEIGHT, MOST_HEIGHT, MARGIN = 640, 240, 400, 24
# Places nearer to each other are shown so far apart, in degrees: some hundred metres.
LEAST_SPAN = 0.002
# Rows in so small a part of the dataset's extent are shown within it beside.
SMALL_PART = 1 / 3
INSET = 96
# Of its extent, to be worth a box of its own.
MORE = 0.05
# Towards the poles a degree of longitude has no width.
LEAST_WIDTH = 0.05
# Of the picture's width, at most.
BAR = 0.25

Place = Callable[[float, float], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Inset:
    """The dataset's extent, and within it the rows: left, top, width and height."""

    width: int
    height: int
    mark: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Map:
    """A picture of ``width`` by ``height``, each layer as what a path draws; ``bar`` is as long as it says.

    ``corners`` are the longitudes and latitudes of its edges: west, south, east, north; ``is_beyond``: what
    is east of 180 is the earth's other side, and no margin.
    """

    width: int
    height: int
    name: str
    caption: tuple[str, ...]
    areas: str
    shapes: str
    lines: str
    points: str
    extent: str
    bar: float
    inset: Inset | None
    corners: Bounds
    is_beyond: bool


def make_map(sketch: Sketch | None, areas: Iterable[Sketch], extent: Bounds | None, rows: int) -> Map | None:
    """The map of so many rows, of the areas that were asked for and of the dataset's extent.

    None where there is nothing to draw.
    """
    chosen = [area for area in areas if area.bounds]
    drawn = [item for item in (sketch, *chosen) if item and item.bounds]
    frames = [item.bounds for item in drawn if item.bounds]
    is_beyond = any(frame[2] > 180 for frame in frames)
    whole = _turned(extent, is_beyond=is_beyond) if extent else None
    if not frames and not whole:
        return None
    if whole and frames and not _tells_more(whole, _joined(frames)):
        whole = None
    shown = _joined([_turned(frame, is_beyond=is_beyond) for frame in frames]) if frames else whole
    assert shown is not None  # noqa: S101 - one of both is there
    is_inset = bool(whole and frames and _span(shown) < SMALL_PART * _span(whole))
    frame = shown if is_inset or not whole else _joined([shown, whole])
    height, place, per_degree, corners = _projection(frame)
    length, bar_words = round_length(BAR * WIDTH / per_degree * DEGREE_KM)
    own = sketch or Sketch()
    return Map(
        WIDTH,
        height,
        _name(own, chosen),
        tuple(_caption(own, chosen, shown, rows, bar_words, is_inset=is_inset, has_extent=bool(whole))),
        _paths(chosen, ("area", "line", "point"), place),
        _paths([own], ("area",), place),
        _paths([own], ("line",), place),
        _paths([own], ("point",), place),
        _box(whole, place) if whole and not is_inset else "",
        round(length / DEGREE_KM * per_degree, 1),
        _inset(whole, shown) if whole and is_inset else None,
        corners,
        frame[2] > 180,
    )


def _turned(bounds: Bounds, *, is_beyond: bool) -> Bounds:
    """The bounds with longitudes that go on beyond the antimeridian, where others' do."""
    west, south, east, north = bounds
    if west > east:
        east += 360
    elif is_beyond and west < 0 and east - west < 180:
        west, east = west + 360, east + 360
    return west, south, east, north


def _tells_more(whole: Bounds, shown: Bounds) -> bool:
    """False for an extent that is next to what is shown anyway, or that goes round the earth to get there."""
    if shown[2] > 180 and whole[2] - whole[0] > 180:
        return False
    room = MORE * _span(whole)
    return any(abs(mine - other) > room for mine, other in zip(whole, shown, strict=True))


def _joined(bounds: Sequence[Bounds]) -> Bounds:
    west, south, east, north = zip(*bounds, strict=True)
    return min(west), min(south), max(east), max(north)


def _span(bounds: Bounds) -> float:
    west, south, east, north = bounds
    return max((east - west) * _width_at((south + north) / 2), north - south, LEAST_SPAN)


def _width_at(latitude: float) -> float:
    return max(math.cos(math.radians(latitude)), LEAST_WIDTH)


def _projection(frame: Bounds) -> tuple[int, Place, float, Bounds]:
    """The picture's height, where a position is in it, how long a degree of latitude is, and its edges."""
    west, south, east, north = frame
    across = _width_at((south + north) / 2)
    wide, high = max((east - west) * across, LEAST_SPAN), max(north - south, LEAST_SPAN)
    room = WIDTH - 2 * MARGIN
    height = round(min(max(room * high / wide + 2 * MARGIN, LEAST_HEIGHT), MOST_HEIGHT))
    scale = min(room / wide, (height - 2 * MARGIN) / high)
    middle = (west + east) / 2, (south + north) / 2

    def place(x: float, y: float) -> tuple[float, float]:
        # Areas that reach beyond the antimeridian from its other side.
        x = x + 360 if x < west - 180 else x
        return WIDTH / 2 + (x - middle[0]) * across * scale, height / 2 - (y - middle[1]) * scale

    beside, above = WIDTH / 2 / across / scale, height / 2 / scale
    edges = (middle[0] - beside, middle[1] - above, middle[0] + beside, middle[1] + above)
    west_edge, south_edge, east_edge, north_edge = (round(edge, 7) for edge in edges)
    return height, place, scale, (west_edge, south_edge, east_edge, north_edge)


def _paths(sketches: Iterable[Sketch], kinds: tuple[Kind, ...], place: Place) -> str:
    """What draws the parts of these kinds; relative steps are short."""
    pieces = []
    for sketch in sketches:
        for item in sketch.drawn:
            if item.kind not in kinds:
                continue
            for path in item.paths:
                pieces.append(_path([place(x, y) for x, y in path], is_closed=item.kind == "area"))
    return "".join(pieces)


def _path(positions: Sequence[tuple[float, float]], *, is_closed: bool) -> str:
    rounded = [(round(x * 10), round(y * 10)) for x, y in positions]
    (x, y), *rest = rounded
    steps = [f"M{x / 10:g} {y / 10:g}"]
    if not rest:
        # A line without length has ends, which are round.
        return f"{steps[0]}h0"
    steps.append("l")
    for right, down in rest:
        steps.append(f"{(right - x) / 10:g} {(down - y) / 10:g} ")
        x, y = right, down
    return "".join(steps).rstrip() + ("z" if is_closed else "")


def _box(bounds: Bounds, place: Place) -> str:
    west, south, east, north = bounds
    return _path(
        [place(west, south), place(west, north), place(east, north), place(east, south)], is_closed=True
    )


def _inset(whole: Bounds, shown: Bounds) -> Inset:
    west, south, east, north = whole
    wide = max((east - west) * _width_at((south + north) / 2), LEAST_SPAN)
    high = max(north - south, LEAST_SPAN)
    scale = INSET / max(wide, high)
    across = wide / max(east - west, LEAST_SPAN)
    left, top = (shown[0] - west) * across * scale, (north - shown[3]) * scale
    size = (shown[2] - shown[0]) * across * scale, (shown[3] - shown[1]) * scale
    # What is small can be seen.
    width, height = (max(number, 4.0) for number in size)
    mark = (left - (width - size[0]) / 2, top - (height - size[1]) / 2, width, height)
    return Inset(round(wide * scale), round(high * scale), tuple(round(number, 1) for number in mark))  # type: ignore[arg-type]


def _name(sketch: Sketch, areas: Sequence[Sketch]) -> str:
    if not sketch.drawn:
        return "Map of the area that you chose" if areas else "Map of the extent of this dataset"
    return "Map of the rows of the preview" + (" and of the area that you chose" if areas else "")


def _caption(
    sketch: Sketch,
    areas: Sequence[Sketch],
    shown: Bounds,
    rows: int,
    bar: str,
    *,
    is_inset: bool,
    has_extent: bool,
) -> Iterable[str]:
    """What is to be seen, in sentences."""
    drawn = len({item.row for item in sketch.drawn})
    where = extent_words(sketch.bounds or shown)
    if drawn:
        all_rows = "The one row" if rows == 1 else f"The {rows:,} rows"
        what = all_rows if drawn == rows else f"{drawn:,} of the {rows:,} rows"
        yield f"{what} of the preview, {where}."
    elif areas:
        yield f"The area that you chose, {where}."
    else:
        yield f"The extent of this dataset, {where}."
    if sketch.blank:
        is_are = "has" if sketch.blank == 1 else "have"
        yield f"{figures.count(sketch.blank, 'row')} {is_are} no geometry that can be read."
    if sketch.left:
        yield f"{figures.count(sketch.left, 'row')} cannot be drawn: too large, or nowhere on earth."
    if drawn and areas:
        yield "The thick outline is the area that you chose."
    if is_inset:
        yield "The small box is the extent of the whole dataset, with where these are in it."
    elif has_extent and (drawn or areas):
        yield "The dashed box is the extent of the whole dataset."
    yield f"The bar is {bar} long."
