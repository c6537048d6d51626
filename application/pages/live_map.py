"""A map to move about in, for who opens it: the first rows over a publisher's own style."""

from dataclasses import dataclass

from application.pages import figures
from application.pages.downloads import Estimate
from application.pages.preview import ROWS
from application.pages.result import Result, is_of_text
from application.query.parameters import PARAMETERS

FORMAT = "geojson"
# Of the preview's rows, and of more where they are small.
MOST_ROWS, MOST_BYTES = 1000, 2 << 20


@dataclass(frozen=True, slots=True)
class LiveMap:
    """The address of the style, the path of the rows that are shown, and what they are."""

    style: str
    features: str
    words: str


def live_map(result: Result, estimate: Estimate, style: str) -> LiveMap | None:
    """The map of a result; None without a style or a geometry."""
    geometry = result.dataset.geometry
    if geometry is None or not style:
        return None
    rows = _rows(result, estimate)
    left_out = {"field", "exclude_field", "limit"}
    pairs = [pair for pair in result.pairs if pair[0] not in left_out and not _is_of_form(pair[0])]
    pairs += [("field", geometry.column), ("limit", str(rows))]
    path = result.addresses.download(result.dataset.name, FORMAT, pairs)
    return LiveMap(style, path, f"At most the first {figures.count(rows, 'row')}.")


def _rows(result: Result, estimate: Estimate) -> int:
    """As many rows as are not too large to be looked at."""
    most, known = ROWS, (estimate.sizes or {}).get(FORMAT)
    if known and estimate.rows:
        most = min(max(MOST_BYTES * estimate.rows // max(1, known[0]), ROWS), MOST_ROWS)
    return most if result.query.limit is None else min(result.query.limit, most)


def _is_of_form(name: str) -> bool:
    """True for what says how a text is written, and its geometry: features are written one way."""
    return is_of_text(name) or (name in PARAMETERS and PARAMETERS[name].is_of_shape)
