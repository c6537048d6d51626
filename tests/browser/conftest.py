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


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    tables.write(places(), folder / "sample.parquet")
    tables.write(areas(), folder / "areas.parquet")
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
