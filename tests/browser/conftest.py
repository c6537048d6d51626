"""One Chromium for all tests of pages, and servers whose datasets are odd in every way that a page shows."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from playwright.sync_api import Browser

from tests.support import tables
from tests.support.browser import browser
from tests.support.serving import Served, serving_folder

HOSTILE = '<script>alert(1)</script>"&'
KEY = "a-key-of-the-tests"
WORDS = {
    "sample": {
        "title": "Places of the tests",
        "description": "Six places, each of an organisation.\nOne has no name.",
        "licence": "OGL 3.0",
        "attribution": "© the tests, 2026",
        "columns": [{"name": "name", "description": "What people call it"}],
    },
    "square": {"title": "Areas of the tests", "description": "Squares, and what is none."},
    "district": {"title": "Districts"},
    "right-to-left": {"title": "أماكن", "description": "أماكن مختلفة"},
}


def places() -> pa.Table:
    """Rows of which a choice leaves some."""
    count = 5000
    return pa.table(
        {
            "entity": pa.array(range(count), pa.int64()),
            "name": [None if n % 7 == 0 else ("" if n % 5 == 0 else f"Place {n}") for n in range(count)],
            "organisation-entity": [str(n % 20) for n in range(count)],
            "end-date": [None if n % 2 else "2020-01-01" for n in range(count)],
            "amount": [n / 4 for n in range(count)],
        }
    )


def areas() -> pa.Table:
    """Rows on a map, of which some have no place."""
    count = 60
    return pa.table(
        {
            "entity": pa.array(range(count), pa.int64()),
            "name": [f"Area {n}" if n % 3 else "Café & <b>, 'quoted'" for n in range(count)],
            "geometry": [
                None if n % 10 == 0 else f"POLYGON (({n} 50, {n + 1} 50, {n + 1} 51, {n} 50))"
                for n in range(count)
            ],
        }
    )


def square(west: float, south: float, side: float) -> str:
    east, north = west + side, south + side
    return f"POLYGON (({west} {south}, {east} {south}, {east} {north}, {west} {north}, {west} {south}))"


def ring(count: int) -> str:
    """A polygon of megabytes."""
    teeth = ", ".join(f"{n / count:.6f} {51 + n % 2 / 10:.6f}" for n in range(count))
    return f"POLYGON (({teeth}, 1 50, 0 50, 0.000000 51.000000))"


def squares() -> pa.Table:
    """Squares around (0, 51) in rows of five, and rows that are nowhere."""
    texts: list[str | None] = [square(n % 5 / 10, 51 + n // 5 / 10, 0.05) for n in range(18)]
    return pa.table({"entity": range(20), "geometry": [*texts, None, "nowhere"]})


def districts() -> pa.Table:
    return pa.table(
        {
            "reference": ["E1", "E2"],
            "name": ["Camden", "Islington"],
            "geometry": [square(0, 51, 0.18), square(0.2, 51, 0.18)],
        }
    )


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    tables.write(places(), folder / "sample.parquet")
    tables.write(areas(), folder / "areas.parquet")
    tables.write(squares(), folder / "square.parquet")
    tables.write(
        pa.table({"geometry": ["POLYGON ((-180 -90, 180 -90, 180 90, -180 -90))"]}), folder / "world.parquet"
    )
    tables.write(pa.table({"geometry": ["POINT (176 -18)", "POINT (-176 -16)"]}), folder / "beyond.parquet")
    tables.write(districts(), folder / "district.parquet")
    tables.write(pa.table({"geometry": [ring(400_000)] * 3}), folder / "large.parquet")
    tables.write(pa.table({HOSTILE: [HOSTILE, None, ""]}), folder / "hostile.parquet")
    tables.write(pa.table({"اسم": ["مكان", None], "b": ["x", "y"]}), folder / "right-to-left.parquet")
    tables.write(pa.table({f"c{number}": [number, None] for number in range(300)}), folder / "many.parquet")
    tables.write(pa.table({"text": ["x" * (8 << 20), "short"], "n": [1, 2]}), folder / "long.parquet")
    (folder / "broken.parquet").write_bytes(b"no Parquet at all, but long enough to be one")
    (folder / "datasets.json").write_text(json.dumps(WORDS))
    return folder


@pytest.fixture(scope="session")
def served(root: Path) -> Iterator[Served]:
    with serving_folder(root) as found:
        yield found


@pytest.fixture(scope="session")
def locked(root: Path) -> Iterator[Served]:
    """The same for who has a key."""
    with serving_folder(root, api_key=KEY) as found:
        yield found


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with browser() as found:
        yield found
