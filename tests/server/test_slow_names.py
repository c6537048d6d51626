"""Names of areas that storage keeps back: pages do without them, and no download waits for them."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from application.engine.scan import Engine
from tests.support import html
from tests.support.serving import SECONDS, Served, eventually, serving_folder

HTML = {"accept": "text/html"}
# More than the threads that the event loop has beside it on a machine of two cores.
MANY = 12


class Names:
    """Reads of areas' names, which wait until the test lets them go on."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gate = threading.Event()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    found, batches = Names(), Engine.batches

    def held(self: Engine, dataset: Any, query: Any, *rest: Any, **options: Any) -> Any:
        if dataset.name != "tree" and any(column.name == "name" for column in query.columns):
            found.asked.append(dataset.name)
            found.gate.wait(SECONDS)
        return batches(self, dataset, query, *rest, **options)

    monkeypatch.setattr(Engine, "batches", held)
    return found


@pytest.fixture
def served(tmp_path: Path, names: Names) -> Iterator[Served]:
    for name, count in (("ward", 400), ("district", 3)):
        columns = {
            "entity": range(count),
            "name": [f"{name} {number}" for number in range(count)],
            "geometry": ["POLYGON ((0 51, 1 51, 1 52, 0 52, 0 51))"] * count,
        }
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    trees = {"entity": range(2), "point": ["POINT (0.5 51.5)", "POINT (2 51.5)"]}
    pq.write_table(pa.table(trees), tmp_path / "tree.parquet")
    (tmp_path / "datasets.json").write_text(
        json.dumps({name: {"key": "entity"} for name in ("ward", "district")})
    )
    with serving_folder(tmp_path, plan_seconds=3.0) as found:
        yield found
        names.gate.set()


def asking(served: Served, path: str) -> httpx2.Response:
    with httpx2.Client(base_url=served.url, timeout=SECONDS, trust_env=False) as client:
        return client.get(path, headers=HTML)


def test_pages_that_wait_for_names_leave_downloads_their_threads(served: Served, names: Names) -> None:
    form = html.read(served.get("/tree", headers=HTML).text).one("form", class_="choose")
    chosen = html.sent(form, **{"region": "ward", "region-name": "ward 7"})
    with ThreadPoolExecutor(2 * MANY) as clients:
        pages = [clients.submit(asking, served, f"/tree?within=ward:{number}") for number in range(MANY)]
        choices = [clients.submit(asking, served, chosen) for _ in range(MANY)]
        assert eventually(lambda: "ward" in names.asked)
        for number in range(MANY):
            assert served.get(f"/tree.csv?within=ward:{number}&field=entity").text == '"entity"\n"0"\n'
        for page in pages:
            answer = page.result()
            assert answer.status_code == 200
            assert "ward:" in html.read(answer.text).one(class_="chips").words
        for choice in choices:
            # What the name means nobody knows, so it is not taken for a reference.
            assert choice.result().status_code == 503
    # All who ask share one look at each.
    assert sorted(names.asked) == ["district", "ward"]
