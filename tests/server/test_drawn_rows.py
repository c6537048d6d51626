"""The first rows with a picture of where they are: what a picture fails of costs the picture alone."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from application.datasets import background
from application.geometry import sketch
from tests.support import html
from tests.support.html import Element
from tests.support.serving import eventually, serving_folder

TEXTS = ["POINT (1 2)", "POINT (3 1)"]


def page(folder: Path, geometry: pa.Array, query: str = "") -> Element:
    pq.write_table(pa.table({"word": ["first", "second"], "geometry": geometry}), folder / "a.parquet")
    with serving_folder(folder) as served:
        answer = served.get(f"/a{query}", headers={"accept": "text/html"})
        assert answer.status_code == 200
        return html.read(answer.text)


def has_rows(found: Element) -> bool:
    section = found.one("section", aria_labelledby="preview")
    cells = [cell.words for cell in section.all("td")]
    return all(word in cells for word in ("first", "second"))


@pytest.mark.parametrize("kind", [pa.string_view(), pa.binary_view()], ids=str)
def test_views_of_text_and_bytes_are_drawn(kind: pa.DataType, tmp_path: Path) -> None:
    values = TEXTS if kind == pa.string_view() else [shapely.from_wkt(text).wkb for text in TEXTS]
    found = page(tmp_path, pa.array(values, kind))
    assert has_rows(found)
    assert "The 2 rows of the preview" in found.one("figcaption").words


@pytest.mark.parametrize(
    ("place", "name"), [(sketch.Sketcher, "add"), (sketch.Sketcher, "finish"), (sketch, "sketch_of")]
)
def test_rows_that_cannot_be_drawn_are_shown(
    place: object, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise NotImplementedError("no kernel")

    monkeypatch.setattr(place, name, fail)
    assert has_rows(page(tmp_path, pa.array(TEXTS), "?bbox=0,0,9,9"))


def test_the_map_tells_of_values_that_are_no_geometry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other tests run beside this one.
    monkeypatch.setattr(background, "LEAST_PRIORITY", 0)
    texts = [*TEXTS, None, "", "nowhere", "POINT (1"]
    pq.write_table(pa.table({"geometry": texts}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"geometry": texts[:4]}), tmp_path / "b.parquet")
    with serving_folder(tmp_path) as served:

        def words(path: str) -> str:
            return html.read(served.get(path, headers={"accept": "text/html"}).text).words

        assert eventually(lambda: "Points, " in words("/a") and "Points, " in words("/b"))
        assert "2 rows have a value there that cannot be read as a geometry." in words("/a")
        assert "cannot be read as a geometry" not in words("/b")
